"""What caps have been drawn, in the store: to be rebuilt from when shared memory is gone.

::

    cap     one row a cap, key and window: what settled requests have used of it
    alert   fractions of a cap that were reached: each once, whoever is restarted
    given   what was granted or reset from outside, by whom

All are written in the transaction that stores the records they come from.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fastgw.ledger.caps import Cap, Caps
from fastgw.ledger.database import Database
from fastgw.ledger.records import GRANT, NAME_BUCKET, Grant, split
from fastgw.ledger.schema import signed, unsigned

# What became of telling somebody of an alert.
UNSENT, SENT, GIVEN_UP, UNWANTED = 0, 1, 2, 3
_MILLION = 1_000_000
_LATE_NS = 86_400_000_000_000  # a window's row stays a day longer: closes may come late
_ALERTS_NS = 62 * _LATE_NS

_ADD = (
    "INSERT INTO cap VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (identity) DO UPDATE SET "
    "used = cap.used + excluded.used, capacity = excluded.capacity, "
    "window_end = CASE WHEN cap.window_end > excluded.window_end "
    "THEN cap.window_end ELSE excluded.window_end END"
)


@dataclass(frozen=True, slots=True)
class CapRule:
    """What the configuration says of a cap: ``rule`` is the hash of its name."""

    rule: int
    unit: int
    alert_at: tuple[float, ...] = ()  # rising
    progress: bool = False  # on_worker_lost


@dataclass(slots=True)
class Alert:
    """A fraction of a cap that was reached. Amounts in the cap's unit."""

    identity: bytes
    fraction: float
    rule: int
    unit: int
    used: int
    limit: int
    window_end_ns: int  # 0: never over
    wall_ns: int
    name: str = ""
    key: list[Any] = field(default_factory=list)

    @property
    def ppm(self) -> int:
        return round(self.fraction * _MILLION)


class Drawn:
    """The writing side; one per store. ``wanted``: somebody is to be told of alerts."""

    def __init__(
        self,
        database: Database,
        rules: Sequence[CapRule] = (),
        *,
        wanted: bool = False,
    ) -> None:
        self._database = database
        self._mine = (database.own(bytes(16)), database.own(b"\xff" * 16))
        self._progress = frozenset((one.rule, one.unit) for one in rules if one.progress)
        self._alert_at = {(one.rule, one.unit): one.alert_at for one in rules if one.alert_at}
        self._first_state = UNSENT if wanted else UNWANTED
        self.alerts: list[Alert] = []  # of the pass that is written
        self.load()

    def load(self) -> None:
        """Forget the pass; what is open is in the store."""
        database = self._database
        some = database.row(
            "SELECT 1 FROM cap WHERE identity BETWEEN ? AND ? LIMIT 1", *self._mine
        )
        self._caps = Caps(self._find, self._progress, some=some is not None)
        self.alerts = []
        if some is not None:
            for (opened,) in database.rows(
                "SELECT record FROM open WHERE generation BETWEEN ? AND ?",
                database.first, database.last,
            ):
                self._caps.add(opened)
            self._caps.kept()

    def _find(self, identity: bytes) -> tuple[int, int, int, int] | None:
        row = self._database.row(
            "SELECT rule, unit, capacity, window_end FROM cap WHERE identity = ?",
            self._database.own(identity),
        )
        return None if row is None else (unsigned(row[0]), *row[1:])

    def add(self, records: bytes, *, capped: bool = True, from_supervisor: bool) -> None:
        """``capped``: some of these requests have taken of a cap."""
        if capped or self._caps.some:
            self._caps.add(records)
        if from_supervisor:
            for raw in split(records):
                if raw[4] == GRANT:
                    self._give(Grant.unpack(raw))

    def _give(self, grant: Grant) -> None:
        database = self._database
        row = database.row(
            "SELECT max(id) FROM given WHERE id BETWEEN ? AND ?", database.first, database.last
        )
        newest = row[0] if row is not None and row[0] is not None else database.first
        database.run(
            "INSERT INTO given VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            newest + 1, *_given(grant, database),
        )

    def write(self) -> None:
        """The sums of the pass, and the alerts that they set off."""
        changed = self._caps.changed()
        if not changed:
            return
        self._database.run_many(_ADD, [_row(cap, self._database) for cap in changed])
        for cap in changed:
            fractions = self._alert_at.get((cap.rule, cap.unit), ())
            if cap.told < len(fractions) and cap.used > 0:
                self._watch(cap, fractions)

    def _watch(self, cap: Cap, fractions: tuple[float, ...]) -> None:
        row = self._database.row(
            "SELECT used FROM cap WHERE identity = ?", self._database.own(cap.identity)
        )
        assert row is not None  # it was written a moment ago
        (used,) = row
        for fraction in fractions[cap.told :]:
            alert = Alert(
                cap.identity,
                fraction,
                cap.rule,
                cap.unit,
                used,
                cap.limit,
                cap.window_end_ns,
                time.time_ns(),
            )
            if used * _MILLION < alert.ppm * cap.limit:
                return
            cap.told += 1
            if self._first(alert):
                self.alerts.append(self._named(alert))

    def _first(self, alert: Alert) -> bool:
        """False: it was set off before, in this window."""
        return 1 == self._database.run(
            "INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            self._database.own(alert.identity),
            alert.ppm,
            signed(alert.rule),
            alert.unit,
            alert.used,
            alert.limit,
            alert.window_end_ns,
            alert.wall_ns,
            self._first_state,
        )

    def kept(self) -> list[Alert]:
        """The pass is committed: its alerts."""
        self._caps.kept()
        alerts, self.alerts = self.alerts, []
        return alerts

    # ------------------------------------------------------------------ alerts

    def unsent(self, limit: int) -> list[Alert]:
        """The oldest alerts of which nobody was told yet."""
        rows = self._database.rows(
            "SELECT identity, fraction, rule, unit, used, capacity, window_end, wall_ns "
            "FROM alert WHERE state = ? AND identity BETWEEN ? AND ? ORDER BY wall_ns LIMIT ?",
            UNSENT, *self._mine, limit,
        )
        return [
            self._named(Alert(row[0][-16:], row[1] / _MILLION, unsigned(row[2]), *row[3:]))
            for row in rows
        ]

    def mark(self, alert: Alert, state: int) -> None:
        self._database.run(
            "UPDATE alert SET state = ? WHERE identity = ? AND fraction = ?",
            state, self._database.own(alert.identity), alert.ppm,
        )

    def _named(self, alert: Alert) -> Alert:
        words = (alert.identity[:8], alert.identity[8:])
        row = self._database.row(
            "SELECT text FROM name WHERE space = ? AND (hash0, hash1) = (?, ?)",
            NAME_BUCKET, *(signed(int.from_bytes(word, "little")) for word in words),
        )
        if row is not None:
            named = orjson.loads(row[0])
            alert.name, alert.key = named["name"], named.get("key", [])
        return alert

    # ------------------------------------------------------------------ age

    def prune(self, now_ns: int, rows_max: int = 1000) -> int:
        """Delete what belongs to windows that are long over. Returns how many rows."""
        deleted = 0
        for table, age_ns in (("cap", _LATE_NS), ("alert", _ALERTS_NS)):
            deleted += self._database.run(
                f"DELETE FROM {table} WHERE identity IN (SELECT identity FROM {table} "
                "WHERE window_end > 0 AND window_end < ? AND identity BETWEEN ? AND ? LIMIT ?)",
                now_ns - age_ns, *self._mine, rows_max,
            )
        return deleted


def _row(cap: Cap, database: Database) -> tuple[Any, ...]:
    identity = database.own(cap.identity)
    return identity, signed(cap.rule), cap.unit, cap.used, cap.limit, cap.window_end_ns


def _given(grant: Grant, database: Database) -> tuple[Any, ...]:
    identity = b"".join(word.to_bytes(8, "little") for word in grant.identity)
    return (
        grant.wall_ns,
        database.own(identity),
        signed(grant.rule),
        signed(grant.admin),
        grant.unit,
        grant.algorithm,
        signed(grant.amount),
        signed(grant.before),
        signed(grant.after),
    )
