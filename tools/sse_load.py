"""Many streams at once against a gateway or the mock on this machine, and how they flow.

    python tools/sse_load.py http://127.0.0.1:8080/v1/chat/completions --key K \
        --streams 200 --seconds 5 --x-mock events=100,pace=10ms

Prints one JSON object: events and how many a second, time to the first event, gaps between
reads that brought events, streams that were cut. Everything is bounded, and only loopback is
loaded. `load()` is the same for tests and `make bench`.
"""

import argparse
import asyncio
import ipaddress
import json
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop

STREAMS_MAX = 20_000
TOTAL_MAX = 1_000_000
SECONDS_MAX = 300.0
_GRACE_S = 10.0


class Spread:
    """Percentiles of durations, to 0.1 ms up to 10 s, without keeping each."""

    def __init__(self) -> None:
        self._counts = [0] * 100_001
        self._total = 0
        self.max_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[min(100_000, int(seconds * 10_000))] += 1
        self._total += 1
        self.max_s = max(self.max_s, seconds)

    def percentile_ms(self, share: float) -> float | None:
        """None where nothing was measured."""
        left = share * self._total
        for at, count in enumerate(self._counts):
            left -= count
            if count and left <= 0:
                return at / 10
        return None


@dataclass(slots=True)
class Target:
    """What each stream asks for. `stalled`: reads the head, then nothing more."""

    url: str
    key: str = "mock"
    model: str = "gpt-4o"
    x_mock: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    prompt: str = "hello there"
    stalled: bool = False

    def address(self) -> tuple[str, int]:
        """ValueError for anything that is not this machine."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"only loopback is loaded, not {host!r}")
        return host, parts.port or 80

    def request(self) -> bytes:
        parts = urlsplit(self.url)
        anthropic = parts.path.endswith("/messages")
        body: dict[str, object] = {
            "model": self.model, "stream": True,
            "messages": [{"role": "user", "content": self.prompt}]}
        headers = {"host": parts.netloc, "content-type": "application/json"}
        if anthropic:
            body["max_tokens"] = 1_000_000
            headers |= {"x-api-key": self.key, "anthropic-version": "2023-06-01"}
        else:
            headers["authorization"] = f"Bearer {self.key}"
        if self.x_mock:
            headers["x-mock"] = self.x_mock
        text = json.dumps(body).encode()
        headers |= self.headers | {"content-length": str(len(text))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {parts.path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + text


class Report:
    """What all streams saw, summed."""

    def __init__(self) -> None:
        self.streams = self.completed = self.truncated = self.unfinished = 0
        self.events = self.bytes = self.lost_connections = 0
        self.statuses: dict[int, int] = {}
        self.first = Spread()
        self.gaps = Spread()
        self.seconds = 0.0

    def summary(self) -> dict[str, object]:
        """`truncated`: the connection ended in the stream, or its last event was missing;
        `unfinished`: still running when time was up."""
        return {
            "streams": self.streams, "completed": self.completed, "truncated": self.truncated,
            "unfinished": self.unfinished, "statuses": self.statuses,
            "lost_connections": self.lost_connections, "events": self.events,
            "bytes": self.bytes, "seconds": round(self.seconds, 3),
            "events_per_s": round(self.events / self.seconds, 1) if self.seconds else 0.0,
            "first_event_ms": {"p50": self.first.percentile_ms(0.5),
                               "p99": self.first.percentile_ms(0.99)},
            "gap_ms": {"p50": self.gaps.percentile_ms(0.5), "p99": self.gaps.percentile_ms(0.99),
                       "max": round(self.gaps.max_s * 1000, 1)},
        }


class Stream(asyncio.Protocol):
    """One connection with one stream after another on it."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self.done = asyncio.get_running_loop().create_future()
        self._begin()

    def _begin(self) -> None:
        self._buffer = b""
        self._in_head = True
        self._left = 0              # bytes of the chunk under way, its CRLF included
        self._tail = b""            # last bytes of the body: borders and the final event
        self._running = False
        self._last = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport has the interface without the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        if not self._load.take():
            self._transport.close()
            return
        self._begin()
        self._running = True
        self._sent = time.perf_counter()
        self._transport.write(self._load.request)

    def data_received(self, arrived: bytes) -> None:
        report = self._load.report
        report.bytes += len(arrived)
        self._buffer = self._buffer + arrived if self._buffer else arrived
        if self._in_head and not self._read_head():
            return
        events = self._read_chunks()
        if events:
            now = time.perf_counter()
            if self._last:
                report.gaps.add(now - self._last)
            else:
                report.first.add(now - self._sent)
            self._last = now
            report.events += events
        if self._left < 0:
            self._end()

    def _read_head(self) -> bool:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        assert self._transport is not None
        status = int(head[9:12])
        statuses = self._load.report.statuses
        statuses[status] = statuses.get(status, 0) + 1
        if status != 200 or b"chunked" not in head.lower():
            # A refusal is no stream; its connection is not used again.
            self._running = False
            self._transport.close()
            return False
        self._in_head, self._buffer = False, rest
        if self._load.target.stalled:
            self._transport.pause_reading()
        return True

    def _read_chunks(self) -> int:
        """Takes the chunks that are there; events that ended in them. _left is -1 at the end."""
        text, at, bodies = self._buffer, 0, [self._tail]
        while at < len(text):
            if self._left:
                part = text[at : at + self._left]
                at += len(part)
                self._left -= len(part)
                # The chunk's own CRLF is left out of the body.
                bodies.append(part[: max(0, len(part) - max(0, 2 - self._left))])
                continue
            line = text.find(b"\r\n", at)
            if line < 0:
                break
            size = int(text[at:line].split(b";")[0], 16)
            if size == 0:
                if text[line : line + 4] != b"\r\n\r\n":
                    break
                at, self._left = line + 4, -1
                break
            at, self._left = line + 2, size + 2
        self._buffer = text[at:]
        body = b"".join(bodies)
        ended = body.count(b"\n\n") - self._tail.count(b"\n\n")
        self._tail = body[-64:]
        return ended

    def _end(self) -> None:
        whole = b"[DONE]" in self._tail or b"message_stop" in self._tail
        self._load.report.completed += whole
        self._load.report.truncated += not whole
        self._running = False
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        report = self._load.report
        if self._running:
            if self._load.over:
                report.unfinished += 1
            else:
                report.truncated += 1
                report.lost_connections += 1
        if not self.done.done():
            self.done.set_result(None)

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Load:
    """`streams` at once, `total` in all, for at most `seconds`."""

    def __init__(self, target: Target, streams: int, total: int, seconds: float) -> None:
        if not (1 <= streams <= STREAMS_MAX and 1 <= total <= TOTAL_MAX
                and 0 < seconds <= SECONDS_MAX):
            raise ValueError("streams, total or seconds out of bounds")
        self.target = target
        self.request = target.request()
        self.report = Report()
        self.over = False
        self._streams = streams
        self._left = total
        self._seconds = seconds

    def take(self) -> bool:
        """Whether one more stream may begin."""
        if self.over or self._left <= 0:
            return False
        self._left -= 1
        self.report.streams += 1
        return True

    async def _connect(self, host: str, port: int) -> Stream | None:
        loop = asyncio.get_running_loop()
        try:
            _, stream = await loop.create_connection(lambda: Stream(self), host, port)
        except OSError:
            self.report.lost_connections += 1
            return None
        return stream

    async def run(self) -> Report:
        host, port = self.target.address()
        host = socket.gethostbyname(host) if host == "localhost" else host
        begun = time.perf_counter()
        opened = await asyncio.gather(
            *(self._connect(host, port) for _ in range(min(self._streams, self._left))))
        streams = [stream for stream in opened if stream is not None]
        if streams:
            await asyncio.wait([stream.done for stream in streams], timeout=self._seconds)
        self.report.seconds = time.perf_counter() - begun
        self.over = True
        running = [stream for stream in streams if not stream.done.done()]
        for stream in running:
            stream.stop()
        if running:
            await asyncio.wait([stream.done for stream in running], timeout=_GRACE_S)
        return self.report


def load(target: Target, streams: int = 10, total: int = TOTAL_MAX,
         seconds: float = 5.0) -> dict[str, object]:
    """Runs a load to its end in a loop of its own; the summary."""
    return uvloop.run(Load(target, streams, total, seconds).run()).summary()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Load with streams; loopback only.")
    parser.add_argument("url")
    parser.add_argument("--key", default="mock")
    parser.add_argument("--model", default="gpt-4o")
    parser.add_argument("--x-mock", default="", metavar="OPTIONS")
    parser.add_argument("--streams", type=int, default=10, help="at once")
    parser.add_argument("--total", type=int, default=TOTAL_MAX, help="in all")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--stalled", action="store_true", help="clients that stop reading")
    given = parser.parse_args(argv)
    target = Target(given.url, given.key, given.model, given.x_mock, stalled=given.stalled)
    try:
        told = load(target, given.streams, given.total, given.seconds)
    except ValueError as error:
        parser.error(str(error))
    print(json.dumps(told))
    return 0 if told["streams"] and not told["truncated"] else 1


if __name__ == "__main__":
    sys.exit(main())
