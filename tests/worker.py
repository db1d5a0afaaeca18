"""One worker in this process: a real Journey, transports of ours, neither loop nor network.

Everything between a client's bytes and a provider's is real: plan, segment, rings, policy, limits.
Bytes are handed over as uvloop does; what the gateway sends is kept by the transport. Nothing
happens by itself: each `feed` runs until all is quiet, so a test decides every order of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from fastgw.journey import Journey
from fastgw.listener.downstream import Downstream

from fastgw.config import examine_text
from fastgw.ledger.journal import Journal
from fastgw.ledger.records import Close, Name, Open, Record, Refused, Request, split, unpack_record
from fastgw.ledger.ring import REFUSALS, Ring
from fastgw.listener.listener import Listener
from fastgw.log import Log
from fastgw.process.plan import Plan
from fastgw.shm.segment import Segment

KEY = "fgw-alice"
USAGE = {"prompt_tokens": 31, "completion_tokens": 19, "total_tokens": 50}


class Answer(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return self.fields.get("x-fastgw-code", "")


class Transport:
    """uvloop's transport as far as a Link uses it. It claims to be TLS: no descriptor is used."""

    def __init__(self, soon: list[Callable[[], Any]]) -> None:
        self.sent, self.link, self._soon = bytearray(), None, soon
        self.reading, self.ended, self.aborted, self.closed = True, False, False, False

    def get_extra_info(self, name: str) -> object:
        return {"sslcontext": True, "peername": ("192.0.2.7", 50000)}.get(name)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, rest: bytes) -> None:
        assert not self.closed
        self.sent += rest

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._soon.append(lambda: self.link.connection_lost(None))

    def abort(self) -> None:
        self.aborted = not self.closed or self.aborted
        self.close()


class Task:
    """A coroutine that the gateway started; it runs when its turn comes, unless cancelled."""

    def __init__(self, coroutine) -> None:
        self.coroutine, self.cancelled = coroutine, False

    def cancel(self) -> None:
        self.cancelled = True

    def step(self) -> None:
        try:
            if self.cancelled:
                self.coroutine.throw(asyncio.CancelledError())
            self.coroutine.send(None)
        except (StopIteration, asyncio.CancelledError):
            return
        raise AssertionError("the gateway waits for something other than a connection")


class Loop:
    """`fault`: what the next connects raise, first come first served."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], Any]] = []
        self.opened: list[End] = []
        self.asked: list[tuple[str, int, dict[str, Any]]] = []
        self.fault: list[OSError] = []
        self.later: list[Callable[[], Any]] = []

    def call_later(self, delay_s: float, call, *arguments: Any) -> None:
        """The test says when that is: `pass_time`."""
        self.later.append(lambda: call(*arguments))

    def pass_time(self) -> None:
        calls, self.later = self.later, []
        self.soon += calls
        self.run()

    def call_soon(self, call, *arguments: Any) -> None:
        self.soon.append(lambda: call(*arguments))

    def create_task(self, coroutine) -> Task:
        task = Task(coroutine)
        self.soon.append(task.step)
        return task

    async def create_connection(self, factory, host: str, port: int, **more: Any):
        self.asked.append((host, port, more))
        if self.fault:
            raise self.fault.pop(0)
        end = End(self, factory())
        self.opened.append(end)
        return end.transport, end.link

    def run(self) -> None:
        while self.soon:
            self.soon.pop(0)()


class End:
    """The far end of one connection of the gateway."""

    def __init__(self, loop: Loop, link: Any, kind: type[Transport] = Transport) -> None:
        self.loop, self.link, self.transport = loop, link, kind(loop.soon)
        self.transport.link = link
        link.connection_made(self.transport)

    def feed(self, *reads: bytes) -> None:
        """The gateway reads these bytes, in one read each."""
        for received in reads:
            room = memoryview(self.link.get_buffer(-1))
            size = min(len(room), len(received))
            room[:size] = received[:size]
            room.release()
            self.link.buffer_updated(size)
            self.loop.run()
            if size < len(received):
                self.feed(received[size:])

    def taken(self) -> bytes:
        """What the gateway sent since last asked."""
        sent = bytes(self.transport.sent)
        self.transport.sent.clear()
        return sent

    def answer(self) -> Answer:
        """What the gateway sent, as one whole answer."""
        head, _, body = self.taken().partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = {name.lower(): value for name, _, value in
                  (line.partition(": ") for line in lines)}
        if fields.get("transfer-encoding") == "chunked":
            body = unchunked(body)
        return Answer(int(first.split()[1]), fields, body)

    def end(self) -> None:
        """The peer sends FIN."""
        if not self.link.eof_received():
            self.transport.close()
        self.loop.run()

    def lose(self, why: Exception | None = None) -> None:
        """The connection is gone."""
        self.transport.closed = True
        self.link.connection_lost(why)
        self.loop.run()


class Worker:
    """``config``: sections that replace those of `configuration`. ``wakers``: of two workers, of
    which the second is ``beside`` the first, in its segment. ``bell``: of a cluster's lessee."""

    def __init__(self, folder: Path, *, wakers: Sequence[int] = (), beside: Worker | None = None,
                 holds: int = 4096, bell: int = -1, log: Any = None, **config: Any) -> None:
        made, errors, _ = examine_text(orjson.dumps(configuration(**config)), "test.yaml", {})
        assert made is not None, errors
        self.loop = Loop()
        self.slot = slot = 0 if beside is None else 1
        main = Ring.create(folder / "main", 1 << 20, slot=slot)
        refusals = Ring.create(folder / "refusals", 1 << 20, slot=slot, lane=REFUSALS)
        self._readers = [Ring.attach(ring.path, producer=False) for ring in (main, refusals)]
        self.names: dict[int, str] = {}
        self.segment = beside.segment if beside else Segment.create(
            folder / "segment", workers=len(wakers) or 1, holds_per_worker=holds)
        self.plan = Plan(made)
        self.plan.bell = bell
        self.journal = Journal(main, refusals, generation=1, worker=slot)
        self.journey = Journey(self.plan, segment=self.segment, slot=slot, loop=self.loop,
                               log=log or Log(level="error"), journal=self.journal, wakers=wakers)
        self.listener = Listener(self.journey, connections_max=100)

    def connect(self, kind: type[Transport] = Transport) -> End:
        return End(self.loop, Downstream(self.journey, self.listener), kind)

    def tick(self) -> None:
        """What happens every 100 ms: time-outs."""
        self.journey.tick()
        self.loop.run()

    @property
    def upstream(self) -> End:
        """The connection to a provider that was opened last."""
        return self.loop.opened[-1]

    def ask(self, request: bytes, *answer: bytes) -> tuple[bytes, Answer]:
        """On a new connection: what the provider got, and the client for these reads of it."""
        client = self.connect()
        client.feed(request)
        got = self.upstream.taken() if self.loop.opened else b""
        if answer:
            self.upstream.feed(*answer)
        return got, client.answer()

    def posted(self) -> list[Record]:
        """All records since last asked, names among them."""
        found = []
        for ring in self._readers:
            if ring.look():
                raw, end = ring.read(ring.tail)
                ring.release(end)
                found += [unpack_record(one) for one in split(raw)]
        return found

    def records(self) -> list[Record]:
        """All records since last asked but names, which go to `names`."""
        found = self.posted()
        self.names |= {one.hash0: one.text for one in found if isinstance(one, Name)}
        return [one for one in found if not isinstance(one, Name)]

    def one(self, kind: type[Request] | type[Open] | type[Close] | type[Refused]) -> Any:
        """The only record of its kind since last asked."""
        (found,) = [record for record in self.records() if isinstance(record, kind)]
        return found


def configuration(**more: Any) -> dict[str, Any]:
    """Both dialects and one key; ``more`` replaces whole sections, None leaves one out."""
    sections = {
        "providers": [provider("openai"), provider("anthropic", "anthropic", path="")],
        "keys": [{"id": "alice", "value": KEY, "owner": {"team": "a"}, "tags": {"tier": "free"}}],
        **more,
    }
    return {name: section for name, section in sections.items() if section is not None}


def provider(id: str, dialect: str = "openai", path: str = "/v1", **more: Any) -> dict[str, Any]:
    return {"id": id, "dialect": dialect, "base_url": f"http://{id}.example:9000{path}",
            "keys": [{"id": f"{id}-key", "value": f"sk-{id}"}], **more}


def policy(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"on_http_request": list(rules)}


def chat(**more: Any) -> bytes:
    return orjson.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}],
                         **more})


def request(body: bytes = b"", *fields: str, path: str = "/v1/chat/completions",
            method: str = "POST", key: str = KEY) -> bytes:
    """``key`` empty: no credential, but what stands in ``fields``."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", *fields]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def response(body: bytes | None = None, *fields: str, status: int = 200) -> bytes:
    """An answer with a length; by default a chat completion with USAGE."""
    if body is None:
        body = orjson.dumps({"model": "gpt-4o", "choices": [{"message": {"content": "hi"}}],
                             "usage": USAGE})
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", *fields,
             f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def event(document: Any) -> bytes:
    return b"data: " + (document if isinstance(document, bytes) else orjson.dumps(document)) \
        + b"\n\n"


def delta(text: str) -> bytes:
    return event({"model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": text}}]})


def usage_event() -> bytes:
    return event({"model": "gpt-4o", "choices": [], "usage": USAGE})


DONE = event(b"[DONE]")


def stream_head(*fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *fields,
             "Transfer-Encoding: chunked", "", ""]
    return "\r\n".join(lines).encode()


def chunked(*pieces: bytes) -> bytes:
    """A chunk each; an empty piece ends the body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def unchunked(framed: bytes) -> bytes:
    """The body out of its chunks, as strictly as can be; an AssertionError if it is not whole."""
    body = b""
    while True:
        line, end, framed = framed.partition(b"\r\n")
        size = int(line, 16)
        assert end and framed[size:size + 2] == b"\r\n", f"broken at {line!r}"
        body, framed = body + framed[:size], framed[size + 2:]
        if size == 0:
            assert framed == b"", "bytes behind the end"
            return body
