"""Credentials: the provider's key goes where that provider looks for it, and can break no
header."""

import pytest

from fastgw.dialect import provider_fields


def test_each_dialect_has_its_place():
    assert provider_fields("openai", "sk-1") == (("authorization", "Bearer sk-1"),)
    assert provider_fields("anthropic", "k") == (
        ("x-api-key", "k"), ("anthropic-version", "2023-06-01"))  # fmt: skip
    assert provider_fields("anthropic", "k", client_sent_version=True) == (("x-api-key", "k"),)


@pytest.mark.parametrize("key", ["a b", "a\r\nx: y", "a\0", "\x7f", "é"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key):
    with pytest.raises(ValueError) as raised:
        provider_fields("openai", key)
    assert key not in str(raised.value)
