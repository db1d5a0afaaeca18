"""What a key's holder may know about that key: `GET /fastgw/usage` and `/fastgw/limits`.

::

    worker ──{what, key, query}──> socket beside the segment ──> desk: a thread of the recorder
       ^  <────────────{status, body}─────────────┘              (in an embedded gateway, of it)

A worker has authenticated the key; it asks and goes on serving. The desk answers one question
after another, from the ledger and the segment, and rests as long as it has worked, so what holders
ask costs the recorder's process its spare time and the data path nothing. An answer holds for a
second, for all who ask the same; a worker waits for at most `WAITING_MAX` of them at a time,
`OF_KEY_MAX` of one key, and 5 s for each. Asking counts against no limit of the key: how much is
left must be known just when nothing is.

Usage is that of all attempts made with the key. Limits are those buckets that are this key's
alone: of `keys[].limits`, and of rules whose `bucket_key` has `key.id`. What a key shares with
others (a team's cap) is in the `RateLimit` fields of its own answers.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson

from fastgw.config.model import Config
from fastgw.errors import LedgerError, ShmError
from fastgw.ledger import query
from fastgw.ledger.usage import INSTANCE, GroupError
from fastgw.log import Log
from fastgw.process.levels import live_limits
from fastgw.process.moments import between_ns
from fastgw.process.orders import reachable

NAME = "holders"
WAITING_MAX = 16
OF_KEY_MAX = 4
KEPT_S = 1.0
PATIENCE_S = 5.0
ROWS_MAX = 10_000
KEPT_BYTES_MAX = 1 << 20  # of all answers together
_GROUPS_MAX = 8
_QUESTION_MAX = 16384
_HOLDER = "key.id"
BUSY = (503, {"error": {"message": "too many ask at this moment: try again in a second"}})
ABSENT = (503, {"error": {"message": "the recorder does not answer: try again in a second"}})
UNREADABLE = (503, {"error": {"message": "the books cannot be read now: try again in a second"}})

Told = Callable[[int, bytes], None]
_About = tuple[str, str, str]  # what, key, query


def places_of(config: Config) -> dict[str, int]:
    """By name of a limit: at which place of its bucket's key the key's id stands, of those that
    have it there. (One name has one bucket key: anything else is a load error.)"""
    found = {limit.name: 0 for key in config.keys for limit in key.limits}
    for rule in config.rules:
        for action in rule.actions:
            parts = [part.text.strip() for part in getattr(action, "bucket_key", ())]
            if _HOLDER in parts:
                found[action.name] = parts.index(_HOLDER)  # type: ignore[union-attr]
    return found


class Desk:
    """Answers questions on a thread of its own, until it is closed."""

    def __init__(self, folder: Path, data_dir: Path, config: Config, log: Log) -> None:
        self._data_dir, self._log = data_dir, log
        self._labels = tuple(label.name for label in config.labels)
        self._places = places_of(config)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = folder / NAME
        path.unlink(missing_ok=True)  # of a recorder that was killed
        with reachable(path) as address:
            self._sock.bind(address)
        os.chmod(path, 0o600)
        self._sock.listen(WAITING_MAX * 4)
        self._stop_end, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, name="fastgw-holders", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self._stop)
        self._thread.join()
        os.close(self._stop_end)
        self._sock.close()

    def _run(self) -> None:
        poll = select.poll()
        for waited in (self._stop_end, self._sock.fileno()):
            poll.register(waited, select.POLLIN | select.POLLHUP)
        rest = select.poll()
        rest.register(self._stop_end, select.POLLIN | select.POLLHUP)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if self._stop_end in ready:
                return
            began = time.monotonic()
            self._serve_one()
            # It shares an interpreter with the recorder, who must not wait for it.
            rest.poll(1000 * min(PATIENCE_S, time.monotonic() - began))

    def _serve_one(self) -> None:
        try:
            connection, _ = self._sock.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                raw = connection.recv(_QUESTION_MAX)
                status, body = self.answer(orjson.loads(raw))
                connection.sendall(orjson.dumps([status]) + b"\n" + orjson.dumps(body))
        except (OSError, orjson.JSONDecodeError):
            pass  # who asked is gone
        except Exception as error:
            # A defect fails one answer; the desk stays.
            self._log.error("a holder was not answered", error=type(error).__name__)

    def answer(self, question: dict[str, Any]) -> tuple[int, Any]:
        """(status, document)."""
        try:
            wanted = {name: values[-1] for name, values in parse_qs(question["query"]).items()}
            if question["what"] == "limits":
                return 200, self._limits(question["key"])
            return 200, self._usage(question["key"], wanted)
        except (GroupError, ValueError) as error:
            return 400, {"error": {"message": str(error)}}
        except (LedgerError, ShmError) as error:
            self._log.error("a holder was not answered", error=str(error))  # it names our files
            return UNREADABLE

    def _usage(self, key: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """As `fastgw usage --format json`, of this key alone."""
        by = [name for name in wanted.get("by", "").split(",") if name and name != "key"]
        if INSTANCE in by:
            raise ValueError("usage of a key is summed over all instances: not by instance")
        if len(by) > _GROUPS_MAX:
            raise ValueError(f"by: at most {_GROUPS_MAX} at once")
        since, until = between_ns(wanted.get("since", "24h"), wanted.get("until"))
        rows = query.usage(self._data_dir, since, until, by, self._labels, key=key)
        if len(rows) > ROWS_MAX:
            raise ValueError(f"{len(rows)} rows: ask for a shorter time, or by less")
        return rows

    def _limits(self, key: str) -> list[dict[str, Any]]:
        """As the admin port's `/api/limits`, of this key alone."""
        def mine(named: dict[str, Any]) -> bool:
            parts, at = named.get("key", ()), self._places.get(named.get("name", ""))
            return at is not None and at < len(parts) and parts[at] == key

        return live_limits(self._data_dir, of=mine)


class Asker:
    """A worker's side. ``ask`` calls back with a status and a JSON text, always, and never
    before it has returned."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path, self._loop = folder / NAME, loop
        self._asked: dict[_About, list[Told]] = {}  # on their way: who waits for them
        self._kept_bytes = 0
        self._kept: dict[_About, tuple[float, int, bytes]] = {}

    def ask(self, what: str, key: str, query: str, told: Told) -> None:
        about = (what, key, query if what == "usage" else "")
        kept = self._kept.get(about)
        if kept is not None and time.monotonic() - kept[0] < KEPT_S:
            self._loop.call_soon(told, kept[1], kept[2])
        elif about in self._asked:
            self._asked[about].append(told)
        elif len(self._asked) >= WAITING_MAX or self._of_key(key) >= OF_KEY_MAX:
            self._loop.call_soon(told, BUSY[0], orjson.dumps(BUSY[1]))
        else:
            self._asked[about] = [told]
            task = self._loop.create_task(self._fetch(about))
            task.add_done_callback(lambda done: self._got(about, done))

    def _of_key(self, key: str) -> int:
        return sum(asked[1] == key for asked in self._asked)

    def _got(self, about: _About, done: asyncio.Task[tuple[int, bytes]]) -> None:
        waiting = self._asked.pop(about)
        if done.cancelled() or done.exception() is not None:
            status, text = ABSENT[0], orjson.dumps(ABSENT[1])
        else:
            status, text = done.result()
            self._keep(about, status, text)
        for told in waiting:
            told(status, text)

    def _keep(self, about: _About, status: int, text: bytes) -> None:
        size = len(text) + len(about[2]) + 500
        if size > KEPT_BYTES_MAX // 8:
            return
        if self._kept_bytes + size > KEPT_BYTES_MAX:
            self._kept.clear()
            self._kept_bytes = 0
        self._kept_bytes += size
        self._kept[about] = (time.monotonic(), status, text)

    async def _fetch(self, about: _About) -> tuple[int, bytes]:
        async with asyncio.timeout(PATIENCE_S):
            with reachable(self._path) as address:
                reader, writer = await asyncio.open_unix_connection(address)
            try:
                what, key, query = about
                writer.write(orjson.dumps({"what": what, "key": key, "query": query}))
                head = await reader.readline()
                return int(orjson.loads(head)[0]), await reader.read()
            finally:
                writer.close()
