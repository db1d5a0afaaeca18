"""`fastgw explain`: what people read says who, what, why, and what would have passed.

Method: decisions as the ledger renders them, from records.
"""

import pytest

from fastgw.explain.text import complete, render
from fastgw.ledger import decision as decisions
from fastgw.ledger.journal import name_hash
from fastgw.ledger.names import Names
from fastgw.ledger.records import UNBOUNDED, Close, Open, RequestId, RuleTrace, Tokens
from fastgw.ledger.span import Span
from fastgw.ledger.sqlite import open_reader
from fastgw.ledger.store import Store
from tests.ledger.fabricate import T0, close, dims, names, pace, request

ID = RequestId(1, 0, 1)


@pytest.fixture
def tell(tmp_path):
    raw = b"".join(names())
    Store(tmp_path).commit([Span(1, 0, 0, 0, len(raw), raw)])
    known = Names(open_reader(tmp_path))

    def made(*records):
        story = decisions.Story()
        for record in records:
            story.add(record)
        return decisions.render(story, known)

    return made


def test_a_place_in_a_queue_and_a_smaller_answer_are_told(tell):
    full = pace(used=60, held=60, verdict=2, unit=5, algorithm=2, place=3)
    tokens = pace(used=20, verdict=2, unit=1, algorithm=3)
    tokens.taken = 55
    denied = tell(request(ID, verdict=1, status=429, code=808, limits=[full, tokens],
                          input_estimate=9, input_high=20, answers=2))
    text = render(denied)

    assert "this request needs 1, it was number 3 in the queue" in text
    assert [one["taken"] for one in denied["limits"]] == [0, 0]
    tokens.wait_ns = 10**9
    denied = tell(request(ID, verdict=1, status=429, code=804, limits=[tokens],
                          input_estimate=9, input_high=20, answers=2))
    denied["limits"][0]["algorithm"] = "cap"  # (its bucket's name says so)
    assert "ask for at most 10 output tokens an answer (max_tokens)" in render(denied)


def test_a_refusal_is_told_with_its_way_out(tell):
    denied = tell(
        request(
            ID,
            verdict=1,
            status=429,
            code=801,
            rule=name_hash("per-key pace"),
            input_estimate=12,
            limits=[pace(used=60, held=4, verdict=2, wait_ns=12 * 10**9, reset_ns=60 * 10**9)],
        )
    )
    text = render(denied)

    assert complete(denied)["reason"] == "too many requests"
    assert complete(denied)["change"] == "To pass, wait 12 s"
    for part in (
        "DENIED 429: openai chat for gpt-4o",
        "FGW-801: too many requests",
        "rule: per-key pace",
        "limit: pace for k1: 60 of 60 requests used (4 held by running requests)",
        "full again in 60 s",
        "To pass, wait 12 s",
        "key k1 (team=a, tier=free)",
        "about 12 input tokens",
    ):
        assert part in text


def test_an_allowed_request_is_told_with_attempts_and_cost(tell):
    lost = Close(
        ID,
        T0 + 10**9,
        2,
        7,
        dims(),
        Tokens(),
        0,
        100,
        3,
        UNBOUNDED,
        None,
        provenance=3,
        started_ns=T0,
        code=992,
    )
    text = render(
        tell(
            request(ID, rules=[RuleTrace(name_hash("no robots"))], rules_total=4),
            Open(ID, T0, 1, dims()),
            close(ID, T0 + 5 * 10**6, fate=6, final=0),
            Open(ID, T0, 2, dims()),
            lost,
        )
    )

    for part in (
        "allowed: openai chat",
        "no robots: matched, without effect",
        "and 3 more",
        "1. openai/gpt-4o: retried away 200",
        "10 input, 5 output (provider), cost $0.000001",
        "2. openai/gpt-4o: worker lost FGW-992, 1000 ms",
        "0 input (between 0 and 100), 0 output (between 3 and no known bound) (estimated)",
        "cost unknown",
        "FGW-992: the worker that served the request ended",
    ):
        assert part in text


def test_why_an_answer_was_not_read_is_said(tell):
    unread = close(ID, T0, output_basis=4 | 1 << 4)

    assert ("output estimated: a token for ten bytes of a compressed body that could not be read "
            "(content-encoding: br)") in render(tell(request(ID), Open(ID, T0, 1, dims()), unread))


def test_a_running_request_says_so(tell):
    assert "still running" in render(tell(request(ID), Open(ID, T0, 1, dims())))


def test_a_code_of_a_newer_writer_is_shown_as_it_is(tell):
    denied = tell(request(ID, verdict=1, status=400, code=888))

    assert complete(denied)["reason"] is None and "FGW-888" in render(denied)


def test_what_the_rule_said_stands_before_the_catalogue(tell):
    denied = tell(request(ID, verdict=1, status=403, code=601)) | {"reason": "not from here"}

    assert complete(denied)["reason"] == "not from here"


def test_what_a_client_wrote_gives_a_terminal_no_orders(tell):
    denied = tell(request(ID, verdict=1, status=403, code=601)) | {"reason": "no\x1b[2J\nyes"}

    assert r"no\x1b[2J\nyes" in render(denied) and "\x1b" not in render(denied)


def test_a_sample_says_that_it_stands_for_more(tell):
    assert "is a sample" in render(tell(request(ID, verdict=1, status=401, code=301, sampled=1)))


LIMIT = {"name": "n", "key": "", "used": 2, "limit": 5, "held": 0, "taken": 0, "reset_ms": 0,
         "verdict": "taken", "period_ns": 0, "window": "", "time_zone": ""}


@pytest.mark.parametrize(
    "limit, shown",
    [
        (
            {"unit": "cost", "algorithm": "cap", "window": "month", "time_zone": "Asia/Tokyo",
             "used": 12_500_000, "limit": 250_000_000, "held": 30_000, "reset_ms": 86_400_000 * 9},
            "$12.5 of $250 used this month (Asia/Tokyo) ($0.03 held by running requests), "
            "next window in 9 d",
        ),
        (
            {"unit": "tokens", "algorithm": "cap", "window": "day", "time_zone": "UTC",
             "reset_ms": 5000},
            "2 of 5 tokens used today (UTC), next window in 5 s",
        ),
        (
            {"unit": "requests", "algorithm": "cap", "window": "total", "key": "a"},
            "for a: 2 of 5 requests used in total",
        ),
        (
            {"unit": "requests", "algorithm": "fixed_window", "period_ns": 60 * 10**9,
             "reset_ms": 1},
            "2 of 5 requests used in a window of 60 s, next window in 1 ms",
        ),
        (
            {"unit": "requests", "algorithm": "sliding_window", "period_ns": 60 * 10**9,
             "reset_ms": 90_000},
            "2 of 5 requests used within the last 60 s, free again in 90 s",
        ),
        (
            {"unit": "slots", "algorithm": "concurrency", "used": 5, "held": 0},
            "5 of 5 slots in use",
        ),
        (  # the name of its word was lost
            {"unit": "slots", "algorithm": "token_bucket"},
            "2 of 5 slots in use",
        ),
    ],
)
def test_every_kind_of_limit_is_told_in_its_own_words(tell, limit, shown):
    allowed = {**tell(request(ID)), "limits": [LIMIT | limit]}

    assert f"{shown}\n" in render(allowed)
