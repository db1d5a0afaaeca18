"""Slow readers: they stop their upstream and nobody else, and no memory grows.

Method: an upstream that sends as fast as its socket takes, clients with small receive buffers that
do not read; RssAnon of the worker, and how much the upstream could send before it was stopped.
"""

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.journey.harness import chat, post, wait_until
from tests.journey.peers import (
    Upstream,
    answer,
    ask,
    attempts_of,
    gauge,
    hear,
    in_front_of,
    settled,
)

EVENT = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"' + b"x" * 900 + b'"}}]}\n\n'
BLOCK = EVENT * 60
EVENTS_MIB = 40
DEADLINES = "from fastgw.listener.downstream import set_deadlines; set_deadlines({})"


class Faucet:
    """Streams ``mib`` MiB to every call; ``sent`` has the bytes that each could send so far."""

    def __init__(self, mib=EVENTS_MIB):
        self.blocks = mib * (1 << 20) // len(BLOCK)
        self.sent = {}
        self.json = False
        self.upstream = Upstream(self.play)

    def play(self, call):
        call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        self.sent[call.number] = 0
        blocks = 20 if b'"short"' in call.body else self.blocks
        if self.json:
            call.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
                              % (len(BLOCK) * blocks))
        else:
            call.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                              b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(blocks):
            block = BLOCK if self.json else b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK)
            call.sock.sendall(block)
            self.sent[call.number] += len(BLOCK)
        if not self.json:
            call.sock.sendall(b"0\r\n\r\n")
        return True


@pytest.fixture(scope="module")
def faucet():
    return Faucet()


@pytest.fixture(scope="module")
def gateway(faucet):
    instance = in_front_of(faucet.upstream.port)
    yield instance
    instance.remove()


@pytest.fixture(scope="module")
def impatient(faucet):
    instance = in_front_of(faucet.upstream.port, before=DEADLINES.format("stall_s=1.5"))
    yield instance
    instance.remove()


def rss_kib(gateway):
    [pid] = gateway.pids("worker")
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def slow_client(gateway, **more):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", gateway.port))
    sock.sendall(post("/v1/chat/completions", chat(stream=True, **more)))
    return sock


def stands_still(faucet, number, seconds=0.25):
    """Bytes sent, once the upstream has been blocked for a while."""
    def still():
        before = faucet.sent.get(number, 0)
        time.sleep(seconds)
        return before if before and before == faucet.sent[number] else None

    return wait_until(still)


@pytest.mark.parametrize("kind", ["json", "hidden", "plain"])
def test_stops_the_upstream_of_a_client_that_does_not_read(faucet, gateway, kind):
    faucet.json = kind == "json"
    more = {"stream_options": {"include_usage": True}} if kind == "plain" else {}
    assert ask(gateway, stream=True, user="short", **more).whole
    before = rss_kib(gateway)
    number = len(faucet.upstream.calls)
    with slow_client(gateway, **more) as sock:
        sent = stands_still(faucet, number)
        assert sent < len(BLOCK) * (faucet.blocks - 1)  # kernels buffer some MiB on a loopback
        assert rss_kib(gateway) - before <= 2048
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        heard = hear(sock)
    assert heard.whole and heard.body == BLOCK * faucet.blocks
    assert rss_kib(gateway) - before <= 2048


def test_serves_others_and_stays_small_beside_200_slow_readers(faucet, gateway):
    before = rss_kib(gateway)
    count = 200
    first = len(faucet.upstream.calls)
    socks = [slow_client(gateway) for _ in range(count)]
    try:
        wait_until(lambda: len(faucet.sent) >= first + count, 20)
        wait_until(lambda: gauge(gateway, "requests_running_now") == count)
        time.sleep(0.3)
        # One read each (64 KiB) may wait for its client, and a little for each exchange.
        assert rss_kib(gateway) - before <= count * 90
    finally:
        for sock in socks:
            sock.close()
    settled(gateway)
    assert ask(gateway, stream=True, user="short").whole


def test_drops_a_client_that_takes_nothing_until_the_deadline(faucet, impatient):
    gateway = impatient
    number = len(faucet.upstream.calls)
    gone = faucet.upstream.gone
    with slow_client(gateway) as sock:
        began = time.monotonic()
        wait_until(lambda: faucet.upstream.gone > gone, 12)
        assert 1.2 < time.monotonic() - began < 10
        attempts = attempts_of(gateway, faucet.upstream.calls[number])
        assert attempts[-1]["fate"] == "cut by client"
        wait_until(lambda: gauge(gateway, "connections_open_now") == 0)
        assert not hear(sock).whole


def test_keeps_a_client_that_reads_slowly_but_reads(faucet, impatient):
    """The deadline is between two reads, not for a queue to become empty."""
    with slow_client(impatient) as sock:
        end = time.monotonic() + 3.8
        got = 0
        while time.monotonic() < end:
            read = sock.recv(3000)
            assert read, got
            got += len(read)
            time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        heard = hear_rest(sock)
        assert heard.endswith(b"0\r\n\r\n")


def hear_rest(sock):
    tail = b""
    while got := sock.recv(1 << 18):
        tail = (tail + got)[-100:]
        if tail.endswith(b"0\r\n\r\n"):
            break
    return tail


def test_holds_the_client_s_body_back_when_the_provider_does_not_read():
    """20 MiB wait for a provider; the next client is served meanwhile."""
    release = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def slow_reader():
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    def serve(sock):
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1024)
        head, _, rest = head.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if length > 1 << 20:
            release.wait(10)
        read = len(rest)
        while read < length:
            read += len(sock.recv(1 << 20))
        sock.sendall(answer(b'{"read":%d}' % read, "connection: close"))
        sock.close()

    threading.Thread(target=slow_reader, daemon=True).start()
    gateway = in_front_of(server.getsockname()[1])
    try:
        body = chat(pad="y" * (20 << 20))
        with gateway.connect() as sock:
            sock.sendall(post("/v1/chat/completions", body))
            assert ask(gateway).status == 200
            release.set()
            heard = hear(sock)
            assert heard.status == 200 and heard.body == b'{"read":%d}' % len(body)
    finally:
        gateway.remove()
        server.close()
