"""Garbage from both sides: valid messages with a few bytes changed, cut, doubled or moved.

Method: seeded mutations (the seed is printed), as many as fit a few seconds. No worker dies, no
exception is logged, nothing stays open or held, and the next honest client is served.
"""

import random
import socket

import pytest

from tests.journey.harness import KEY, chat, post
from tests.journey.peers import Upstream, answer, ask, chunked, event_stream, in_front_of, settled

SEED = 20261121
ROUNDS = 400
EVENT = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
AUTH = f"authorization: Bearer {KEY}\r\n".encode()

REQUESTS = [
    post("/v1/chat/completions", chat(stream=True, max_tokens=5, n=2, user="u")),
    post("/v1/messages", chat("claude", max_tokens=5), "anthropic-version: 2023-06-01"),
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n" + AUTH + b"transfer-encoding: chunked\r\n"
    b"\r\n" + chunked(chat()[:20], chat()[20:]),
    b"GET http://g/v1/models?a=b&key=c HTTP/1.0\r\nhost: g\r\n" + AUTH
    + b"expect: 100-continue\r\nconnection: keep-alive, x\r\nx: y\r\n\r\n",
]
ANSWERS = [
    answer(b'{"id":"a","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}'),
    event_stream(EVENT, EVENT + b": c\r\n\r\n", b"data: [DONE]\n\n"),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(
        bytes.fromhex("1f8b08000000000002ff4b4c4a0600c241243503000000")),
    b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n" + EVENT,
    b"HTTP/1.1 503 No\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}",
]


def mutate(draw, text):
    text = bytearray(text)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at = draw.randrange(len(text) + 1)
        to = min(len(text), at + draw.choice((1, 1, 2, 8, 60)))
        what = draw.randrange(6)
        if what == 0:
            text[at:to] = bytes(draw.randrange(256) for _ in range(to - at))
        elif what == 1:
            del text[at:to]
        elif what == 2:
            text[at:at] = text[at:to]
        elif what == 3:
            text[at:at] = draw.choice((b"\r\n", b"\n", b"\0", b"\r", b"\r\n\r\n", b"0", b"f" * 20,
                                       b" ", b"\xff", b"9" * 30, b"\t", b'"', b"{", b"]" * 300))
        elif what == 4:
            del text[at:]
        elif at < len(text):
            text[at] ^= 1 << draw.randrange(8)
        if not text:
            break
    return bytes(text)


class Stage:
    def __init__(self):
        self.draw, self.honest = random.Random(SEED), True
        self.upstream = Upstream(self.play)

    def play(self, call):
        if self.honest:
            call.sock.sendall(answer(b"{}"))
            return True
        text = mutate(self.draw, self.draw.choice(ANSWERS))
        at = self.draw.randrange(len(text) + 1)
        call.sock.sendall(text[:at])
        call.sock.sendall(text[at:])
        return self.draw.random() < 0.5


@pytest.fixture(scope="module")
def stage():
    return Stage()


@pytest.fixture(scope="module")
def gateway(stage):
    instance = in_front_of(
        stage.upstream.port, timeouts={"first_byte": "300ms", "idle": "300ms", "total": "600ms"},
        before="from fastgw.listener.downstream import set_deadlines;"
               "set_deadlines(head_s=0.3, body_s=0.3, idle_s=0.3, stall_s=1)")
    yield instance
    instance.remove()


def feed(gateway, texts):
    """Each on a connection of its own, all of them open together, until the gateway ends them."""
    socks = []
    for text in texts:
        sock = gateway.connect(timeout=5)
        try:
            sock.sendall(text)
        except OSError:
            pass
        socks.append(sock)
    for sock in socks:
        try:
            while sock.recv(1 << 18):
                pass
        except ConnectionResetError:
            pass
        sock.close()


@pytest.mark.parametrize("side", ["clients", "providers"])
def test_outlives_garbage(stage, gateway, side):
    print(f"seed {SEED}")
    draw = random.Random(SEED)
    workers = gateway.pids("worker")
    stage.honest = side == "clients"
    for _ in range(ROUNDS // 80):
        texts = [draw.choice(REQUESTS) for _ in range(80)]
        if side == "clients":
            texts = [mutate(draw, text) for text in texts]
        feed(gateway, texts)
    stage.honest = True
    assert ask(gateway).status == 200
    settled(gateway)
    assert gateway.pids("worker") == workers
    assert "exception" not in gateway.log() and "exchange failed" not in gateway.log()


def test_ends_what_only_connects(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as sock:
        assert sock.recv(10) == b""
