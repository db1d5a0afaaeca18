"""Goal: a refusal by limits has the code of the limit that speaks: the worst of them.

Method: policies of one or two limits through a worker, asked until one of them refuses.
"""

import pytest

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
