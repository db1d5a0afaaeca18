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
DEFECTS = """
from fastgw.listener.refusal import Refusals
render, worse = Refusals.render, [False]

def broken(self, view):
    if view["code"] == 991 and not worse[0]:
        return render(self, view)
    worse[0] = view["model"] == b"worse"
    raise ZeroDivisionError("a defect")

def event(self, *arguments):
    raise ZeroDivisionError("a defect")

Refusals.render, Refusals.stream_error = broken, event
"""
POLICY = {"on_http_request": [
    {"name": "limits", "actions": [{"type": "rate-limit", "config": {
        "name": "tokens", "unit": "tokens", "capacity": 10**6, "per": "24h"}}]},
    {"name": "no", "expressions": ["ai.model == 'denied' || ai.model == 'worse'"],
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
    instance = in_front_of(Upstream(play).port, before=DEFECTS, policy=POLICY,
                           timeouts={"first_byte": "300ms"})
    yield instance
    instance.remove()


@pytest.mark.parametrize("model,status", [
    ("denied", 500), ("nonsense", 500), ("silent", 500), ("cut", 200), ("worse", 0),
    ("denied", 500),
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
    assert text.count("exchange failed") >= 5 and "ZeroDivisionError" in text
    assert "a defect" not in text  # what an exception says may hold anything
