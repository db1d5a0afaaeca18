"""The recorder: every 50 ms, all that the rings hold into the store in one synced transaction.

::

    rings --> span --> store (SQLite)          then the ring's room is given back
                   \\-> spill log               while the store cannot; replayed in order when it
                   can

When the spill fails as well the rings fill, and admission refuses: nothing is lost.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import orjson

from fastgw.errors import LedgerError
from fastgw.ledger.balance import Balance
from fastgw.ledger.drawn import Alert, CapRule
from fastgw.ledger.lost import ended_mark
from fastgw.ledger.ring import SUPERVISOR
from fastgw.ledger.span import Span
from fastgw.ledger.spill import Spill
from fastgw.ledger.store import Store
from fastgw.ledger.tails import Tails
from fastgw.ledger.vocabulary import UNITS

Log = Callable[[str, dict[str, Any]], None]
_PRUNE_EVERY_S = 10.0
_PRUNE_CAPS_EVERY_S = 600.0  # no index tells which windows are over: all rows are read
_RETRY_EVERY_S = 0.5
_DAY_NS = 86_400_000_000_000
UNSENT_MAX = 100  # looked at together


@dataclass(slots=True)
class Paths:
    """Where a recorder works, and how."""

    data_dir: Path
    ring_dir: Path
    interval_ms: int = 50
    retention_days: float | None = None  # batches older than this are deleted; None: kept
    rules: tuple[CapRule, ...] = ()  # caps with alerts, or with a rule for lost workers
    alerts_wanted: bool = False  # somebody is to be told of alerts, by an Outbox


class Outbox(Protocol):
    """Who tells somebody of alerts; nothing of it blocks. Only the recorder's thread calls."""

    def put(self, alert: Alert) -> bool:
        """False: full. An alert that is on its way already is taken, and goes once."""

    def done(self) -> list[tuple[Alert, int]]:
        """What became of alerts since the last call: SENT or GIVEN_UP (fastgw.ledger.drawn)."""


@dataclass(slots=True)
class Counts:
    """What a recorder did since it started; also in data_dir/recorder.json."""

    records: int = 0
    requests: int = 0
    denied: int = 0
    closes: int = 0
    lost: int = 0
    late: int = 0
    commits: int = 0
    spilled: int = 0  # spans
    replayed: int = 0
    store_failures: int = 0
    spill_failures: int = 0
    damaged: int = 0
    pruned: int = 0
    alerts: int = 0


def log_line(event: str, fields: dict[str, Any]) -> None:
    """The default log: one JSON line on stderr."""
    line = {"time": time.time(), "room": "ledger", "event": event, **fields}
    sys.stderr.buffer.write(orjson.dumps(line, default=str) + b"\n")
    sys.stderr.buffer.flush()


class Recorder:
    """One per data directory. Raises LedgerError when that is taken or cannot be used."""

    def __init__(
        self, paths: Paths, log: Log = log_line, outbox: Outbox | None = None,
        balance: Balance | None = None,
    ) -> None:
        self._balance = balance
        self._paths = paths
        self._log = log
        self._outbox = outbox
        self._unsent = outbox is not None  # what the last instance could not tell
        self.counts = Counts()
        self._lock = _lock(paths.data_dir)
        self._store: Store | None = None
        self._retry_at = self._prune_at = self._prune_caps_at = 0.0
        self._failing = ""
        try:
            self._spill = Spill(paths.data_dir)
            self._open_store(first=True)
            self._tails = Tails(paths.ring_dir, self._position_of, self._note_damage)
        except OSError as error:
            os.close(self._lock)
            raise LedgerError(f"{paths.data_dir}: {error.strerror}") from None
        except BaseException:
            os.close(self._lock)
            raise

    # ------------------------------------------------------------------- one pass

    def step(self) -> int:
        """Take what the rings hold to safety. Returns how many spans were; 0: idle or stuck."""
        if self._store is None:
            self._open_store()
        if not self._spill.empty:
            self._replay()
        if self._outbox is not None:
            self._tell(self._outbox)
        if self._balance is not None:
            self._balance.look()
        spans = self._tails.take()
        if not spans:
            self._prune()
            return 0
        if self._store_spans(spans) or self._spill_spans(spans):
            self._tails.safe(spans)
            if self._balance is not None:
                self._balance.passed(spans)
            return len(spans)
        return 0

    def _store_spans(self, spans: list[Span]) -> bool:
        """False: not stored. While older spans stand in the spill, newer ones queue behind
        them."""
        if self._store is None or not self._spill.empty:
            return False
        return self._commit(spans)

    def _commit(self, spans: list[Span]) -> bool:
        if self._store is None:
            return False
        try:
            stored = self._store.commit(spans)
        except sqlite3.Error as error:
            self._store_failed(error)
            return False
        except (ValueError, OverflowError) as error:
            if len(spans) == 1:
                return self._put_aside(spans[0], str(error))
            return all([self._commit([span]) for span in spans])
        counts = self.counts
        counts.commits += 1
        counts.records += stored.records
        counts.requests += stored.requests
        counts.denied += stored.denied
        counts.closes += stored.closes
        counts.lost += stored.lost
        counts.late += stored.late
        for alert in stored.alerts:
            self._note_alert(alert)
        return True

    def _note_alert(self, alert: Alert) -> None:
        self.counts.alerts += 1
        self._unsent = self._outbox is not None
        self._log(
            "cap alert",
            {
                "limit": alert.name,
                "key": alert.key,
                "unit": UNITS[alert.unit],
                "fraction": alert.fraction,
                "used": alert.used,
                "of": alert.limit,
                "window_end_ns": alert.window_end_ns,
            },
        )

    def _tell(self, outbox: Outbox) -> None:
        """Alerts on their way to the outbox, and what became of them into the store."""
        if self._store is None:
            return
        drawn = self._store.drawn
        try:
            for alert, state in outbox.done():
                drawn.mark(alert, state)
                self._unsent = True  # there is room again
            if self._unsent:
                waiting = drawn.unsent(UNSENT_MAX)
                self._unsent = False
                for alert in waiting:
                    if not outbox.put(alert):
                        break
        except sqlite3.Error as error:
            self._store_failed(error)

    def _put_aside(self, span: Span, reason: str) -> bool:
        """A span that cannot be read must not stop all that come after it: a file keeps it."""
        name = f"damaged-{span.ring:016x}-{span.first}.bin"
        try:
            (self._paths.data_dir / name).write_bytes(span.records)
        except OSError as error:
            self._fail(f"{name}: {error.strerror}")
            return False
        self.counts.damaged += 1
        self._log("span damaged", {"file": name, "reason": reason})
        return self._commit([replace(span, records=b"")])

    def _spill_spans(self, spans: list[Span]) -> bool:
        try:
            self._spill.append(spans)
        except OSError as error:
            self.counts.spill_failures += 1
            self._fail(f"spill: {error.strerror}")
            return False
        self.counts.spilled += len(spans)
        return True

    def _replay(self) -> None:
        """Spilled spans into the store, for about one interval; then the rings have their turn."""
        until = time.monotonic() + self._paths.interval_ms / 1000
        while self._store is not None and not self._spill.empty:
            try:
                spans = self._spill.pending()
                if not spans:
                    self._spill.clear()
                    self._log("spill replayed", {"spans": self.counts.replayed})
                    self._write_status()
                    return
            except OSError as error:
                self._fail(f"spill: {error.strerror}")
                return
            if not self._commit(spans):
                return
            self._spill.stored()
            self.counts.replayed += len(spans)
            if time.monotonic() > until:
                return

    # -------------------------------------------------------------------- failures

    def _open_store(self, *, first: bool = False) -> None:
        """At the start a store that is not ours is an error; later, and when it is only busy or
        full, the spill log takes over until it is back."""
        if time.monotonic() < self._retry_at:
            return
        try:
            self._store = Store(
                self._paths.data_dir,
                self._paths.rules,
                alerts_wanted=self._paths.alerts_wanted,
            )
        except LedgerError:
            if first:
                raise
            self._retry_at = time.monotonic() + _RETRY_EVERY_S
        except sqlite3.OperationalError as error:
            self._store_failed(error)
        except sqlite3.Error as error:
            if first:
                raise LedgerError(
                    f"{self._paths.data_dir}: the ledger is damaged: {error}"
                ) from None
            self._store_failed(error)
        else:
            if self._failing:
                self._log("store is back", {})
            self._failing = ""
            self._write_status()

    def _store_failed(self, error: sqlite3.Error) -> None:
        self.counts.store_failures += 1
        self._retry_at = time.monotonic() + _RETRY_EVERY_S
        if self._store is not None:
            self._store.close()
            self._store = None
        self._fail(f"store: {error}")

    def _fail(self, reason: str) -> None:
        """Said once, not every 50 ms."""
        if reason != self._failing:
            self._failing = reason
            self._log("ledger failing", {"reason": reason})
            self._write_status()

    def _note_damage(self, path: Path, reason: str) -> None:
        self.counts.damaged += 1
        try:  # for people: the ring goes on and will write over it
            shutil.copyfile(path, self._paths.data_dir / f"damaged-{time.time_ns()}-{path.name}")
        except OSError:
            pass
        self._log("ring damaged", {"path": path, "reason": reason})

    def _position_of(self, ring: int) -> int:
        stored = self._store.acked(ring) if self._store is not None else 0
        return max(stored, self._spill.ends.get(ring, 0))

    def _prune(self) -> None:
        """What is old goes while nothing else is to do, in small bites."""
        now_s, days = time.monotonic(), self._paths.retention_days
        if self._store is None or now_s < self._prune_at:
            return
        pruned = 0
        try:
            if now_s >= self._prune_caps_at:
                self._prune_caps_at = now_s + _PRUNE_CAPS_EVERY_S
                self._store.drawn.prune(time.time_ns())
            if days is not None:
                pruned = self._store.prune(time.time_ns() - int(days * _DAY_NS))
        except sqlite3.Error as error:
            self._store_failed(error)
            return
        self.counts.pruned += pruned
        if not pruned:
            self._prune_at = now_s + _PRUNE_EVERY_S

    # ------------------------------------------------------------------- lifecycle

    def close_orphans(self, live_generations: Collection[int], wall_ns: int = 0) -> int:
        """Close the open attempts of all workers whose generation is not live. Returns how many.

        Only where no other recorder and no such worker runs: at the start, after draining. Raises
        LedgerError when the store is down, since nobody then knows what is open.
        """
        if self._store is None:
            raise LedgerError(f"{self._paths.data_dir}: store is down ({self._failing})")
        before = self.counts.lost
        ring = self._store.acked(0)
        try:
            workers = self._store.open_workers()
        except sqlite3.Error as error:
            raise LedgerError(f"{self._paths.data_dir}: {error}") from None
        marks = [
            ended_mark(generation, worker, wall_ns or time.time_ns())
            for generation, worker in workers
            if generation not in live_generations
        ]
        for raw in marks:
            ring += 8
            record = raw[:8] + (ring - 8).to_bytes(8, "little") + raw[16:]
            # Ring 0 is the recorder's own: no file, its positions count marks.
            if not self._commit([Span(0, SUPERVISOR, 0, ring - 8, ring, record)]):
                raise LedgerError(f"{self._paths.data_dir}: {self._failing}")
        return self.counts.lost - before

    def status(self) -> dict[str, Any]:
        return asdict(self.counts) | {
            "failing": self._failing,
            "store": self._store is not None,
            "spill_bytes": self._spill.size(),
        }

    def _write_status(self) -> None:
        """For metrics and people; best effort, it may be the disk that fails."""
        path = self._paths.data_dir / "recorder.json"
        try:
            temporary = path.with_suffix(".new")
            temporary.write_bytes(orjson.dumps(self.status()))
            temporary.replace(path)
        except OSError:
            pass

    def drained(self) -> bool:
        """Nothing waits in a ring or in the spill."""
        return self._spill.empty and self._tails.lag() == 0

    def run(self, stop_fd: int, between: Callable[[], None] = lambda: None) -> None:
        """Until ``stop_fd`` is readable or closed; then one last pass over everything.
        ``between``: called after every pass."""
        poll = select.poll()
        poll.register(stop_fd, select.POLLIN | select.POLLHUP)
        interval_s = self._paths.interval_ms / 1000
        wait_s = interval_s
        while not poll.poll(max(0, int(wait_s * 1000))):
            started = time.monotonic()
            self.step()
            between()
            wait_s = interval_s - (time.monotonic() - started)
        self.finish()

    def finish(self, patience_s: float = 10.0) -> None:
        """Take what is left; give up only when nothing moves any more."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if not self.step() and (self.drained() or self._failing):
                break
        self._write_status()

    def close(self) -> None:
        self._tails.close()
        self._spill.close()
        if self._store is not None:
            self._store.close()
        os.close(self._lock)


def _lock(data_dir: Path) -> int:
    path = data_dir / "ledger.lock"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(f"{data_dir} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LedgerError(f"{data_dir} already has a recorder") from None
    return fd


def run(paths: Paths, stop_fd: int, log: Log = log_line) -> None:
    """The recorder process (or thread). Raises LedgerError when it cannot start."""
    recorder = Recorder(paths, log)
    try:
        recorder.run(stop_fd)
    finally:
        recorder.close()


@dataclass(slots=True)
class Drained:
    """What `drain` found of an earlier instance."""

    records: int
    lost: int
    complete: bool  # False: the store is down; the rest is in the spill log or the rings


def drain(
    paths: Paths,
    live_generations: Collection[int] = (),
    log: Log = log_line,
    patience_s: float = 30.0,
) -> Drained:
    """Before readiness, with no worker running: old rings and spill into the store, then each
    attempt
    that is still open closed as lost with its worker. Raises LedgerError."""
    recorder = Recorder(paths, log)
    try:
        until = time.monotonic() + patience_s
        while True:
            moved = recorder.step()
            if recorder.drained() or (not moved and time.monotonic() > until):
                break
            if not moved:
                time.sleep(0.01)
        complete = recorder.drained() and not recorder._failing
        lost = recorder.close_orphans(live_generations) if complete else 0
        return Drained(recorder.counts.records, lost, complete)
    finally:
        recorder.close()
