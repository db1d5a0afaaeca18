"""Refusals: the message names the limit and the smallest change, and that change would have
passed.

Method: limits with known numbers; header fields are read back by a small parser of structured
fields.
"""

import re

import pytest

from fastgw.errors import Code
from fastgw.explain.refusal import (
    NEVER,
    REFUSED,
    LimitState,
    Refusal,
    body,
    change,
    duration,
    headers,
    message,
    output_room,
)

S = 10**9
ID = "00000001-00-0000000001"


def pace(**more) -> LimitState:
    return LimitState(
        **(
            {
                "name": "pace",
                "unit": "requests",
                "limit": 60,
                "used": 60,
                "taken": 1,
                "verdict": REFUSED,
                "wait_ns": 12 * S,
                "reset_ns": 60 * S,
                "period_ns": 60 * S,
                "key": "k1",
            }
            | more
        )
    )


def tokens(**more) -> LimitState:
    return pace(
        **({"name": "tokens", "unit": "tokens", "limit": 1000, "used": 800, "taken": 500} | more)
    )


def refusal(code=Code.LIMIT_REQUESTS, **more) -> Refusal:
    return Refusal(code, ID, **more)


def test_a_message_says_limit_used_held_reset_and_the_way_out():
    text = message(refusal(limits=[pace(held=2)]))

    assert text == (
        "FGW-801: too many requests. Limit 'pace' for k1: 58 used, 2 held of 60 requests, "
        "this request "
        "needs 1, resets in 60 s. To pass, wait 12 s."
    )


def test_fewer_output_tokens_are_offered_when_they_would_pass():
    one = refusal(Code.LIMIT_TOKENS, limits=[tokens()], input_estimate=100)

    assert change(one) == "To pass, wait 12 s, or ask for at most 100 output tokens (max_tokens)"
    room = output_room(tokens(), 100)
    assert 800 + 100 + room <= 1000 < 800 + 100 + room + 1


@pytest.mark.parametrize(
    "limit, estimate",
    [
        (tokens(), 200),
        (tokens(), 5000),
        (tokens(unit="cost"), 0),
        (pace(), 0),
        (tokens(taken=150), 0),
    ],
)
def test_no_number_of_output_tokens_is_offered_where_none_would_help(limit, estimate):
    assert output_room(limit, estimate) == 0


def test_what_can_never_pass_says_so_and_is_not_retried():
    never = tokens(verdict=NEVER, taken=5000, used=0, wait_ns=0)
    one = refusal(Code.LIMIT_NEVER, limits=[never], input_estimate=100)
    fields = dict(headers(one))

    assert "ask for at most 900 output tokens" in message(one)
    assert fields["x-should-retry"] == "false" and "retry-after" not in fields


def test_the_limit_that_waits_longest_is_the_one_named():
    one = refusal(
        limits=[pace(wait_ns=S), pace(name="day", wait_ns=50 * S), pace(name="free", verdict=1)]
    )

    assert "'day'" in message(one) and dict(headers(one))["retry-after"] == "50"


def test_shadow_limits_refuse_nothing_and_are_not_shown():
    one = refusal(
        Code.DENIED, limits=[pace(enforced=False)], rule="no robots", reason="not from here"
    )

    assert message(one) == "FGW-601: not from here (rule 'no robots')."
    assert not any(name.startswith("RateLimit") for name, _ in headers(one))


def test_header_fields_of_a_rate_limit():
    fields = dict(headers(refusal(limits=[pace(wait_ns=11 * S + 1), tokens(used=300, verdict=1)])))

    assert fields["x-fastgw-request-id"] == ID and fields["x-fastgw-code"] == "FGW-801"
    assert fields["RateLimit-Policy"] == '"pace";q=60;w=60, "tokens";q=1000;qu="tokens";w=60'
    assert fields["RateLimit"] == '"pace";r=0;t=12, "tokens";r=700;t=60'
    assert (fields["retry-after"], fields["retry-after-ms"]) == ("12", "11001")
    assert "x-should-retry" not in fields


def test_a_wait_longer_than_sdks_wait_is_not_retried_but_told():
    fields = dict(headers(refusal(Code.LIMIT_REQUESTS, limits=[pace(wait_ns=3600 * S)])))

    assert fields["retry-after"] == "3600" and fields["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "code, retry",
    [
        (Code.KEY_UNKNOWN, False),
        (Code.DENIED, False),
        (Code.JSON_INVALID, False),
        (Code.DRAINING, True),
        (Code.LEDGER_FULL, True),
        (Code.UPSTREAM_TIMEOUT_IDLE, True),
    ],
)
def test_retry_only_where_waiting_helps(code, retry):
    fields = dict(headers(refusal(code)))

    assert ("x-should-retry" in fields) is not retry
    assert ("retry-after" in fields) is retry


@pytest.mark.parametrize("name", ['a"b', "back\\slash", "größe", "line\r\nx-evil: 1", "nul\0"])
def test_a_rules_name_cannot_break_a_header(name):
    one = refusal(rule=name, limits=[pace(name=name)])

    for _, value in headers(one):
        assert re.fullmatch(r"[ -~]*", value)
    quoted = re.match(r'"((?:[^"\\]|\\["\\])*)";r=', dict(headers(one))["RateLimit"])
    assert quoted and "\r" not in quoted[1]


@pytest.mark.parametrize(
    "dialect, kind, code",
    [
        ("openai", "requests", "rate_limit_exceeded"),
        ("anthropic", "rate_limit_error", None),
        ("", "requests", "rate_limit_exceeded"),
    ],
)
def test_a_body_has_the_dialects_shape_and_our_member(dialect, kind, code):
    one = body(refusal(rule="per-key pace", limits=[pace()]), dialect)
    error = one["error"]

    assert error["type"] == kind and error.get("code") == code
    assert error["message"].startswith("FGW-801")
    assert error["fastgw"] == {
        "code": "FGW-801",
        "rule": "per-key pace",
        "limit": "pace",
        "retry_after_ms": 12_000,
        "request_id": ID,
        "url": "urn:fastgw:error:FGW-801",
    }
    assert (one.get("type") == "error" and one["request_id"] == ID) == (dialect == "anthropic")


def test_every_code_gives_a_sentence_and_fields():
    for code in Code:
        one = refusal(code, rule="r")
        assert message(one).startswith(code.text) and message(one).endswith(".")
        assert (
            one.http_status == one.entry.status
            and dict(headers(one))["x-fastgw-code"] == code.text
        )
    assert refusal(Code.DENIED, status=451).http_status == 451


@pytest.mark.parametrize(
    "ns, text",
    [
        (0, "0 ms"),
        (1, "1 ms"),
        (250_000_000, "250 ms"),
        (S, "1 s"),
        (S + 1, "2 s"),
        (119 * S, "119 s"),
        (200 * S, "3 min 20 s"),
        (120 * S, "2 min"),
        (7500 * S, "2 h 5 min"),
        (7200 * S, "2 h"),
        (7199 * S, "119 min 59 s"),
        (86400 * 30 * S, "30 d"),
        (86400 * 2 * S + 1, "2 d 1 h"),
    ],
)
def test_durations_are_rounded_up(ns, text):
    assert duration(ns) == text


def test_money_is_in_dollars():
    cost = pace(
        name="month", unit="cost", limit=250_000_000, used=249_500_000, held=500_000, taken=10
    )

    assert "$249 used, $0.5 held of $250 cost, this request needs $0.00001" in message(
        refusal(Code.LIMIT_CAP, limits=[cost])
    )
