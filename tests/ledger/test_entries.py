"""Goal: what an exchange was stands in its records, field by field.

Method: exchanges through a worker, one for each kind of end; the records are read as the recorder
reads them.
"""

import time

from fastgw.ledger.journal import name_hash
from fastgw.ledger.records import (
    FATE_DELIVERED,
    FATE_FAILED_BEFORE_FIRST_BYTE,
    FATE_RETRIED_AWAY,
    Close,
    Open,
    Refused,
    Request,
    RequestId,
)
from tests.worker import chat, policy, provider, request, response

PACE = {"name": "steady", "actions": [{"type": "rate-limit", "config": {
    "name": "pace", "unit": "requests", "capacity": 1, "per": "1h", "bucket_key": ["key.id"]}}]}
TOOL = chat(tools=[{"type": "function"}], user="u-7", max_tokens=12)


def test_an_admitted_request_has_its_whole_story(worker):
    one = worker(policy=policy(PACE))
    before = time.time_ns()
    one.ask(request(TOOL, "X-Request-Id: mine"), response())
    asked, opened, closed = one.records()

    assert isinstance(asked, Request) and isinstance(opened, Open) and isinstance(closed, Close)
    assert asked.id == opened.id == closed.id == RequestId(1, 0, 1)
    assert before - 10**9 < asked.wall_ns <= opened.wall_ns <= closed.wall_ns < time.time_ns()
    assert asked.client_ip == bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7])
    assert (asked.input_bytes, asked.output_max, asked.tools) == (len(TOOL), 12, 1)
    assert asked.client_request_id == name_hash("mine")
    assert asked.policy_version == one.plan.policy.version_hash
    assert (asked.dims.model, asked.dims.user) == (name_hash("gpt-4o"), name_hash("u-7"))
    assert one.names[asked.dims.account].startswith('{"id":"alice"')
    (limit,) = asked.limits
    assert (limit.used, limit.limit, limit.taken) == (1, 1, 1)
    assert opened.provider_key == name_hash("openai-key")
    assert opened.held == [(*limit.identity, 1)]
    assert (closed.fate, closed.status, closed.final) == (FATE_DELIVERED, 200, 1)
    assert closed.bytes_in == len(TOOL) and closed.bytes_out == 129
    assert closed.dims.provider == name_hash("openai")


def test_a_refused_request_says_what_refused_it(worker):
    one = worker(policy=policy(PACE))
    one.ask(request(chat()), response())
    one.records()
    one.ask(request(chat()))
    (refused,) = one.records()

    assert isinstance(refused, Request)
    assert (refused.status, refused.code) == (429, 801)
    (limit,) = refused.limits
    assert limit.wait_ns > 3500 * 10**9 and one.names[limit.rule] == "pace"
    assert one.names[refused.rule] == "steady"
    assert one.names[refused.dims.account].startswith('{"id":"alice"')


def test_a_request_without_a_key_is_recorded_for_nobody(worker):
    one = worker()
    one.ask(request(chat(), key="stranger"))
    (refused,) = [r for r in one.records() if isinstance(r, Request | Refused)]

    assert (refused.status, refused.code, refused.dims.account) == (401, 302, 0)
    assert "stranger" not in " ".join(one.names.values())


def test_attempts_are_numbered_and_only_the_last_is_final(worker):
    one = worker(providers=[provider("openai", retries={"max": 1})])
    one.loop.fault = [ConnectionRefusedError(), ConnectionResetError()]
    one.ask(request(chat()))
    records = one.records()

    assert [type(record) for record in records] == [Request, Open, Close, Open, Close]
    assert [record.attempt for record in records[1:]] == [1, 1, 2, 2]
    first, last = records[2], records[4]
    assert (first.fate, first.code, first.final) == (FATE_RETRIED_AWAY, 901, 0)
    assert (last.fate, last.code, last.status, last.final) == (
        FATE_FAILED_BEFORE_FIRST_BYTE, 901, 502, 1)


def test_a_shadow_that_would_have_refused_holds_nothing(worker):
    """The ledger's caps are made of what attempts say that they hold: it counted these as well."""
    def cap(name, **more):
        return {"type": "usage-cap", "config": {
            "name": name, "unit": "requests", "limit": 1, "window": "total", **more}}

    one = worker(policy=policy({"actions": [
        cap("shadow", enforce=False), cap("wide", limit=9)]}))
    held = []
    for _ in range(2):
        one.ask(request(chat()), response())
        held.append(len(next(r for r in one.records() if isinstance(r, Open)).held))
    assert held == [2, 1]
