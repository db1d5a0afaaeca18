"""Goal: prompts of megabytes whose attempts end without usage keep no other stream waiting.

Method: one worker; a stream of an event every 20 ms, beside clients that send prompts of 8 and
30 MiB of letters by chance, the dearest text to count. Their provider breaks off, so that the
prompt is counted; in the run beside it, it tells its usage, and nothing is. For each end of a
30 MiB prompt the longest gap of the stream around it is taken, and of these the least: what the
machine does at times is in some of them, what the gateway does in all. Counting all of such a
prompt takes 0.8 s at least, and is in each.
"""

import random
import socket
import string
import threading
import time

import orjson
import pytest

from tests.journey.harness import Gateway, configuration, post

PACE_S, BEHIND = 0.02, 5
LONG, SHORT, ENDS = 30 << 20, 8 << 20, 5
LATE_S = 0.4  # a hundredth of a second is usual
LETTERS = "".join(random.Random(3).choices(string.ascii_lowercase, k=1 << 20))
POLICY = {"on_http_request": [{"actions": [{"type": "usage-cap", "config": {
    "name": "cap", "unit": "output_tokens", "window": "day", "limit": 10**9}}]}]}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(document: object) -> bytes:
    event = b"data: " + (document if isinstance(document, bytes) else orjson.dumps(document))
    return b"%x\r\n%s\n\n\r\n" % (len(event) + 2, event)


DELTA = chunk({"model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": "w"}}]})
TOLD = chunk({"model": "gpt-4o", "choices": [], "usage": {
    "prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}}) + chunk(b"[DONE]")


class Provider:
    """Streams without end to who asks briefly; answers long prompts by one event and breaks off,
    or tells its usage where `tells`. Bodies are read and dropped."""

    def __init__(self) -> None:
        self.tells = False
        self.ended: list[float] = []  # when each long prompt was given up
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock:
            try:
                length = drop_request(sock)
                sock.sendall(HEAD + DELTA)
                while length < SHORT:
                    sock.sendall(DELTA)
                    time.sleep(PACE_S)
                time.sleep(5 * PACE_S)  # so that the prompt's own way is over
                if length >= LONG:
                    self.ended.append(time.monotonic())
                if self.tells:
                    sock.sendall(TOLD + b"0\r\n\r\n")
            except OSError:
                return


def drop_request(sock: socket.socket) -> int:
    """The length of the body, when it is there."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(65536)
    head, _, rest = head.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    left, room = length - len(rest), bytearray(1 << 20)
    while left:
        left -= sock.recv_into(room, min(left, len(room)))
    return length


def ask(gateway: Gateway, size: int) -> bytes:
    """A streamed request with a prompt of that size, to its answer's end."""
    content = LETTERS * (size >> 20) + "hello"
    body = orjson.dumps({"model": "gpt-4o", "stream": True, "max_tokens": 1000,
                         "messages": [{"role": "user", "content": content}]})
    answer = b""
    with gateway.connect(60) as sock:
        sock.sendall(post("/v1/chat/completions", body, "connection: close"))
        while got := sock.recv(65536):
            answer += got
    return answer


class Listener(threading.Thread):
    """Hears the paced stream; `heard`: when each of its events came."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(daemon=True)
        self.heard: list[float] = []
        self.sock = gateway.connect(60)
        body = orjson.dumps({"model": "gpt-4o", "stream": True, "max_tokens": 100_000,
                             "messages": [{"role": "user", "content": "hello"}]})
        self.sock.sendall(post("/v1/chat/completions", body))
        self.start()

    def run(self) -> None:
        try:
            while self.sock.recv(65536):
                self.heard.append(time.monotonic())
        except OSError:
            return

    def gap_since(self, since: float) -> float:
        """The longest gap from the last event before that time on, to BEHIND events from now."""
        enough = len(self.heard) + BEHIND
        deadline = time.monotonic() + 60
        while len(self.heard) < enough:
            assert time.monotonic() < deadline and self.is_alive(), "the stream has stopped"
            time.sleep(0.005)
        times = [since, *(moment for moment in self.heard if moment > since)]
        return max(later - earlier for earlier, later in zip(times, times[1:], strict=False))


def least_gap(gateway: Gateway, provider: Provider, stream: Listener, tells: bool) -> float:
    provider.tells, gaps, done = tells, [], threading.Event()

    def others() -> None:
        while not done.is_set():
            ask(gateway, SHORT)

    beside = threading.Thread(target=others, daemon=True)
    beside.start()
    try:
        for _ in range(ENDS):
            answer = ask(gateway, LONG)
            assert answer.startswith(b"HTTP/1.1 200") and (b"[DONE]" in answer) == tells
            gaps.append(stream.gap_since(provider.ended[-1]))
    finally:
        done.set()
        beside.join(60)
    print(f"tells={tells}: " + " ".join(f"{gap * 1e3:.0f}" for gap in gaps) + " ms")
    return min(gaps)


@pytest.fixture
def provider():
    one = Provider()
    yield one
    one.server.close()


@pytest.fixture
def gateway(provider):
    one = Gateway(configuration(provider.port, policy=POLICY))
    yield one
    one.remove()


def test_prompts_that_are_counted_keep_no_stream_waiting(gateway, provider):
    stream = Listener(gateway)

    told = least_gap(gateway, provider, stream, tells=True)
    counted = least_gap(gateway, provider, stream, tells=False)

    assert counted < told + LATE_S
    stream.sock.close()
