"""Clients that leave, at each phase: cancelled at the provider, settled, booked once, never mixed.

Method: raw clients close (FIN or RST) at chosen instants; a raw upstream or the mock tells what it
saw of it. A token bucket that refills once in 24 h shows what is still held.
"""

import random
import socket
import time

import pytest

from tests.journey.harness import KEY, Gateway, chat, configuration, post, read_answer, wait_until
from tests.journey.peers import (
    Upstream,
    answer,
    ask,
    attempts_of,
    event_stream,
    gauge,
    hear,
    in_front_of,
    leave_rudely,
    records,
    settled,
)
from tests.journey.test_failover import unreachable

CHUNK = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
CAPACITY = 10**6
POLICY = {"on_http_request": [{"name": "limits", "actions": [{"type": "rate-limit", "config": {
    "name": "tokens", "unit": "tokens", "capacity": CAPACITY, "per": "24h"}}]}]}


class Stage:
    def __init__(self):
        self.script = lambda call: call.sock.sendall(answer(b"{}")) or True
        self.upstream = Upstream(lambda call: self.script(call))

    def watch(self, raw):
        """Send ``raw`` and wait for the other side to end the connection."""
        def script(call):
            call.sock.sendall(raw)
            call.sock.settimeout(5)
            try:
                while call.sock.recv(100):
                    pass
            except OSError:
                pass
            self.seen_leaving.append(time.monotonic())
        self.seen_leaving = []
        self.upstream.calls.clear()
        self.script = script


@pytest.fixture(scope="module")
def stage():
    return Stage()


@pytest.fixture(scope="module")
def gateway(stage):
    instance = in_front_of(stage.upstream.port, policy=POLICY, timeouts={"first_byte": "20s"})
    yield instance
    instance.remove()


def leave(sock, how):
    if how == "rst":
        leave_rudely(sock)
    elif how == "fin":
        sock.shutdown(socket.SHUT_WR)
    else:
        sock.close()




@pytest.mark.parametrize("how", ["close", "rst", "fin"])
@pytest.mark.parametrize("part", ["line", "head", "body", "chunk"])
def test_forgets_a_client_that_leaves_inside_its_request(stage, gateway, part, how):
    body = chat()
    whole = post("/v1/chat/completions", body)
    if part == "chunk":
        length = f"content-length: {len(body)}".encode()
        whole = whole.replace(length, b"transfer-encoding: chunked")
        text = whole[: -len(body)] + b"ff\r\n" + body
    else:
        text = whole[: {"line": 9, "head": 60, "body": len(whole) - 5}[part]]
    before = len(stage.upstream.calls)
    for _ in range(5):
        sock = gateway.connect()
        sock.sendall(text)
        time.sleep(0.01)
        leave(sock, how)
    settled(gateway)
    wait_until(lambda: gauge(gateway, "connections_open_now") == 0)
    assert len(stage.upstream.calls) == before


@pytest.mark.parametrize("how", ["close", "rst", "fin"])
@pytest.mark.parametrize("phase", ["first byte", "stream", "json"])
def test_cancels_at_the_provider_when_the_client_leaves(stage, gateway, phase, how):
    raw = {"first byte": b"", "stream": event_stream(*[CHUNK] * 5, end=False),
           "json": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"}[phase]
    stage.watch(raw)
    sock = gateway.connect()
    sock.sendall(post("/v1/chat/completions", chat(stream=phase == "stream", max_tokens=500)))
    wait_until(lambda: stage.upstream.calls)
    if raw:
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        time.sleep(0.02)
    left = time.monotonic()
    leave(sock, how)
    wait_until(lambda: stage.seen_leaving)
    assert stage.seen_leaving[0] - left < 0.5
    [attempt] = attempts_of(gateway, stage.upstream.calls[0])
    assert attempt["fate"] == "cut by client"
    low, high = attempt["usage"]["interval"]["output_tokens"]
    assert (low, high) == (5 if phase == "stream" else 0, 500)
    settled(gateway)


def test_is_settled_when_the_client_leaves_while_the_gateway_connects():
    with unreachable() as port:
        gateway = in_front_of(port, policy=POLICY, timeouts={"connect": "20s"})
        try:
            for how in ("close", "rst", "fin"):
                sock = gateway.connect()
                sock.sendall(post("/v1/chat/completions", chat(max_tokens=900)))
                wait_until(lambda: gauge(gateway, "attempts_open") == 1)
                leave(sock, how)
                settled(gateway)
            wait_until(lambda: len(records(gateway)[0]) == 3)
            closed, opened = records(gateway)
            assert set(closed) == opened
            assert [close.output_high for close in closed.values()] == [0, 0, 0]
        finally:
            gateway.remove()


@pytest.mark.parametrize("last", [b"", b"0\r\n\r\n"])
def test_counts_as_delivered_when_the_client_leaves_behind_the_last_event(stage, gateway, last):
    """The SDKs close as soon as they have read [DONE]."""
    usage = (b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,'
             b'"total_tokens":5}}\n\n')
    stage.watch(event_stream(CHUNK, CHUNK, usage + b"data: [DONE]\n\n", end=False) + last)
    sock = gateway.connect()
    sock.sendall(post("/v1/chat/completions", chat(stream=True)))
    raw = b""
    while b"[DONE]" not in raw:
        raw += sock.recv(4096)
    sock.close()
    [attempt] = attempts_of(gateway, stage.upstream.calls[0])
    assert attempt["fate"] == "delivered" and attempt["usage"]["provenance"] == "provider"
    assert attempt["usage"]["output_tokens"] == 2


def test_gives_back_what_was_held_for_clients_that_left(mock):
    mock.reset()
    gateway = Gateway(configuration(mock.port, policy=POLICY))
    try:
        for number in range(60):
            sock = gateway.connect()
            sock.sendall(post("/v1/chat/completions", chat(stream=True, max_tokens=9000),
                              "x-mock: events=500,pace=2ms,delay=5ms"))
            time.sleep(0.001 * (number % 10))
            leave(sock, ("close", "rst")[number % 2])
        settled(gateway)
        with gateway.connect() as sock:
            sock.sendall(post("/v1/chat/completions", chat(max_tokens=1), "x-mock: events=1"))
            left = int(read_answer(sock)[1]["ratelimit"].split(";r=")[1].split(";")[0])
        closed = wait_until(lambda: len(records(gateway)[0]) == 61 and records(gateway)[0])
        calls = [line for line in mock.lines() if line["billed"]]
        assert len(calls) > 20
        for line in calls:
            close = closed[(line["request_id"], int(line["attempt"]))]
            assert close.output_low <= line["output_tokens"] <= close.output_high
            assert close.input_low <= line["input_tokens"] <= close.input_high
        # 60 x 9,000 were held; at most some tens of events each were delivered.
        assert CAPACITY - left < 60 * 200
        assert gauge(gateway, "holds_live") == 0
    finally:
        gateway.remove()


def test_keeps_every_client_s_bytes_to_itself_over_1000_aborts_and_reuses(stage, gateway):
    """Each answer bears its own request's canary, in the head and in every event."""
    draw = random.Random(20261121)

    def script(call):
        canary = call.body.partition(b'"canary-')[2].partition(b'"')[0]
        shown = (b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"'
                 + canary + b'"}}]}\n\n')
        if b'"stream":true' in call.body:
            text = event_stream(*[shown] * draw.choice((1, 3, 40)))
        else:
            text = answer(shown)
        text = text.replace(b"\r\n", b"\r\nx-canary: " + canary + b"\r\n", 1)
        at = draw.randrange(len(text)) if draw.random() < 0.3 else len(text)
        call.sock.sendall(text[:at])
        if at < len(text):
            time.sleep(0.001)
            call.sock.sendall(text[at:])
        return True

    stage.script = script
    idle, whole = [], 0
    for number in range(1000):
        sock = idle.pop() if idle and draw.random() < 0.7 else gateway.connect()
        canary = f"{number:06x}{draw.randrange(16**6):06x}"
        sock.sendall(post("/v1/chat/completions", chat(
            stream=draw.random() < 0.7, user=f"canary-{canary}")))
        what = draw.random()
        if what < 0.25:
            leave(sock, "rst")
            continue
        if what < 0.5:
            sock.recv(draw.randrange(1, 500))
            leave(sock, draw.choice(("close", "rst")))
            continue
        heard = hear(sock)
        assert heard.whole and heard.fields.get("x-canary") == canary, (number, heard)
        seen = {part.partition(b'"')[0] for part in heard.body.split(b'"content":"')[1:]}
        assert seen == {canary.encode()}
        whole += 1
        idle.append(sock)
    for sock in idle:
        sock.close()
    assert whole > 300
    settled(gateway)
    closed, opened = records(gateway)
    assert wait_until(lambda: len(records(gateway)[0]) >= len(opened))
    assert "exchange failed" not in gateway.log() and KEY not in gateway.log()


def test_ends_at_once_on_term_when_clients_left_inside_their_bodies(stage):
    """None of them may count as a running exchange."""
    gateway = in_front_of(stage.upstream.port)
    try:
        for _ in range(10):
            with gateway.connect() as sock:
                sock.sendall(post("/v1/chat/completions", chat())[:-3])
                time.sleep(0.005)
        settled(gateway)
        began = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - began < 10
    finally:
        gateway.remove()


def test_answers_behind_a_fin_where_half_close_is_allowed(stage):
    stage.script = lambda call: time.sleep(0.1) or call.sock.sendall(answer(b"{}")) or True
    gateway = in_front_of(stage.upstream.port, listen={"half_close": "allow"})
    try:
        with gateway.connect() as sock:
            sock.sendall(post("/v1/chat/completions", chat()) * 3)
            sock.shutdown(socket.SHUT_WR)
            raw = b""
            while got := sock.recv(65536):
                raw += got
        assert raw.count(b"HTTP/1.1 200 OK") == 3
        assert ask(gateway).status == 200
        settled(gateway)
    finally:
        gateway.remove()
