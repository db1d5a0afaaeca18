"""Attempts on their way elsewhere: a thread for each export, reading the store from its cursor.

Nothing here is in the recorder's way: a thread has a reading connection of its own, and what it
delivered is a number that the committer fetches and stores. Delivered at least once: whoever is
killed between the two sends again, under the same ids. An export that cannot deliver waits, for
as long as retention keeps what it has not sent; what it then misses is counted and said.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from fastgw.config.model import KafkaExport, WebhookExport
from fastgw.errors import LedgerError
from fastgw.ledger.events import Events, Group
from fastgw.ledger.query import Ledger
from fastgw.process.kafka import KafkaSender
from fastgw.process.webhook import Hook
from fastgw.usage.families import tell_event

if TYPE_CHECKING:
    from fastgw.config import Config

LOOK_EVERY_S = 0.2
# After the 1st, 2nd, … failure in a row; the last one for ever.
DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

Log = Callable[[str, dict[str, object]], None]


class Sender(Protocol):
    """Where to. ``events_max``: about how many at once; ``place``: what may be logged of it."""

    events_max: int
    place: str

    def send(self, events: list[dict[str, Any]]) -> str | None:
        """None: all is delivered; else why not, and none counts as delivered."""


class WebhookSender:
    """POSTs of `events_max` attempts at most, signed as alerts are: what an outage has heaped up
    in one batch would be larger than receivers take."""

    events_max = 500

    def __init__(self, export: WebhookExport, **more: Any) -> None:
        secret = export.secret.reveal() if export.secret is not None else None
        self._hook = Hook(export.url.reveal(), secret, **more)
        self.place = f"host {self._hook.host}"

    def send(self, events: list[dict[str, Any]]) -> str | None:
        for at in range(0, len(events), self.events_max):
            problem = self._hook.post(body(events[at : at + self.events_max]))
            if problem is not None:
                return problem  # those before come again, under the same ids
        return None


def body(events: list[dict[str, Any]]) -> bytes:
    """What a webhook gets. ``id`` is the same whenever the same attempts are sent."""
    named = hashlib.sha256("\n".join(event["id"] for event in events).encode())
    return orjson.dumps(
        {"type": "usage.attempts", "id": named.hexdigest()[:32], "attempts": events}
    )


@dataclass(slots=True)
class Progress:
    """Of one export since the start; also in recorder.json beside the rings."""

    delivered: int = 0  # attempts
    skipped: int = 0  # batches
    failures: int = 0
    failing: str = ""


class Export:
    """One of them. Its thread never keeps a process alive."""

    def __init__(self, name: str, sender: Sender, data_dir: Path, log: Log) -> None:
        self.name = name
        self.progress = Progress()
        self._sender, self._data_dir, self._log = sender, data_dir, log
        self._ledger: Ledger | None = None
        self._events: Events | None = None
        self._mark: int | None = None  # delivered up to this batch
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fastgw-{name}", daemon=True)

    @property
    def mark(self) -> int | None:
        return self._mark

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """Send what is stored by now, if that goes at once."""
        self._ending.set()
        self._thread.join(patience_s)

    def _run(self) -> None:
        failures = 0
        while True:
            problem, moved = self.step()
            failures = failures + 1 if problem else 0
            if self._ending.is_set() and (problem or not moved):
                break
            if problem:
                self._ending.wait(DELAYS_S[min(failures, len(DELAYS_S)) - 1])
            elif not moved:
                self._ending.wait(LOOK_EVERY_S)
        if self._ledger is not None:
            self._ledger.close()

    def step(self) -> tuple[str | None, bool]:
        """Send what comes next: (why it could not, whether there was something)."""
        try:
            group = self._next()
            problem = self._sender.send(group.events) if group.events else None
        except LedgerError as error:
            self._forget()
            return self._note(f"store: {error}"), False
        except Exception as error:  # a defect here must not end exporting in silence
            self._forget()
            return self._note(f"defect: {error!r}"), False
        self._note(problem)
        if problem is not None:
            return problem, False
        moved = group.batch != self._mark
        self.progress.delivered += len(group.events)
        if group.skipped:
            self.progress.skipped += group.skipped
            self._log("export missed what retention took", {
                "export": self.name, "batches": group.skipped})
        self._mark = group.batch
        return None, moved

    def _next(self) -> Group:
        if self._events is None:
            self._ledger = Ledger(self._data_dir)
            self._events = Events(self._ledger)
        if self._mark is None:
            self._mark = self._events.cursor(self.name)
        group = self._events.after(self._mark, self._sender.events_max)
        for event in group.events:
            tell_event(event)
        return group

    def _forget(self) -> None:
        """A connection that failed is opened anew."""
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = self._events = None

    def _note(self, problem: str | None) -> str | None:
        """Said when it changes, not at each try."""
        if problem is not None:
            self.progress.failures += 1
        if (problem or "") != self.progress.failing:
            self.progress.failing = problem or ""
            event = "export failing" if problem else "export is back"
            self._log(event, {"export": self.name, "to": self._sender.place,
                              "problem": problem})
        return problem


class Exports:
    """All of a configuration (fastgw.ledger.committer.Exporting)."""

    def __init__(self, exports: list[Export]) -> None:
        self._exports = exports
        self._stored: dict[str, int] = {}

    def start(self) -> None:
        for export in self._exports:
            export.start()

    def marks(self) -> dict[str, int]:
        return {
            one.name: one.mark for one in self._exports
            if one.mark is not None and self._stored.get(one.name) != one.mark
        }

    def stored(self, marks: dict[str, int]) -> None:
        self._stored |= marks

    def status(self) -> dict[str, Any]:
        return {one.name: asdict(one.progress) for one in self._exports}

    def stop(self, patience_s: float = 2.0) -> None:
        until = time.monotonic() + patience_s
        for export in self._exports:
            export.stop(max(0.0, until - time.monotonic()))


def exports_of(config: Config, data_dir: Path, log: Log) -> Exports | None:
    """What the configuration asks for; None: nothing."""
    if not config.exports:
        return None
    made: list[Export] = []
    for one in config.exports:
        sender: Sender = KafkaSender(one) if isinstance(one, KafkaExport) else WebhookSender(one)
        made.append(Export(one.name, sender, data_dir, log))
    return Exports(made)
