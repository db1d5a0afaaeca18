"""The catalogue has every code, once, with what a person and an SDK need.

Method: fastgw.errors, fastgw/codes.pxd and the YAML file are held against each other.
"""

import re
from http import HTTPStatus
from pathlib import Path

import pytest

from fastgw.errors import Code
from fastgw.explain.catalogue import entries, entry, url

ROOT = Path(__file__).resolve().parents[2]


def test_every_code_has_its_entry_and_no_entry_is_left_over():
    assert set(entries()) == {code.value for code in Code}


def test_cython_has_the_same_numbers():
    text = (ROOT / "fastgw" / "codes.pxd").read_text()
    found = {name: int(number) for name, number in re.findall(r"CODE_(\w+) = (\d+)", text)}

    assert found == {code.name: code.value for code in Code}


@pytest.mark.parametrize("code", Code)
def test_an_entry_says_what_why_and_what_helps(code):
    one = entry(code)

    assert one.status in {status.value for status in HTTPStatus} | {499}
    assert one.title and one.title[0].islower() or one.title[0] == "`"
    assert one.title[-1] != "." and one.cause[-1] == one.remedy[-1] == "."
    assert one.openai_type and one.anthropic_type.endswith(("_error", "_too_large"))
    assert one.phase or code >= 990
    assert url(code).endswith(one.text)


def test_types_are_those_that_the_provider_would_use():
    def both(code):
        one = entry(code)
        return one.status, one.openai_type, one.openai_code, one.anthropic_type

    assert both(Code.KEY_UNKNOWN) == (
        401,
        "invalid_request_error",
        "invalid_api_key",
        "authentication_error",
    )
    assert both(Code.LIMIT_TOKENS) == (429, "tokens", "rate_limit_exceeded", "rate_limit_error")
    assert both(Code.LIMIT_CAP) == (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "rate_limit_error",
    )
    assert both(Code.MODEL_UNKNOWN) == (
        404,
        "invalid_request_error",
        "model_not_found",
        "not_found_error",
    )
    assert both(Code.BODY_TOO_LARGE)[3] == "request_too_large"
    assert both(Code.DRAINING)[3] == "overloaded_error"
    assert both(Code.INTERNAL)[3] == "api_error"


@pytest.mark.parametrize(
    "text", ["FGW-804", "fgw-804", "804", 804, "LIMIT_CAP", "limit_cap", " 804 "]
)
def test_an_entry_is_found_however_it_is_called(text):
    assert entry(text).code is Code.LIMIT_CAP


@pytest.mark.parametrize("text", ["FGW-000", "", "nonsense", 1, "FGW-"])
def test_what_is_no_code_is_a_key_error(text):
    with pytest.raises(KeyError):
        entry(text)
