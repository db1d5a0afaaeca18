"""Clients that come, read, stall and leave at random, while something is killed beside them.

    python tools/chaos.py http://127.0.0.1:8080 --mock http://127.0.0.1:9001 --key K \
        --clients 40 --seconds 15 --disturb-every 300ms --disturb 'kill-one-worker.sh'

Every request bears an `x-mock-tag` of its own, which the mock writes into its books, so what
each client saw can be laid beside what the provider billed and what the gateway booked. Tests
use `run()` with a function for `disturb`; killing is theirs. Bounded, loopback only, and the
seed that is printed draws the same behaviours again.
"""

import argparse
import asyncio
import ipaddress
import json
import random
import shlex
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop

from tools.calls import ANTHROPIC, OPENAI_CHAT, Kind, output_of, words

CLIENTS_MAX = 2000
SECONDS_MAX = 300.0
_CALL_S = 30.0
_RST = struct.pack("ii", 1, 0)

# How clients behave, with their weights.
BEHAVIOURS = (
    ("read", 40),           # to the end
    ("leave", 20),          # close after a random number of bytes
    ("reset", 15),          # RST after a random number of bytes
    ("rush", 10),           # gone as soon as the request is out
    ("stall", 10),          # reads nothing for a while, then the rest
    ("half", 5),            # closes its sending side after the request
)


# What the provider is asked for, by x-mock.
FAULTS = ("status=500", "status=503", "status=529", "cut_after=0", "cut_after=2", "cut_after=9",
          "stall_after=2", "malformed=1", "error_after=3", "usage=none", "gzip=1", "reset=1",
          "close=1", "bytes=1", "bad=short", "bad=chunk", "crlf=1", "interim=1")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is; `kinds`: whose calls. `faults`: the part of calls, of which the provider
    is asked for one of FAULTS; `drained`: the part of them that bear `x-drain: 1`."""

    gateway: str
    key: str = "mock"
    kinds: tuple[Kind, ...] = (OPENAI_CHAT, ANTHROPIC)
    faults: float = 0.0
    drained: float = 0.0
    clients: int = 20
    seconds: float = 5.0
    calls_max: int = 100_000
    seed: int = 1
    events: int = 30
    pace_ms: int = 2
    behaviours: tuple[tuple[str, int], ...] = BEHAVIOURS
    headers: dict[str, str] = field(default_factory=dict)

    def address(self) -> tuple[str, int]:
        """ValueError for anything that is not this machine."""
        parts = urlsplit(self.gateway)
        host = parts.hostname or ""
        if host == "localhost":
            host = "127.0.0.1"
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"only loopback is disturbed, not {host!r}")
        return host, parts.port or 80


@dataclass(slots=True)
class Seen:
    """One call as its client saw it. `outcome`: whole, left, cut (the other side ended it in
    the answer), refused (a status of 400 or more), unanswered (ended before a head)."""

    tag: str
    behaviour: str
    stream: bool
    dialect: str
    outcome: str = "unanswered"
    status: int = 0
    bytes: int = 0
    request_id: str = ""
    output_tokens: int | None = None
    fault: str = ""


def _request(plan: Plan, draw: random.Random, seen: Seen, kind: Kind) -> bytes:
    text = json.dumps(kind.body(words(draw), kind.model, seen.stream)).encode()
    asked = f"events={draw.randrange(1, plan.events + 1)},pace={plan.pace_ms}ms"
    if not seen.stream:
        asked += f",delay={draw.randrange(0, 30)}ms"
    if draw.random() < plan.faults:
        seen.fault = draw.choice(FAULTS)
        asked += "," + seen.fault
    more = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
    if draw.random() < plan.drained:
        more += "x-drain: 1\r\n"
    return (f"POST {kind.paths[seen.stream]} HTTP/1.1\r\nhost: chaos\r\n"
            f"{kind.credential}{plan.key}\r\nx-mock: {asked}\r\n"
            f"x-mock-tag: {seen.tag}\r\n{more}content-type: application/json\r\n"
            f"connection: close\r\ncontent-length: {len(text)}\r\n\r\n").encode() + text


def _read_head(text: bytes, seen: Seen) -> None:
    head = text.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    if not seen.status and b"\r\n\r\n" in text:
        seen.status = int(head[0][9:12])
        for line in head[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "x-fastgw-request-id":
                seen.request_id = value.strip()


def _judge(text: bytes, seen: Seen, kind: Kind) -> None:
    """The outcome of an answer that was read to the end of its connection."""
    head, _, body = text.partition(b"\r\n\r\n")
    if not seen.status:
        return
    if seen.status >= 400:
        seen.outcome = "refused"
    elif seen.stream:
        # A whole stream has its last chunk and, where its API has one, its last event.
        marked = not kind.ends or any(mark in text for mark in kind.ends)
        seen.outcome = "whole" if text.endswith(b"0\r\n\r\n") and marked else "cut"
    else:
        announced = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        size = int(announced) if announced else -1
        seen.outcome = "whole" if len(body) == size else "cut"
        try:
            if seen.outcome == "whole" and not seen.fault:
                seen.output_tokens = output_of(kind, body)
        except ValueError:
            seen.outcome = "cut"


async def _behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen,
                  draw: random.Random, kind: Kind) -> None:
    text = b""
    limit = draw.randrange(1, 9000) if seen.behaviour in ("leave", "reset") else 1 << 62
    if seen.behaviour == "half":
        writer.write_eof()
    if seen.behaviour == "stall":
        await asyncio.sleep(draw.random() * 0.3)
    while seen.behaviour != "rush" and len(text) < limit:
        part = await reader.read(65536)
        if not part:
            break
        text += part
        _read_head(text, seen)
    seen.bytes = len(text)
    if seen.behaviour == "rush" or len(text) >= limit:
        seen.outcome = "left"
    elif seen.behaviour == "half" and not text:
        seen.outcome = "left"
    else:
        _judge(text, seen, kind)
    if seen.behaviour == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)


async def _call(plan: Plan, draw: random.Random, tag: str) -> Seen:
    names, weights = zip(*plan.behaviours, strict=True)
    kind = draw.choice(plan.kinds)
    stream = draw.random() < 0.7 and kind.streams
    seen = Seen(tag, draw.choices(names, weights)[0], stream, kind.name)
    host, port = plan.address()
    writer = None
    try:
        async with asyncio.timeout(_CALL_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(_request(plan, draw, seen, kind))
            await writer.drain()
            await _behave(reader, writer, seen, draw, kind)
    except OSError:
        seen.outcome = "cut" if seen.status else "unanswered"
    except TimeoutError:
        seen.outcome = "hung"
    finally:
        if writer is not None:
            writer.close()
    return seen


class Run:
    """One run: clients one call after another until time is up, `disturb` beside them."""

    def __init__(self, plan: Plan, disturb: Callable[[], object] | None, every_s: float) -> None:
        if not (1 <= plan.clients <= CLIENTS_MAX and 0 < plan.seconds <= SECONDS_MAX):
            raise ValueError("clients or seconds out of bounds")
        plan.address()
        self._plan = plan
        self._disturb = disturb
        self._every_s = every_s
        self.calls: list[Seen] = []
        self.disturbed = 0
        self._begun = 0

    async def _client(self, number: int, until: float) -> None:
        draw = random.Random(self._plan.seed * 100_003 + number)
        count = 0
        while time.monotonic() < until and self._begun < self._plan.calls_max:
            self._begun += 1
            count += 1
            tag = f"c{self._plan.seed}-{number}-{count}"
            seen = await _call(self._plan, draw, tag)
            self.calls.append(seen)
            if seen.outcome == "unanswered":
                self._begun -= 1                # nobody listens at the moment: it was no call
                await asyncio.sleep(0.03)

    async def _disturbances(self, over: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while self._disturb is not None and not over.is_set():
            try:
                await asyncio.wait_for(over.wait(), self._every_s)
            except TimeoutError:
                await loop.run_in_executor(None, self._disturb)
                self.disturbed += 1

    async def run(self) -> None:
        until = time.monotonic() + self._plan.seconds
        over = asyncio.Event()
        beside = asyncio.create_task(self._disturbances(over))
        await asyncio.gather(
            *(self._client(number, until) for number in range(self._plan.clients)))
        over.set()
        await beside


def run(plan: Plan, disturb: Callable[[], object] | None = None,
        every_s: float = 0.3) -> tuple[dict[str, Any], list[Seen]]:
    """Runs to the end in a loop of its own: the summary, and every call as its client saw it."""
    chaos = Run(plan, disturb, every_s)
    uvloop.run(chaos.run())
    summary = {
        "seed": plan.seed, "calls": len(chaos.calls), "disturbed": chaos.disturbed,
        "outcomes": dict(Counter(seen.outcome for seen in chaos.calls)),
        "kinds": dict(Counter(seen.dialect for seen in chaos.calls)),
        "statuses": dict(Counter(seen.status for seen in chaos.calls)),
        "by_behaviour": {
            name: dict(Counter(seen.outcome for seen in chaos.calls if seen.behaviour == name))
            for name, _ in plan.behaviours},
    }
    return summary, chaos.calls


def compare(calls: Iterable[Seen], lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What clients saw beside what the mock billed; empty lists mean that nothing contradicts.

    `unbilled`: whole answers without a line; `unasked`: lines of nobody's tag; `repeated`: tags
    billed more than once, which only a retry explains; `unequal`: another number of tokens;
    `unidentified`: lines without a gateway's request id and attempt.
    """
    by_tag: dict[str, list[dict[str, Any]]] = {}
    rows = [line for line in lines if line["billed"]]
    for line in rows:
        by_tag.setdefault(line["tag"] or "", []).append(line)
    seen_by_tag = {seen.tag: seen for seen in calls}
    whole = [seen for seen in seen_by_tag.values() if seen.outcome == "whole"]
    return {
        "billed": len(rows),
        "aborted": sum(line["aborted"] for line in rows),
        "unbilled": [seen.tag for seen in whole if seen.tag not in by_tag],
        "unasked": sorted(tag for tag in by_tag if tag not in seen_by_tag),
        "repeated": sorted(tag for tag, told in by_tag.items() if len(told) > 1),
        "unequal": [
            seen.tag for seen in whole if seen.output_tokens is not None and seen.tag in by_tag
            and seen.output_tokens not in [line["output_tokens"] for line in by_tag[seen.tag]]],
        "unidentified": sum(not line["request_id"] or not line["attempt"] for line in rows),
    }


def mock_lines(url: str, settle_s: float = 5.0) -> list[dict[str, Any]]:
    """The mock's lines as soon as they have stood still for half a second."""
    deadline, before = time.monotonic() + settle_s, -1
    while True:
        with urllib.request.urlopen(url + "/books/lines", timeout=30) as answer:
            lines = [json.loads(line) for line in answer.read().splitlines()]
        if len(lines) == before or time.monotonic() > deadline:
            return lines
        before = len(lines)
        time.sleep(0.5)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Random clients; loopback only.")
    parser.add_argument("gateway")
    parser.add_argument("--mock", help="compare with the books of this mock")
    parser.add_argument("--key", default="mock")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--calls", type=int, default=100_000, help="at most")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--disturb", metavar="COMMAND", help="run again and again, without shell")
    parser.add_argument("--disturb-every", type=float, default=0.3, metavar="SECONDS")
    parser.add_argument("--calls-file", help="each call as its client saw it, a JSON line each")
    given = parser.parse_args(argv)
    command = shlex.split(given.disturb) if given.disturb else None
    plan = Plan(given.gateway, given.key, clients=given.clients, seconds=given.seconds,
                calls_max=given.calls, seed=given.seed)
    try:
        summary, calls = run(
            plan, (lambda: subprocess.run(command, timeout=30)) if command else None,
            given.disturb_every)
    except ValueError as error:
        parser.error(str(error))
    if given.calls_file:
        with open(given.calls_file, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(seen)) + "\n" for seen in calls)
    if given.mock:
        summary["books"] = compare(calls, mock_lines(given.mock))
    print(json.dumps(summary))
    return 0 if calls else 1


if __name__ == "__main__":
    sys.exit(main())
