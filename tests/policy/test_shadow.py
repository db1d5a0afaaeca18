"""A limit that is only tried: it counts in words of its own, is recorded, and refuses nobody.

Method: one worker with transports of the test's; what became of every limit is read from the
REQUEST records, what a word is worth from the segment.
"""

import pytest

from fastgw.clock import now_ns
from fastgw.ledger.records import Request
from fastgw.limit import peek
from tests.worker import chat, policy, request, response

TAKEN, REFUSED, NEVER, UNDONE = 1, 2, 3, 4


def limit(kind, enforce, **config):
    return {"type": kind, "enforce": enforce,
            "config": {"name": "x", "bucket_key": ["key.id"], **config}}


def both(kind, tried, real):
    """The same limit twice: tried with one amount, enforced with another."""
    return policy({"name": "tried", "actions": [limit(kind, False, **tried)]},
                  {"name": "real", "actions": [limit(kind, True, **real)]})


def pace(capacity):
    return {"capacity": capacity, "per": "24h"}


def cap(amount):
    return {"unit": "requests", "limit": amount, "window": "total"}


def ask(one, times):
    """[(status, verdict of the trial, verdict of the real limit)]"""
    seen = []
    for _ in range(times):
        _, answer = one.ask(request(chat()), response())
        tried, real = one.one(Request).limits
        assert (tried.enforced, real.enforced) == (0, 1) and tried.identity != real.identity
        seen.append((answer.status, tried.verdict, real.verdict))
    return seen


@pytest.mark.parametrize("kind, amount", [("rate-limit", pace), ("usage-cap", cap)])
def test_a_trial_refuses_nobody_and_is_recorded(worker, kind, amount):
    one = worker(policy=both(kind, amount(1), amount(3)))

    seen = ask(one, 4)

    assert seen[0] == (200, TAKEN, TAKEN)
    assert seen[1] == seen[2] == (200, REFUSED, TAKEN)
    assert (seen[3][0], seen[3][2]) == (429, REFUSED)


@pytest.mark.parametrize("kind, amount", [("rate-limit", pace), ("usage-cap", cap)])
def test_what_was_refused_is_not_counted_in_a_trial(worker, kind, amount):
    one = worker(policy=both(kind, amount(9), amount(2)))

    seen = ask(one, 3)
    _, (tried, real) = (one.ask(request(chat()), response()), one.one(Request).limits)

    assert seen[2] == (429, UNDONE, REFUSED)
    assert (tried.used, tried.limit, real.used, real.limit) == (2, 9, 2, 2)


def test_a_trial_of_slots_lets_everybody_in_and_frees_what_it_took(worker):
    one = worker(policy=both("concurrency-limit", {"limit": 1}, {"limit": 2}))
    clients = [one.connect() for _ in range(3)]
    for client in clients:
        client.feed(request(chat()))
    first, second, third = (
        [trace.verdict for trace in record.limits]
        for record in one.records() if isinstance(record, Request)
    )

    assert first == [TAKEN, TAKEN] and second == [REFUSED, TAKEN]
    assert third[1] == REFUSED and clients[2].answer().code == "FGW-803"
    for end in one.loop.opened:
        end.feed(response())
    assert {entry.raw for entry in peek.entries(one.segment)} == {0}


def test_a_trial_that_is_enforced_begins_with_nothing_used(worker, tmp_path):
    one = worker(policy=both("rate-limit", pace(2), pace(5)))
    ask(one, 2)
    words = {entry.identity for entry in peek.entries(one.segment)}
    spec = next(spec for spec in one.plan.limit_specs if not spec["enforced"])

    levels = sorted(
        peek.level(one.segment, entry, 5, spec["period_ns"], now_ns()).used
        for entry in peek.entries(one.segment)
    )

    assert len(words) == 2 and levels == [2, 5]
