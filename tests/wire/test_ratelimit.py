"""Items of the RateLimit fields: nothing that an operator calls a limit can break a head.

Method: names read back by the grammar of structured-field strings (RFC 8941 section 3.3.3).
"""

import re

import pytest

from fastgw.wire.ratelimit import field_text, item, policy_item

STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')


@pytest.mark.parametrize("name, read", [
    ("pace", "pace"), ('a"b', 'a"b'), ("back\\slash", "back\\slash"), ("größe", "gr??e"),
    ("line\r\nx-evil: 1", "line??x-evil: 1"), ("nul\0", "nul?"), ("", "")])
def test_a_name_is_a_structured_string(name, read):
    whole = STRING.fullmatch(item(name))

    assert whole and re.sub(r"\\(.)", r"\1", whole[1]) == read == field_text(name)


@pytest.mark.parametrize("period_ns, text", [
    (60 * 10**9, '"pace";q=5;w=60'), (1, '"pace";q=5;w=1'), (10**9 + 1, '"pace";q=5;w=2'),
    (0, '"pace";q=5')])
def test_a_policy_names_quota_and_window(period_ns, text):
    assert policy_item("pace", 5, period_ns) == text
