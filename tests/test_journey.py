"""Goal: the phases run in their order, the first that refuses speaks, and nothing stays held.

Method: one request that is wrong in every way, put right phase by phase, through one worker.
"""

import pytest

from fastgw.ledger.records import Open
from tests.worker import chat, policy, provider, request, response

RULES = policy(
    {"expressions": ["ai.user == 'mallory'"], "actions": [{"type": "deny"}]},
    {"actions": [{"type": "rate-limit", "config": {
        "name": "pace", "unit": "requests", "capacity": 1, "per": "1h",
        "bucket_key": ["ai.user"]}}]})
MODELS = [{"id": "gpt-4o", "candidates": [{"provider": "openai", "model": "gpt-4o"}]}]


@pytest.fixture
def strict(worker):
    one = worker(providers=[provider("openai", retries={"max": 0})], policy=RULES, models=MODELS,
                 models_strict=True, limits={"body": 4096})
    one.ask(request(chat(user="bob")), response())
    one.records()
    return one


def test_the_first_phase_that_refuses_speaks(strict):
    bad = {"model": "none", "user": "mallory", "messages": ["x" * 9000]}
    small = {**bad, "messages": []}
    steps = [
        (b"BREW / \r\n\r\n", "FGW-101"),
        (request(chat(**bad), path="/none", key="x"), "FGW-201"),
        (request(chat(**bad), key="x"), "FGW-302"),
        (request(chat(**bad)), "FGW-402"),
        (request(chat(**small)[1:]), "FGW-501"),
        (request(chat(**small)), "FGW-601"),
        (request(chat(**small | {"user": "bob"})), "FGW-509"),
        (request(chat(user="bob")), "FGW-801"),
        (request(chat(user="eve")), "FGW-901"),
    ]
    strict.loop.fault = [ConnectionRefusedError()]
    opened = strict.upstream
    opened.lose()
    for raw, code in steps:
        client = strict.connect()
        client.feed(raw)
        assert client.answer().code == code
        assert strict.segment.live_holds(0)[0] == 0, code
        asked = [record for record in strict.records() if isinstance(record, Open)]
        assert len(asked) == (code == "FGW-901")
    assert strict.journey.active == 0


def test_a_request_that_never_reached_a_provider_takes_nothing_from_its_limit(strict):
    strict.upstream.lose()
    strict.loop.fault = [ConnectionRefusedError()]
    assert strict.ask(request(chat(user="eve")))[1].code == "FGW-901"

    assert strict.ask(request(chat(user="eve")), response())[1].status == 200
    assert strict.ask(request(chat(user="eve")))[1].code == "FGW-801"


def test_our_own_paths_need_no_key_and_leave_no_record(worker):
    one = worker()
    _, answer = one.ask(request(path="/fastgw/health", method="GET", key=""))

    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    assert one.records() == [] and one.journey.active == 0


def test_a_key_is_held_to_its_providers_and_models(worker):
    keys = [{"id": "alice", "value": "fgw-alice", "access": {"providers": ["openai"],
                                                             "models": ["gpt-4o"]}}]
    one = worker(keys=keys)

    assert one.ask(request(chat()), response())[1].status == 200
    assert one.ask(request(chat(model="o3")))[1].status == 403
    assert one.ask(request(chat(max_tokens=1), path="/v1/messages"))[1].code == "FGW-306"


def test_ids_count_up_and_are_never_given_twice(worker):
    one = worker()
    ids = [one.ask(request(chat(), key=key), *([response()] if key == "fgw-alice" else []))[1]
           .fields["x-fastgw-request-id"] for key in ("fgw-alice", "x", "fgw-alice", "")]

    assert ids == [f"00000001-00-{number:010x}" for number in range(1, 5)]
