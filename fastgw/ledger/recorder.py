"""The recorder: every 50 ms, all that the rings hold into the store in one synced transaction.

::

    rings --> span --> store (SQLite)          then the ring's room is given back
                   \\-> spill log --> store    where the store is remote, and while it cannot

When the spill fails as well the rings fill, and admission refuses: nothing is lost.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from fastgw.errors import LedgerError
from fastgw.ledger.balance import Balance, Taken
from fastgw.ledger.committer import Committer, Exporting, Log, Outbox, Paths
from fastgw.ledger.span import Span
from fastgw.ledger.spill import Spill
from fastgw.ledger.tails import Tails

STATUS = "recorder.json"
STATUS_EVERY_S = 5.0
_JOIN_S = 10.0  # a commit that is under way ends, or the server is gone


def log_line(event: str, fields: dict[str, Any]) -> None:
    """The default log: one JSON line on stderr."""
    line = {"time": time.time(), "room": "ledger", "event": event, **fields}
    sys.stderr.buffer.write(orjson.dumps(line, default=str) + b"\n")
    sys.stderr.buffer.flush()


class Recorder:
    """One per data directory. Raises LedgerError when that is taken or cannot be used."""

    def __init__(
        self,
        paths: Paths,
        log: Log = log_line,
        outbox: Outbox | None = None,
        balance: Balance | None = None,
        exports: Exporting | None = None,
    ) -> None:
        self._balance = balance
        self._paths = paths
        self._log = log
        self._failing = ""
        self._exports = exports
        self._shipping: _Shipping | None = None
        self._status_at = 0.0
        self._lock = _lock(paths.data_dir)
        try:
            self._spill = Spill(paths.data_dir)
            self._committer = Committer(
                paths, self._spill, log, outbox, exports, changed=self._write_status
            )
            self.counts = self._committer.counts
            for lost in self._spill.lost:
                self.counts.damaged += 1
                log("spill damaged", {"reason": lost})
            self._committer.open(first=True)
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
        if self._shipping is None:
            self._committer.work()
        if time.monotonic() > self._status_at:
            self._write_status()
        if self._balance is not None:
            self._balance.look()
        spans = self._tails.take()
        if not spans:
            return 0
        if self._store_spans(spans) or self._spill_spans(spans):
            self._tails.safe(spans)
            if self._balance is not None:
                self._balance.passed(spans)
            if self._shipping is None and self._committer.remote:
                self._committer.work()  # what was spilled a moment ago
            return len(spans)
        return 0

    def taken(self) -> Taken | None:
        """What the store that is open now has committed; None: none is."""
        store = self._committer.store
        return None if store is None else store.taken

    def _store_spans(self, spans: list[Span]) -> bool:
        """False: not stored. While older spans stand in the spill, newer ones queue behind
        them."""
        if self._committer.remote or not self._spill.empty or not self._committer.commit(spans):
            return False
        self._failing = ""
        return True

    def _spill_spans(self, spans: list[Span]) -> bool:
        try:
            self._spill.append(spans)
        except OSError as error:
            self.counts.spill_failures += 1
            if self._spill.empty:
                self._spill.clear()  # it may be what fills the disk
            self._fail(f"spill: {error.strerror}")
            return False
        self._failing = ""
        self.counts.spilled += len(spans)
        if self._shipping is not None:
            self._shipping.wake.set()
        return True

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
        return max(self._committer.acked(ring), self._spill.ends.get(ring, 0))

    # ------------------------------------------------------------------- lifecycle

    def close_orphans(self, live_generations: Collection[int], wall_ns: int = 0) -> int:
        """As `Committer.close_orphans`."""
        return self._committer.close_orphans(live_generations, wall_ns)

    def status(self) -> dict[str, Any]:
        return asdict(self.counts) | {
            "failing": self._failing or self._committer.failing,
            "store": self._committer.store is not None,
            "spill_bytes": self._spill.size(),
            "exports": self._exports.status() if self._exports is not None else {},
        }

    def _write_status(self) -> None:
        """For metrics and people: beside the rings, for it may be the disk that fails."""
        self._status_at = time.monotonic() + STATUS_EVERY_S
        path = self._paths.ring_dir / STATUS
        try:
            temporary = path.with_suffix(f".new-{threading.get_ident()}")
            temporary.write_bytes(orjson.dumps(self.status()))
            temporary.replace(path)
        except OSError:
            pass

    @property
    def failing(self) -> bool:
        return bool(self._failing or self._committer.failing)

    def drained(self) -> bool:
        """Nothing waits in a ring or in the spill."""
        return self._spill.empty and self._tails.lag() == 0

    def run(self, stop_fd: int, between: Callable[[], None] = lambda: None) -> None:
        """Until ``stop_fd`` is readable or closed; then one last pass over everything.
        ``between``: called after every pass behind which the store has all; it may ask the store,
        so where that is remote its thread calls."""
        poll = select.poll()
        poll.register(stop_fd, select.POLLIN | select.POLLHUP)
        interval_s = self._paths.interval_ms / 1000
        wait_s = interval_s
        if self._committer.remote:
            self._shipping = _Shipping(self._committer, interval_s, between)
        if self._exports is not None:
            self._exports.start()
        while not poll.poll(max(0, int(wait_s * 1000))):
            started = time.monotonic()
            self.step()
            if self._shipping is None and self._spill.empty and not self.failing:
                between()
            wait_s = interval_s - (time.monotonic() - started)
        self.finish()

    def finish(self, patience_s: float = 10.0) -> None:
        """Take what is left; give up only when nothing moves any more."""
        until = time.monotonic() + patience_s
        if self._shipping is not None and self._shipping.stop():
            self._shipping = None
        while time.monotonic() < until:
            if not self.step() and (self.drained() or self.failing):
                break
        if self._exports is not None:
            self._exports.stop()
            if self._shipping is None:
                self._committer.work()  # how far they came
        self._write_status()

    def close(self) -> None:
        self._tails.close()
        if self._shipping is not None:
            os.close(self._lock)  # a server that does not answer has its thread: the process ends
            return
        if self._committer.store is not None:
            self._spill.clear()
        self._spill.close()
        self._committer.close()
        os.close(self._lock)


class _Shipping:
    """The committer's own thread, where its store is remote."""

    def __init__(
        self, committer: Committer, interval_s: float, between: Callable[[], None]
    ) -> None:
        self._between = between
        self.wake = threading.Event()
        self._committer = committer
        self._interval_s = interval_s
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="fastgw-committer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending:
            self.wake.wait(self._interval_s)
            self.wake.clear()
            self._committer.work()
            if self._committer.store is not None and self._committer.spill.empty:
                self._between()

    def stop(self) -> bool:
        """False: a commit does not end."""
        self._ending = True
        self.wake.set()
        self._thread.join(_JOIN_S)
        return not self._thread.is_alive()


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
            if paths.store is not None and recorder.failing and not moved:
                break  # a server that is away: what is in the spill is safe
            if not moved:
                time.sleep(0.01)
        complete = recorder.drained() and not recorder.failing
        lost = recorder.close_orphans(live_generations) if complete else 0
        return Drained(recorder.counts.records, lost, complete)
    finally:
        recorder.close()
