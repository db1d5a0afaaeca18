"""The store's side of a recorder: commits, replays the spill, tells of alerts, lets age.

Nothing of it touches a ring, so that where the store is remote all of it may have a thread of its
own, and a slow server is felt by nobody but the spill log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from fastgw.config.model import KEEP_ALL, Retention, Secret
from fastgw.errors import LedgerError
from fastgw.ledger.database import StoreFailed
from fastgw.ledger.drawn import Alert, CapRule
from fastgw.ledger.lost import Costs, ended_mark
from fastgw.ledger.ring import SUPERVISOR
from fastgw.ledger.span import Span
from fastgw.ledger.spill import Spill
from fastgw.ledger.store import Store
from fastgw.ledger.stores import open_writing
from fastgw.ledger.vocabulary import UNITS

Log = Callable[[str, dict[str, Any]], None]
UNSENT_MAX = 100  # looked at together
_RETRY_EVERY_S = 0.5
_AGE_EVERY_S = 1.0
_BITE_EVERY_S = 0.25  # while there is something old
_PRUNE_CAPS_EVERY_S = 600.0  # no index tells which windows are over: all rows are read
_MINUTE_NS = 60_000_000_000
_SPILL_KEPT = 4 << 20  # of a spill that is in use all the time


@dataclass(slots=True)
class Paths:
    """Where a recorder works, and how."""

    data_dir: Path
    ring_dir: Path
    interval_ms: int = 50
    retention: Retention = KEEP_ALL
    rules: tuple[CapRule, ...] = ()  # caps with alerts, or with a rule for lost workers
    alerts_wanted: bool = False  # somebody is to be told of alerts, by an Outbox
    store: Secret | None = None  # a database's URL; None: SQLite in data_dir
    costs: Costs | None = None  # prices attempts of workers that were lost


class Outbox(Protocol):
    """Who tells somebody of alerts; nothing of it blocks. Only the committer calls."""

    def put(self, alert: Alert) -> bool:
        """False: full. An alert that is on its way already is taken, and goes once."""

    def done(self) -> list[tuple[Alert, int]]:
        """What became of alerts since the last call: SENT or GIVEN_UP (fastgw.ledger.drawn)."""


class Exporting(Protocol):
    """Who sends attempts elsewhere (fastgw.process.exports). Only the committer calls."""

    def marks(self) -> dict[str, int]:
        """By export: up to which batch all is delivered, where that is not stored yet."""

    def stored(self, marks: dict[str, int]) -> None:
        """These are kept now: a store that failed gets them again."""

    def status(self) -> dict[str, Any]:
        """By export, what people want to know of it."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """What can be delivered at once, is."""


@dataclass(slots=True)
class Counts:
    """What a recorder did since it started; also in ring_dir/recorder.json."""

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
    pruned: int = 0  # batches
    aged: int = 0  # rows of roll-ups that moved on
    alerts: int = 0


@dataclass
class Committer:
    """One per data directory. ``changed`` is called when there is something new for people."""

    paths: Paths
    spill: Spill
    log: Log
    outbox: Outbox | None = None
    exports: Exporting | None = None
    changed: Callable[[], None] = lambda: None
    counts: Counts = field(default_factory=Counts)
    failing: str = ""
    store: Store | None = None

    def __post_init__(self) -> None:
        self._unsent = self.outbox is not None  # what the last instance could not tell
        self._retry_at = self._age_at = self._prune_caps_at = 0.0

    @property
    def remote(self) -> bool:
        """Commits may take long: records go into the spill first, and from there."""
        return self.paths.store is not None

    # ------------------------------------------------------------------- one pass

    def work(self) -> int:
        """All but what the rings hold now. Returns how many spans left the spill."""
        if self.store is not None and self.spill.empty and self._nobody_waits():
            return 0
        if self.store is None:
            self.open()
        moved = 0 if self.spill.empty else self._replay()
        if self.store is not None:
            self._tell(self.store)
        if self.store is not None:
            self._age(self.store)
        return moved

    def _nobody_waits(self) -> bool:
        """So it is before nearly every commit, 20 times a second: seen with few looks."""
        told = self.outbox is None and self.exports is None
        return told and time.monotonic() < self._age_at

    def commit(self, spans: list[Span]) -> bool:
        """False: not stored, and they belong into the spill."""
        if self.store is None:
            return False
        try:
            stored = self.store.commit(spans)
        except StoreFailed as error:
            self._store_failed(error)
            return False
        except (ValueError, OverflowError) as error:
            if len(spans) == 1:
                return self._put_aside(spans[0], str(error))
            # The first that is not stored ends it: what a ring says later acknowledges all before.
            return all(self.commit([span]) for span in spans)
        self.failing = ""
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

    def _put_aside(self, span: Span, reason: str) -> bool:
        """A span that cannot be read must not stop all that come after it: a file keeps it."""
        name = f"damaged-{span.ring:016x}-{span.first}.bin"
        try:
            (self.paths.data_dir / name).write_bytes(span.records)
        except OSError as error:
            self._fail(f"{name}: {error.strerror}")
            return False
        self.counts.damaged += 1
        self.log("span damaged", {"file": name, "reason": reason})
        return self.commit([replace(span, records=b"", packed=b"")])

    def _replay(self) -> int:
        """Spilled spans into the store, for about one interval; then others have their turn."""
        until = time.monotonic() + self.paths.interval_ms / 1000
        moved = 0
        while self.store is not None:
            try:
                spans = self.spill.pending()
                if not spans:
                    if not self.remote:
                        self.spill.clear()
                        self.log("spill replayed", {"spans": self.counts.replayed})
                        self.changed()
                    elif self.spill.on_disk > _SPILL_KEPT:
                        self.spill.clear()
                    return moved
            except OSError as error:
                self._fail(f"spill: {error.strerror}")
                return moved
            if not self.commit(spans):
                return moved
            self.spill.stored()
            self.counts.replayed += len(spans)
            moved += len(spans)
            if time.monotonic() > until:
                return moved
        return moved

    # ------------------------------------------------------------------- the store

    def open(self, *, first: bool = False) -> None:
        """At the start a store that is not ours is an error; later, and when it is only busy or
        full, the spill log takes over until it is back."""
        if time.monotonic() < self._retry_at:
            return
        paths = self.paths
        try:
            database = open_writing(paths.data_dir, paths.store)
            self.store = Store(
                database, paths.rules, alerts_wanted=paths.alerts_wanted, costs=paths.costs
            )
        except StoreFailed as error:
            if first and error.for_good:
                raise
            self._store_failed(error)
        except LedgerError:
            if first:
                raise
            self._retry_at = time.monotonic() + _RETRY_EVERY_S
        else:
            if self.failing:
                self.log("store is back", {})
            self.failing = ""
            self.changed()

    def acked(self, ring: int) -> int:
        return self.store.acked(ring) if self.store is not None else 0

    def _store_failed(self, error: StoreFailed) -> None:
        self.counts.store_failures += 1
        self._retry_at = time.monotonic() + _RETRY_EVERY_S
        if self.store is not None:
            self.store.close()
            self.store = None
        self._fail(f"store: {error}")

    def _fail(self, reason: str) -> None:
        """Said once, not every 50 ms."""
        if reason != self.failing:
            self.failing = reason
            self.log("ledger failing", {"reason": reason})
            self.changed()

    def close_orphans(self, live_generations: Collection[int], wall_ns: int = 0) -> int:
        """Close the open attempts of all workers whose generation is not live. Returns how many.

        Only where no other recorder and no such worker runs: at the start, after draining. Raises
        LedgerError when the store is down, since nobody then knows what is open.
        """
        if self.store is None:
            raise LedgerError(f"{self.paths.data_dir}: store is down ({self.failing})")
        before = self.counts.lost
        ring = self.store.acked(0)
        marks = [
            ended_mark(generation, worker, wall_ns or time.time_ns())
            for generation, worker in self.store.open_workers()
            if generation not in live_generations
        ]
        for raw in marks:
            ring += 8
            record = raw[:8] + (ring - 8).to_bytes(8, "little") + raw[16:]
            # Ring 0 is the recorder's own: no file, its positions count marks.
            if not self.commit([Span(0, SUPERVISOR, 0, ring - 8, ring, record)]):
                raise LedgerError(f"{self.paths.data_dir}: {self.failing}")
        return self.counts.lost - before

    def close(self) -> None:
        if self.store is not None:
            self.store.close()

    # ---------------------------------------------------------------------- alerts

    def _note_alert(self, alert: Alert) -> None:
        self.counts.alerts += 1
        self._unsent = self.outbox is not None
        self.log(
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

    def _tell(self, store: Store) -> None:
        """Alerts on their way to the outbox, and what became of them into the store; and how far
        exports have come."""
        try:
            if self.exports is not None:
                marks = self.exports.marks()
                store.exported(marks)
                self.exports.stored(marks)
            if self.outbox is None:
                return
            for alert, state in self.outbox.done():
                store.drawn.mark(alert, state)
                self._unsent = True  # there is room again
            if self._unsent:
                waiting = store.drawn.unsent(UNSENT_MAX)
                self._unsent = False
                for alert in waiting:
                    if not self.outbox.put(alert):
                        break
        except StoreFailed as error:
            self._store_failed(error)

    # ------------------------------------------------------------------------- age

    def _age(self, store: Store) -> None:
        """What is old goes in small bites between commits, however busy it is."""
        now_s = time.monotonic()
        if now_s < self._age_at:
            return
        try:
            store.database.beat()
            bitten = self._bite(store, now_s)
        except StoreFailed as error:
            self._store_failed(error)
            return
        except ValueError as error:
            # Said again and again, and never in the way of commits.
            self.log("what is old cannot be deleted", {"reason": str(error)})
            bitten = False
        self._age_at = now_s + (_BITE_EVERY_S if bitten else _AGE_EVERY_S)

    def _bite(self, store: Store, now_s: float) -> bool:
        now_ns, retention = time.time_ns(), self.paths.retention
        if now_s >= self._prune_caps_at:
            self._prune_caps_at = now_s + _PRUNE_CAPS_EVERY_S
            store.drawn.prune(now_ns)
        pruned = moved = 0
        if retention.decisions is not None:
            pruned = store.prune(now_ns - retention.decisions, now_ns=now_ns)
        if retention != KEEP_ALL:
            ages = (retention.minutely, retention.hourly, retention.daily)
            moved = store.age([
                0 if age is None else max(0, (now_ns - age) // _MINUTE_NS) for age in ages
            ])
        self.counts.pruned += pruned
        self.counts.aged += moved
        return bool(pruned or moved)
