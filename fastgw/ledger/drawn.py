"""What caps have been drawn, in the store: to be rebuilt from when shared memory is gone.

::

    cap     one row a cap, key and window: what settled requests have used of it
    alert   fractions of a cap that were reached: each once, whoever is restarted
    given   what was granted or reset from outside, by whom

All are written in the transaction that stores the records they come from.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fastgw.ledger.caps import Cap, Caps
from fastgw.ledger.records import GRANT, NAME_BUCKET, Grant, split
from fastgw.ledger.schema import signed, unsigned

# What became of telling somebody of an alert.
UNSENT, SENT, GIVEN_UP, UNWANTED = 0, 1, 2, 3
_MILLION = 1_000_000
_LATE_NS = 86_400_000_000_000  # a window's row stays a day longer: closes may come late
_ALERTS_NS = 62 * _LATE_NS

_ADD = (
    "INSERT INTO cap VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "used = used + excluded.used, capacity = excluded.capacity, "
    "window_end = max(window_end, excluded.window_end)"
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
        connection: sqlite3.Connection,
        rules: Sequence[CapRule] = (),
        *,
        wanted: bool = False,
    ) -> None:
        self._connection = connection
        self._progress = frozenset((one.rule, one.unit) for one in rules if one.progress)
        self._alert_at = {(one.rule, one.unit): one.alert_at for one in rules if one.alert_at}
        self._first_state = UNSENT if wanted else UNWANTED
        self.alerts: list[Alert] = []  # of the pass that is written
        self.load()

    def load(self) -> None:
        """Forget the pass; what is open is in the store."""
        (some,) = self._connection.execute("SELECT EXISTS (SELECT 1 FROM cap)").fetchone()
        self._caps = Caps(self._find, self._progress, some=bool(some))
        self.alerts = []
        if some:
            for (opened,) in self._connection.execute("SELECT record FROM open"):
                self._caps.add(opened)
            self._caps.kept()

    def _find(self, identity: bytes) -> tuple[int, int, int, int] | None:
        row = self._connection.execute(
            "SELECT rule, unit, capacity, window_end FROM cap WHERE identity = ?", (identity,)
        ).fetchone()
        return None if row is None else (unsigned(row[0]), *row[1:])

    def add(self, records: bytes, *, from_supervisor: bool) -> None:
        self._caps.add(records)
        if from_supervisor:
            self._connection.executemany(
                "INSERT INTO given VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_given(Grant.unpack(raw)) for raw in split(records) if raw[4] == GRANT],
            )

    def write(self) -> None:
        """The sums of the pass, and the alerts that they set off."""
        changed = self._caps.changed()
        if not changed:
            return
        self._connection.executemany(_ADD, [_row(cap) for cap in changed])
        for cap in changed:
            fractions = self._alert_at.get((cap.rule, cap.unit), ())
            if cap.told < len(fractions) and cap.used > 0:
                self._watch(cap, fractions)

    def _watch(self, cap: Cap, fractions: tuple[float, ...]) -> None:
        (used,) = self._connection.execute(
            "SELECT used FROM cap WHERE identity = ?", (cap.identity,)
        ).fetchone()
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
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                alert.identity,
                alert.ppm,
                signed(alert.rule),
                alert.unit,
                alert.used,
                alert.limit,
                alert.window_end_ns,
                alert.wall_ns,
                self._first_state,
            ),
        )
        return cursor.rowcount == 1

    def kept(self) -> list[Alert]:
        """The pass is committed: its alerts."""
        self._caps.kept()
        alerts, self.alerts = self.alerts, []
        return alerts

    # ------------------------------------------------------------------ alerts

    def unsent(self, limit: int) -> list[Alert]:
        """The oldest alerts of which nobody was told yet."""
        rows = self._connection.execute(
            "SELECT identity, fraction, rule, unit, used, capacity, window_end, wall_ns "
            "FROM alert WHERE state = ? ORDER BY wall_ns LIMIT ?",
            (UNSENT, limit),
        ).fetchall()
        return [
            self._named(Alert(row[0], row[1] / _MILLION, unsigned(row[2]), *row[3:]))
            for row in rows
        ]

    def mark(self, alert: Alert, state: int) -> None:
        self._connection.execute(
            "UPDATE alert SET state = ? WHERE identity = ? AND fraction = ?",
            (state, alert.identity, alert.ppm),
        )

    def _named(self, alert: Alert) -> Alert:
        words = (alert.identity[:8], alert.identity[8:])
        row = self._connection.execute(
            "SELECT text FROM name WHERE space = ? AND (hash0, hash1) = (?, ?)",
            (NAME_BUCKET, *(signed(int.from_bytes(word, "little")) for word in words)),
        ).fetchone()
        if row is not None:
            named = orjson.loads(row[0])
            alert.name, alert.key = named["name"], named.get("key", [])
        return alert

    # ------------------------------------------------------------------ age

    def prune(self, now_ns: int, rows_max: int = 1000) -> int:
        """Delete what belongs to windows that are long over. Returns how many rows."""
        deleted = 0
        for table, age_ns in (("cap", _LATE_NS), ("alert", _ALERTS_NS)):
            cursor = self._connection.execute(
                f"DELETE FROM {table} WHERE identity IN (SELECT identity FROM {table} "
                "WHERE window_end > 0 AND window_end < ? LIMIT ?)",
                (now_ns - age_ns, rows_max),
            )
            deleted += cursor.rowcount
        return deleted


def _row(cap: Cap) -> tuple[Any, ...]:
    return cap.identity, signed(cap.rule), cap.unit, cap.used, cap.limit, cap.window_end_ns


def _given(grant: Grant) -> tuple[Any, ...]:
    identity = b"".join(word.to_bytes(8, "little") for word in grant.identity)
    return (
        grant.wall_ns,
        identity,
        signed(grant.rule),
        signed(grant.admin),
        grant.unit,
        grant.algorithm,
        signed(grant.amount),
        signed(grant.before),
        signed(grant.after),
    )
