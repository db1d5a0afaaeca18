"""Law 11: a defect of ours fails one exchange, and nothing else.

Method: Python functions off the hot path are made to raise, in the gateway's own processes; the
exchange must end visibly, be settled and recorded once, and the worker go on.
"""

import time

import pytest

from tests.journey.harness import chat, post
from tests.journey.peers import (
    Upstream,
    answer,
    ask,
    event_stream,
    gauge,
    hear,
    in_front_of,
    records,
    settled,
)

EVENT = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
# No code has an entry but those in KNOWN: whatever is refused raises while it is rendered.
DEFECTS = """
from fastgw.explain import catalogue, refusal
from fastgw.listener.refusal import Refusals

def event(self, *arguments):
    raise ZeroDivisionError("a defect")

Refusals.stream_error = event
refusal.entries = lambda: {code: one for code, one in catalogue.entries().items() if code in KNOWN}
"""
POLICY = {"on_http_request": [
    {"name": "limits", "actions": [{"type": "rate-limit", "config": {
        "name": "tokens", "unit": "tokens", "capacity": 10**6, "per": "24h"}}]},
    {"name": "no", "expressions": ["ai.model == 'denied'"],
     "actions": [{"type": "deny"}]}]}


def play(call):
    if b'"cut"' in call.body:
        call.sock.sendall(event_stream(EVENT, end=False))
        return False
    if b'"nonsense"' in call.body:
        call.sock.sendall(b"nonsense\r\n\r\n")
        return False
    if b'"silent"' in call.body:
        time.sleep(1)
        return False
    call.sock.sendall(answer(b"{}"))
    return True


@pytest.fixture(scope="module")
def gateway():
    yield from started("KNOWN = {991}")


@pytest.fixture(scope="module")
def worse():
    """Not even the defect can be told."""
    yield from started("KNOWN = set()")


def started(known):
    instance = in_front_of(Upstream(play).port, before=known + DEFECTS, policy=POLICY,
                           timeouts={"first_byte": "300ms"})
    yield instance
    instance.remove()


def test_ends_what_cannot_even_be_refused_and_goes_on(worse):
    workers = worse.pids("worker")
    assert ask(worse, model="denied").status == 0
    assert ask(worse, model="any").status == 200
    assert worse.pids("worker") == workers
    settled(worse)
    assert gauge(worse, "holds_live") == 0


@pytest.mark.parametrize("model,status", [
    ("denied", 500), ("nonsense", 500), ("silent", 500), ("cut", 200), ("denied", 500),
])
def test_fails_one_exchange_and_goes_on(gateway, model, status):
    workers = gateway.pids("worker")
    with gateway.connect() as other:
        other.sendall(post("/v1/chat/completions", chat())[:-5])
        heard = ask(gateway, model=model, stream=model == "cut", max_tokens=100)
        assert heard.status == status
        assert heard.whole == (status == 500)
        if status == 500:
            assert heard.fields["x-fastgw-code"] == "FGW-991"
        other.sendall(post("/v1/chat/completions", chat())[-5:])
        assert hear(other).status == 200
    assert gateway.pids("worker") == workers


def test_settles_and_records_what_failed(gateway):
    settled(gateway)
    assert gauge(gateway, "holds_live") == 0
    closed, opened = records(gateway)
    assert set(closed) == opened
    text = gateway.log()
    assert text.count("exchange failed") >= 5
    assert "ZeroDivisionError" in text and "ValueError" in text
    assert "a defect" not in text  # what an exception says may hold anything
