"""Time-outs, retries and fallbacks: who is asked next, what the client sees, what the books say.

Method: raw upstreams that refuse, stall or answer with errors; a listening socket with a full
queue stands for a provider that cannot be reached. Each attempt must have one CLOSE with the right
fate, and after the first byte to the client nothing is asked twice.
"""

import contextlib
import socket
import time

import pytest

from tests.journey.harness import KEY, Gateway, chat, configuration, post
from tests.journey.peers import (
    Upstream,
    answer,
    ask,
    attempts_of,
    event_stream,
    hear,
    leave_rudely,
    records,
    settled,
)
from tools.ports import free_port

CHUNK = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
TIMEOUTS = {"connect": "300ms", "first_byte": "500ms", "idle": "500ms", "total": "1500ms"}


@contextlib.contextmanager
def unreachable():
    """A port where connects hang: nobody accepts, and the queue is full."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(server.getsockname())
        waiting.append(sock)
    time.sleep(0.05)
    try:
        yield server.getsockname()[1]
    finally:
        for sock in (*waiting, server):
            sock.close()


class House:
    """Providers a, b, c on raw upstreams, `dead`: nobody listens, `hung`: nobody accepts."""

    def __init__(self, hung):
        self.plays = {}
        self.upstreams = {name: Upstream(self._script(name)) for name in "abc"}
        ports = {name: upstream.port for name, upstream in self.upstreams.items()}
        ports |= {"dead": free_port(), "hung": hung}
        base = configuration(1)
        base["providers"] = [
            {"id": name, "dialect": "openai", "base_url": f"http://127.0.0.1:{port}/v1",
             "keys": [{"id": f"k{name}", "value": f"sk-{name}"}], "timeouts": TIMEOUTS}
            for name, port in ports.items()
        ]

        def model(name, candidates, fallback=()):
            return {
                "id": name,
                "candidates": [{"provider": p, "model": f"{name}-at-{p}", "weight": w}
                               for p, w in candidates],
                "fallback": [{"provider": p, "model": f"{name}-at-{p}"} for p in fallback],
            }

        base["models"] = [
            model("weighted", [("a", 9), ("b", 1)]), model("dead-first", [("dead", 1)], "b"),
            model("hung-first", [("hung", 1)], "b"), model("hung-only", [("hung", 1)]),
            model("dead-only", [("dead", 1)]), model("fallen", [("a", 1)], "bc"),
            model("only-a", [("a", 1)]), model("three", [("a", 1), ("b", 1), ("c", 1)]),
        ]
        base["keys"].append({"id": "bounded", "value": "fgw-bounded",
                             "access": {"providers": ["b"]}})
        self.gateway = Gateway(base)

    def _script(self, name):
        def script(call):
            return self.plays[name](call)
        return script

    def play(self, **plays):
        self.plays = plays
        for upstream in self.upstreams.values():
            upstream.calls.clear()

    def calls(self):
        return {name: len(upstream.calls) for name, upstream in self.upstreams.items()}


@pytest.fixture(scope="module")
def house():
    with unreachable() as port:
        instance = House(port)
        yield instance
        instance.gateway.remove()


def good(call):
    call.sock.sendall(answer(b'{"by":"' + call.field("authorization").encode() + b'"}'))
    return True


def says(status, **fields):
    extra = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return lambda call: call.sock.sendall(answer(b'{"error":{}}', *extra, status=f"{status} No"))


def stall(seconds):
    def script(call):
        time.sleep(seconds)
    return script


def fates(attempts):
    return [one["fate"] for one in attempts]


def test_asks_the_next_candidate_when_the_first_refuses_the_connection(house):
    house.play(b=good)
    for number in range(25):  # more than a burst of the retry budget
        heard = ask(house.gateway, model="dead-first")
        assert heard.status == 200, (number, heard)
        assert heard.fields["x-fastgw-attempts"] == "2"
        assert heard.fields["x-fastgw-provider"] == "b"
        assert heard.fields["x-fastgw-model"] == "dead-first-at-b"
    attempts = attempts_of(house.gateway, house.upstreams["b"].calls[0])
    assert fates(attempts) == ["retried away", "delivered"]
    assert [one["provider"] for one in attempts] == ["dead", "b"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_asks_the_next_candidate_when_the_first_answers_with_an_error(house, status):
    house.play(a=says(status), b=good)
    heard = ask(house.gateway, model="fallen")
    assert heard.status == 200 and heard.fields["x-fastgw-attempts"] == "2"
    call = house.upstreams["b"].calls[0]
    assert b'"model":"fallen-at-b"' in call.body and call.field("authorization") == "Bearer sk-b"
    attempts = attempts_of(house.gateway, call)
    assert fates(attempts) == ["retried away", "delivered"]
    assert [one["status"] for one in attempts] == [status, 200]


def test_passes_an_error_on_when_nobody_is_left_or_it_is_not_worth_asking(house):
    house.play(a=says(503, retry_after=7), b=says(503), c=says(503, retry_after=9))
    heard = ask(house.gateway, model="fallen")
    assert (heard.status, heard.fields["retry-after"]) == (503, "9")
    assert heard.fields["x-fastgw-attempts"] == "3"
    house.play(a=says(400), b=good)
    assert ask(house.gateway, model="fallen").status == 400
    assert house.calls()["b"] == 0


def test_never_asks_the_same_candidate_while_another_is_left(house):
    """By weight alone the failed one would be next again."""
    house.play(a=says(503), b=good)
    for _ in range(10):
        assert ask(house.gateway, model="weighted").status == 200
    house.play(a=says(503), b=says(503), c=good)
    for _ in range(6):
        assert ask(house.gateway, model="three").status == 200


def test_keeps_to_a_key_s_providers_in_every_attempt(house):
    house.play(a=good, b=says(503), c=good)
    for model in ("weighted", "three", "fallen"):
        for _ in range(4):
            with house.gateway.connect() as sock:
                sock.sendall(post("/v1/chat/completions", chat(model), key="fgw-bounded"))
                assert hear(sock).status == 503
    calls = house.calls()
    assert calls["a"] == calls["c"] == 0 and calls["b"] == 12


def test_answers_502_or_504_when_a_provider_cannot_be_reached(house):
    heard = ask(house.gateway, model="dead-only")
    assert (heard.status, heard.fields["x-fastgw-code"]) == (502, "FGW-901")
    began = time.monotonic()
    heard = ask(house.gateway, model="hung-only")
    assert (heard.status, heard.fields["x-fastgw-code"]) == (504, "FGW-904")
    assert 0.25 < time.monotonic() - began < 10
    assert b'"error"' in heard.body
    house.play(b=good)
    assert ask(house.gateway, model="hung-first").status == 200


def test_answers_504_when_the_first_byte_does_not_come(house):
    house.play(a=stall(3))
    began = time.monotonic()
    heard = ask(house.gateway, model="only-a")
    assert (heard.status, heard.fields["x-fastgw-code"]) == (504, "FGW-905")
    assert 0.45 < time.monotonic() - began < 10
    attempts = attempts_of(house.gateway, house.upstreams["a"].calls[0])
    assert fates(attempts) == ["failed before first byte"]
    assert len(house.upstreams["a"].calls) == 1


def test_ends_a_stream_with_an_error_event_and_a_cut_when_it_falls_silent(house):
    def fall_silent(call):
        call.sock.sendall(event_stream(CHUNK, CHUNK, end=False))
        time.sleep(3)

    house.play(a=fall_silent, b=good, c=good)
    began = time.monotonic()
    heard = ask(house.gateway, model="fallen", stream=True, stream_options={"include_usage": True})
    assert 0.45 < time.monotonic() - began < 10
    assert heard.status == 200 and not heard.whole
    assert heard.body.startswith(CHUNK + CHUNK) and b"FGW-906" in heard.body
    assert house.calls() == {"a": 1, "b": 0, "c": 0}
    attempts = attempts_of(house.gateway, house.upstreams["a"].calls[0])
    assert fates(attempts) == ["failed in stream"]


def test_ends_a_stream_when_its_whole_time_is_over(house):
    def drip(call):
        call.sock.sendall(event_stream(end=False))
        for _ in range(30):
            time.sleep(0.1)
            call.sock.sendall(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))

    house.play(a=drip)
    began = time.monotonic()
    heard = ask(house.gateway, model="only-a", stream=True)
    assert 1.4 < time.monotonic() - began < 10
    assert not heard.whole and b"FGW-907" in heard.body and heard.body.count(CHUNK) >= 3


@pytest.mark.parametrize("rude", [False, True])
def test_retries_nothing_after_the_first_byte(house, rude):
    def cut(call):
        call.sock.sendall(event_stream(CHUNK, end=False))
        time.sleep(0.05)
        if rude:
            leave_rudely(call.sock)

    house.play(a=cut, b=good, c=good)
    heard = ask(house.gateway, model="fallen", stream=True)
    assert heard.status == 200 and not heard.whole and b"FGW-909" in heard.body
    assert house.calls() == {"a": 1, "b": 0, "c": 0}


def test_asks_another_when_the_first_dies_without_an_answer(house):
    house.play(a=lambda call: leave_rudely(call.sock), b=good, c=good)
    heard = ask(house.gateway, model="fallen")
    assert heard.status == 200 and heard.fields["x-fastgw-provider"] == "b"
    house.play(a=lambda call: call.sock.sendall(b"HTTP/1.1 2"), b=good, c=good)
    assert ask(house.gateway, model="fallen").status == 200


def test_survives_connects_that_failed_and_closes_every_attempt_once(house):
    """A refused connect leaves no timer behind: the wheel turns past its deadline here."""
    for _ in range(50):
        ask(house.gateway, model="dead-only")
    time.sleep(0.6)
    house.play(a=good)
    assert ask(house.gateway, model="only-a").status == 200
    settled(house.gateway)
    time.sleep(0.2)
    closed, opened = records(house.gateway)
    assert set(closed) == opened and len(opened) > 150
    log = house.gateway.log()
    assert log.count('"ready"') == 1 and "exchange failed" not in log and KEY not in log
