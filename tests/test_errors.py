"""Errors: numbers are stable, messages are one clear line.

Method: the table below was released; it is only ever added to.
"""

import pytest

from fastgw.errors import Code, ConfigError, FastgwError, LedgerError, ShmError, UpstreamError

RELEASED = {
    101: "HEAD_MALFORMED",
    201: "ROUTE_UNKNOWN",
    301: "KEY_MISSING",
    302: "KEY_UNKNOWN",
    401: "LENGTH_REQUIRED",
    402: "BODY_TOO_LARGE",
    501: "JSON_INVALID",
    504: "MODEL_MISSING",
    601: "DENIED",
    602: "MODEL_RESTRICTED",
    701: "NO_CANDIDATE",
    703: "LEDGER_FULL",
    801: "LIMIT_REQUESTS",
    802: "LIMIT_TOKENS",
    803: "LIMIT_CONCURRENCY",
    804: "LIMIT_CAP",
    806: "LIMIT_NEVER",
    901: "UPSTREAM_CONNECT",
    905: "UPSTREAM_TIMEOUT_FIRST_BYTE",
    951: "CUT_BY_CAP",
    991: "INTERNAL",
    992: "WORKER_LOST",
}


def test_released_numbers_never_change():
    assert {number: Code(number).name for number in RELEASED} == RELEASED
    assert Code.LIMIT_CAP.text == "FGW-804"


@pytest.mark.parametrize(
    "error, text",
    [
        (ConfigError("no"), "no"),
        (ConfigError("no", file="a.yaml", line=3), "a.yaml:3:1: no"),
        (
            ConfigError(
                "no", file="a.yaml", line=3, column=7, key="keys[0].id", suggestion="try yes"
            ),
            "a.yaml:3:7: keys[0].id: no (try yes)",
        ),
    ],
)
def test_a_config_error_is_one_line_with_its_place(error, text):
    assert str(error) == text


def test_all_are_fastgw_errors():
    for error in (
        ConfigError("x"),
        LedgerError("x"),
        ShmError("x"),
        UpstreamError("x", retryable=True),
    ):
        assert isinstance(error, FastgwError)
