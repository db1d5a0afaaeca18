"""Instead: what is offered in place of a refused model would have passed, and nothing is taken.

Method: workers with limits by model; whatever a refusal offers is asked for next and must be
admitted, whatever must not be offered is the only other model there is.
"""

import orjson
import pytest

from tests.worker import chat, policy, provider, request, response

ASKED, OTHER = "gpt-4o", "gpt-4o-mini"


def limit(bucket_key=("ai.model",), **more):
    return {"name": "pace", "actions": [{"type": "rate-limit", "config": {
        "name": "pace", "unit": "requests", "capacity": 1, "per": "1h",
        "bucket_key": list(bucket_key), **more}}]}


def model(name, to="openai", **more):
    return {"id": name, "candidates": [{"provider": to, "model": name}], **more}


def offered(one, **asked):
    """By the second request for ASKED."""
    one.ask(request(chat(model=ASKED)), response())
    _, answer = one.ask(request(chat(model=ASKED, **asked)))
    error = orjson.loads(answer.body)["error"]
    assert answer.status == 429
    found = error["fastgw"]["change"]["model"]
    assert (f"use the model {found}." in error["message"]) == (found is not None)
    return found


def test_what_is_offered_passes(worker):
    one = worker(policy=policy(limit()), models=[model(ASKED), model(OTHER)])

    assert offered(one) == OTHER
    assert one.ask(request(chat(model=OTHER)), response())[1].status == 200
    _, answer = one.ask(request(chat(model=ASKED)))
    assert orjson.loads(answer.body)["error"]["fastgw"]["change"]["model"] is None, "now spent too"


@pytest.mark.parametrize("config", [
    {"policy": policy(limit(("key.id",)))},
    {"policy": policy(limit(), limit(("key.id",), name="all") | {"name": "all"})},
    {"policy": policy(limit(), {"name": "no", "expressions": [f"ai.model == '{OTHER}'"],
                                "actions": [{"type": "deny"}]})},
    {"policy": policy(limit()), "models": [model(ASKED), model("text-embedding-3-small")]},
    {"policy": policy(limit()), "models": [model(ASKED), model(OTHER, "anthropic")]},
    {"policy": policy(limit()), "models": [model(ASKED), model(OTHER, "spare")],
     "providers": [provider("openai"), provider("spare")],
     "keys": [{"id": "alice", "value": "fgw-alice", "access": {"providers": ["openai"]}}]},
    {"policy": policy(limit()),
     "keys": [{"id": "alice", "value": "fgw-alice", "access": {"models": [ASKED]}}]},
], ids=["one bucket", "another limit", "denied", "no text", "dialect", "provider", "scope"])
def test_nothing_is_offered_that_would_not_pass(worker, config):
    assert offered(worker(**{"models": [model(ASKED), model(OTHER)], **config})) is None


def test_only_a_few_are_tried(worker):
    """Each costs a run of the policy: a flood must not pay for many."""
    names = [f"gpt-4o-2024-0{month}-01" for month in range(1, 6)]
    one = worker(policy=policy(limit()), models=[model(name) for name in (ASKED, *names)])
    for name in names[:3]:
        one.ask(request(chat(model=name)), response())

    assert offered(one) is None


def test_trying_takes_nothing_and_leaves_no_trace(worker):
    one = worker(policy=policy(limit(capacity=2)), models=[model(ASKED), model(OTHER)])
    one.ask(request(chat(model=ASKED)), response())
    for _ in range(5):
        offered(one)
    for _ in range(2):
        assert one.ask(request(chat(model=OTHER)), response())[1].status == 200
    assert one.ask(request(chat(model=OTHER)))[1].status == 429
