"""Items of the RateLimit fields.

Method: a table, and a plain parser of structured-field items over names of any text.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fastgw.config.schema import UNITS
from fastgw.wire.ratelimit import field_text, item, policy_item

SECOND = 10**9


@pytest.mark.parametrize(
    "limit, text",
    [
        (("pace", "requests", 60, 60 * SECOND), '"pace";q=60;w=60'),
        (("pace", "requests", 1, SECOND // 2), '"pace";q=1;w=1'),
        (("p", "input_tokens", 9, 90 * SECOND), '"p";q=9;qu="input-tokens";w=90'),
        (("day", "tokens", 9, 0, "day"), '"day";q=9;qu="tokens";w=86400'),
        (("m", "cost", 250_000_000, 0, "month"), '"m";q=250000000;qu="micro-dollars"'),
        (("ever", "requests", 5, 0, "total"), '"ever";q=5'),
        (("s", "slots", 20, 0), '"s";q=20;qu="concurrent-requests"'),
    ],
)
def test_an_item_has_quota_unit_and_length(limit, text):
    assert policy_item(*limit) == text


def test_every_unit_but_requests_is_named():
    for unit in (*UNITS, "slots"):
        assert ("qu=" in policy_item("n", unit, 1, SECOND)) == (unit != "requests")


@given(some.text())
def test_any_name_is_a_structured_field_string(name):
    text = item(name)

    assert re.fullmatch(r'"(?:[ !#-\[\]-~]|\\["\\])*"', text)
    assert re.sub(r"\\(.)", r"\1", text[1:-1]) == field_text(name)
    assert len(field_text(name)) == len(name)
