"""Goal: a refusal by limits has the code of the limit that speaks: the worst of them.

Method: policies of one or two limits through a worker, asked until one of them refuses.
"""

import orjson
import pytest

from fastgw.shm.counters import total
from tests.worker import chat, policy, request, response


def limit(unit, capacity, per="1h"):
    config = {"name": unit, "unit": unit, "capacity": capacity, "per": per,
              "bucket_key": ["key.id"]}
    return {"actions": [{"type": "rate-limit", "config": config}]}


def refused(one, **asked):
    """The code, after one request has passed."""
    one.ask(request(chat()), response())
    return one.ask(request(chat(**asked)))[1]


@pytest.mark.parametrize("rules, code, says", [
    ([limit("requests", 1)], "FGW-801", "requests"),
    ([limit("tokens", 600)], "FGW-802", "tokens"),
    ([limit("output_tokens", 520)], "FGW-802", "output_tokens"),
    ([limit("requests", 1, per="1m"), limit("tokens", 600, per="1d")], "FGW-802", "tokens"),
    ([limit("tokens", 600, per="1m"), limit("requests", 1, per="1d")], "FGW-801", "requests")])
def test_who_must_wait_longest_speaks(worker, rules, code, says):
    answer = refused(worker(policy=policy(*rules)), n=2 if code == "FGW-802" else 1)

    assert (answer.status, answer.code) == (429, code)
    assert f"Limit '{says}'".encode() in answer.body


CAP = {"actions": [{"type": "usage-cap", "config": {
    "name": "day", "unit": "requests", "limit": 1, "window": "day", "bucket_key": ["key.id"]}}]}


@pytest.mark.parametrize("window, retry", [("month", True), ("total", False)])
def test_a_cap_that_is_used_up_says_so(worker, window, retry):
    """Longer than any pace: its code goes before theirs, wherever it stands."""
    CAP["actions"][0]["config"]["window"] = window
    answer = refused(worker(policy=policy(limit("requests", 1, per="1s"), CAP)))
    error = orjson.loads(answer.body)["error"]

    assert (answer.status, answer.code, error["type"]) == (429, "FGW-804", "insufficient_quota")
    assert ("retry-after" in answer.fields) == retry
    far = int(answer.fields.get("retry-after", 10**9)) > 60  # (but in a month's last minute)
    assert answer.fields.get("x-should-retry") == ("false" if far else None)
    assert error["fastgw"]["limit"] == "day"


def test_all_slots_taken_has_a_code_of_its_own(worker):
    slots = {"actions": [{"type": "concurrency-limit", "config": {
        "name": "slots", "limit": 1, "bucket_key": ["key.id"]}}]}
    one = worker(policy=policy(slots))
    one.connect().feed(request(chat()))
    _, answer = one.ask(request(chat()))

    assert answer.code == "FGW-803" and b"0 used, 1 held of 1 slots" in answer.body
    assert answer.fields["retry-after"] == "1" and "x-should-retry" not in answer.fields


def test_limits_that_refused_are_counted_and_not_those_beside_them(worker):
    one = worker(policy=policy(limit("requests", 1), limit("tokens", 10**6)))
    refused(one)

    assert total(one.segment).counters["limits_refused"] == 1


def test_a_shadow_does_not_speak(worker):
    shadow = limit("tokens", 600, per="1d") | {"name": "later"}
    shadow["actions"][0]["config"]["enforce"] = False
    answer = refused(worker(policy=policy(shadow, limit("requests", 1, per="1m"))), n=2)

    assert answer.code == "FGW-801" and b"Limit 'requests'" in answer.body


def test_more_than_a_pace_ever_holds_passes_once_it_is_unused(worker):
    one = worker(policy=policy(limit("tokens", 600, per="1h")))

    assert one.ask(request(chat(n=500)), response())[1].status == 200
    answer = one.ask(request(chat(n=500)))[1]
    assert answer.code == "FGW-802" and 0 < int(answer.fields["retry-after"]) <= 300
