"""The store: one transaction takes spans in, with their sums and acknowledgements.

Exactly once, whatever is killed: a ring's acknowledged position is committed with the records
before it, and what lies before that position is skipped when it comes again.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from fastgw.ledger.balance import Taken
from fastgw.ledger.database import Database, StoreFailed
from fastgw.ledger.drawn import Alert, CapRule, Drawn
from fastgw.ledger.fold import Fold, Tally, tally_of, unpack
from fastgw.ledger.lost import Costs, Lost
from fastgw.ledger.records import DIMS, NAME_MODEL, Close, Held, Open
from fastgw.ledger.schema import ROLLUPS, SUMS, signed
from fastgw.ledger.span import Span
from fastgw.ledger.sqlite import open_writer

_CACHE_MAX = 100_000

_UPSERT = (
    f"INSERT INTO rollup VALUES (?, ?, {', '.join('?' * len(SUMS))}) "
    "ON CONFLICT (minute, dims) DO UPDATE SET "
    + ", ".join(f"{name} = rollup.{name} + excluded.{name}" for name in SUMS)
)
_RENAME = (
    "INSERT INTO name VALUES (?, ?, ?, ?) ON CONFLICT (space, hash0, hash1) "
    "DO UPDATE SET text = excluded.text WHERE name.text <> excluded.text"
)
_BATCH = "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ACKNOWLEDGE = (
    "INSERT INTO ring VALUES (?, ?, ?, ?) ON CONFLICT (ring) DO UPDATE SET acked = "
    "CASE WHEN ring.acked > excluded.acked THEN ring.acked ELSE excluded.acked END"
)
_OPEN = (
    "INSERT INTO open VALUES (?, ?, ?, ?, ?) ON CONFLICT (generation, worker, sequence, attempt) "
    "DO UPDATE SET record = excluded.record"
)
_ATTEMPT = "WHERE (generation, worker, sequence, attempt) = (?, ?, ?, ?)"
_ADD_META = (
    "INSERT INTO meta VALUES (?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = meta.value + excluded.value"
)


@dataclass(slots=True)
class Stored:
    """What one commit added."""

    records: int = 0
    requests: int = 0
    denied: int = 0
    closes: int = 0
    lost: int = 0  # closes written for attempts of workers that ended
    late: int = 0  # closes of attempts that were closed already: left out
    alerts: list[Alert] = field(default_factory=list)  # fractions of caps that were reached


class _Rows:
    """What a pass adds to the tables, until it is written."""

    __slots__ = ("acked", "batches", "names", "pages")

    def __init__(self) -> None:
        self.batches: list[tuple[Any, ...]] = []
        self.pages: list[tuple[int, int, int, int]] = []
        self.acked: list[tuple[int, int, int, int]] = []
        self.names: dict[tuple[int, int, int], bytes] = {}


class Store:
    """The writing side; one per data directory. Methods raise StoreFailed: spill then.

    ``place``: a data directory, whose file of SQLite is meant, or a database.
    """

    def __init__(
        self,
        place: Path | Database,
        rules: Sequence[CapRule] = (),
        *,
        alerts_wanted: bool = False,
        costs: Costs | None = None,
    ) -> None:
        self.database = database = place if isinstance(place, Database) else open_writer(place)
        self._costs = costs
        self._fold = Fold()
        self.taken = Taken()
        self._acked: dict[int, int] = {}
        self._dims: dict[bytes, int] = {}
        self._names: dict[tuple[int, int, int], bytes] = {}
        self._next_batch = 0
        try:
            self.drawn = Drawn(database, rules, wanted=alerts_wanted)
            self._load()
        except BaseException:
            database.close()
            raise

    def _load(self) -> None:
        database = self.database
        self._acked = dict(
            database.rows(
                "SELECT ring, acked FROM ring WHERE slot BETWEEN ? AND ?",
                database.first, database.last,
            )
        )
        self._next_batch = self._after("batch")
        self._dims.clear()
        self._names.clear()

    def _after(self, table: str) -> int:
        """The next number that this instance may give."""
        database = self.database
        row = database.row(
            f"SELECT max(id) FROM {table} WHERE id BETWEEN ? AND ?", database.first, database.last
        )
        newest = row[0] if row is not None else None
        return 1 + (database.first if newest is None else int(newest))

    def close(self) -> None:
        self.database.close()

    def acked(self, ring: int) -> int:
        """Position before which all records of a ring are stored."""
        return self._acked.get(ring or self.database.first, 0)

    def commit(self, spans: list[Span]) -> Stored:
        """Store what of the spans is not stored yet, in one synced transaction."""
        todo = [fresh for span in spans if (fresh := span.after(self.acked(span.ring)))]
        if len(todo) > 1:
            # Workers first: the supervisor's records speak of attempts that workers opened.
            todo.sort(key=lambda span: (span.from_supervisor, span.first))
        stored, rows = Stored(), _Rows()
        self._fold.clear()
        self.taken.begin()
        try:
            with self.database.transaction():
                for span in todo:
                    self._take(span, stored, rows)
                self._write(rows)
                self._write_rollups()
                self._write_attempts()
                self.drawn.write()
        except BaseException:
            self._forget()
            raise
        self.taken.end(True)
        stored.alerts = self.drawn.kept()
        return stored

    def _forget(self) -> None:
        """What was cached of a transaction that is not."""
        self.taken.end(False)
        try:
            self._load()
            self.drawn.load()
        except StoreFailed:
            pass  # who was told that the commit failed opens the store anew

    def _take(self, span: Span, stored: Stored, rows: _Rows) -> None:
        database, records = self.database, span.records
        if span.from_supervisor and records:
            lost = Lost(database, self._fold, lambda close: self._price(close, rows))
            records = lost.settle(records)
            stored.lost += lost.closed
            stored.late += lost.late
        if records:
            # What the spill packed is stored as it is, unless the sweep's closes came to more.
            packed = span.packed if records is span.records else b""
            tally = self._fold.add(records, packed=not packed)
            self.taken.add(records)
            self._take_batch(span, packed or tally.packed, tally, rows)
            self.database.put_attempts(self._next_batch - 1, records)
            for name in tally.names:
                rows.names[name[:3]] = name[3]
            self.drawn.add(
                records, capped=tally.capped > 0, from_supervisor=span.from_supervisor
            )
            stored.records += tally.records
            stored.requests += tally.requests + tally.counted
            stored.denied += tally.denied + tally.counted
            stored.closes += tally.closes
        ring = span.ring or database.first  # ring 0 is each instance's own
        rows.acked.append((ring, database.first + span.slot, span.lane, span.next))
        self._acked[ring] = max(span.next, self.acked(ring))

    def _price(self, close: Close, rows: _Rows) -> tuple[int, int] | None:
        """What a lost attempt cost by what was counted of it; None: nobody knows."""
        if self._costs is None:
            return None
        key = (NAME_MODEL, signed(close.dims.upstream_model), 0)
        row = (rows.names.get(key),)
        if row[0] is None:
            row = self.database.row(
                "SELECT text FROM name WHERE (space, hash0, hash1) = (?, ?, ?)", *key
            ) or (None,)
        return self._costs(close, row[0].decode(errors="replace")) if row[0] else None

    def _take_batch(self, span: Span, packed: bytes, tally: Tally, rows: _Rows) -> None:
        batch = self._next_batch
        self._next_batch += 1
        rows.batches.append((
            batch,
            span.ring,
            span.first,
            span.next,
            tally.wall_first,
            tally.wall_last,
            tally.records,
            tally.requests,
            tally.denied,
            tally.counted,
            tally.closes,
            zlib.crc32(packed),
            packed,
        ))
        first = self.database.first
        for generation, worker, page in tally.pages:
            rows.pages.append((first + generation, worker, page, batch))

    def _write(self, rows: _Rows) -> None:
        """What the spans came to, a statement for each table that has some of it."""
        database = self.database
        if rows.batches:
            database.run_many(_BATCH, rows.batches)
        if rows.pages:
            database.run_many("INSERT INTO page VALUES (?, ?, ?, ?)", rows.pages)
        if rows.acked:
            database.run_many(_ACKNOWLEDGE, rows.acked)
        if rows.names:
            self._write_names(rows.names)

    def _write_names(self, names: dict[tuple[int, int, int], bytes]) -> None:
        """In one order everywhere: instances that share a database wait for no one who waits."""
        fresh = {key: text for key, text in names.items() if self._names.get(key) != text}
        if not fresh:
            return
        self.database.run_many(_RENAME, [(*key, fresh[key]) for key in sorted(fresh)])
        if len(self._names) > _CACHE_MAX:
            self._names.clear()
        self._names.update(fresh)

    def _write_rollups(self) -> None:
        rows = self._fold.rollups()
        if not rows:
            return
        if len(self._dims) > _CACHE_MAX:
            self._dims.clear()
        self.database.run_many(
            _UPSERT, [(row[1], self._dims_id(row[0]), *row[2:]) for row in rows]
        )

    def _dims_id(self, key: bytes) -> int:
        known = self._dims.get(key)
        if known is None:
            own = self.database.own(key)
            row = self.database.row("SELECT id FROM dims WHERE key = ?", own)
            known = int(row[0]) if row is not None else self._new_dims(key, own)
            self._dims[key] = known
        return known

    def _new_dims(self, key: bytes, own: bytes) -> int:
        *hashes, dialect, operation, stream, tier = DIMS.unpack(key)
        id = self._after("dims")
        self.database.run(
            f"INSERT INTO dims VALUES (?, ?{', ?' * 13})",
            id, own, *map(signed, hashes), dialect, operation, stream, tier,
        )
        return id

    def _write_attempts(self) -> None:
        opened, closed = self._fold.attempts()
        database, first = self.database, self.database.first
        if first:
            opened = [(key[0] + first, *key[1:]) for key in opened]
            closed = [(key[0] + first, *key[1:]) for key in closed]
        # In this order the table stays as large as it is, and no page of it is split and merged.
        if closed:
            database.run_many(f"DELETE FROM open {_ATTEMPT}", closed)
        if opened:
            database.run_many(_OPEN, opened)
        for key, held in self._fold.held():
            self._hold((key[0] + first, *key[1:]), held)

    def _hold(self, key: tuple[int, int, int, int], held: Held) -> None:
        """Who is lost leaves what it holds, not what it held at first."""
        row = self.database.row(f"SELECT record FROM open {_ATTEMPT}", *key)
        if row is not None:
            record = held.upon(Open.unpack(row[0])).pack()
            self.database.run(f"UPDATE open SET record = ? {_ATTEMPT}", record, *key)

    def open_workers(self) -> list[tuple[int, int]]:
        """(generation, worker) of all that have attempts without a close."""
        database = self.database
        rows = database.rows(
            "SELECT DISTINCT generation, worker FROM open WHERE generation BETWEEN ? AND ?",
            database.first, database.last,
        )
        return [(generation - database.first, worker) for generation, worker in rows]

    # ------------------------------------------------------------------ age

    def exported(self, marks: dict[str, int]) -> None:
        """``marks``: by export, up to which batch all is delivered."""
        if not marks:
            return
        database = self.database
        with database.transaction():
            database.run_many(
                "INSERT INTO exported VALUES (?, ?) "
                "ON CONFLICT (export) DO UPDATE SET batch = excluded.batch",
                [(database.own_text(name), batch) for name, batch in marks.items()],
            )

    def prune(
        self, before_ns: int, batches_max: int = 200, *, now_ns: int | None = None
    ) -> int:
        """Delete old batches, a few at a time; roll-ups stay. Returns how many were deleted.

        ``now_ns``: what is dated later was written by a clock that ran ahead: it is as old as
        what was stored behind it.
        """
        database = self.database
        oldest = "FROM batch WHERE id BETWEEN ? AND ?"
        mine = (database.first, database.last)
        upto = self._ran_ahead(before_ns, now_ns)
        if upto is None:
            return 0
        rows = database.rows(
            f"SELECT id, wall_last, packed {oldest} ORDER BY id LIMIT {batches_max}", *mine
        )
        old = list(takewhile(lambda row: row[1] < before_ns or row[0] < upto, rows))
        with database.transaction():
            for batch, _, packed in old:
                self._delete_batch(batch, packed)
        database.shrink()
        return len(old)

    def _ran_ahead(self, before_ns: int, now_ns: int | None) -> int | None:
        """Before which batch all are old, whatever their clock said; None: nothing is old."""
        database = self.database
        mine = (database.first, database.last)
        which = "SELECT id, wall_last FROM batch WHERE id BETWEEN ? AND ?"
        first = database.row(f"{which} ORDER BY id LIMIT 1", *mine)
        if first is not None and now_ns is not None and first[1] > now_ns:
            first = database.row(f"{which} AND wall_last <= ? ORDER BY id LIMIT 1", *mine, now_ns)
        return None if first is None or first[1] >= before_ns else first[0]

    def _delete_batch(self, batch: int, packed: bytes) -> None:
        database, tally = self.database, tally_of(unpack(packed))
        database.run_many(
            "DELETE FROM page WHERE (generation, worker, page, batch) = (?, ?, ?, ?)",
            [(database.first + page[0], *page[1:], batch) for page in tally.pages],
        )
        database.run("DELETE FROM batch WHERE id = ?", batch)
        database.drop_attempts(batch)
        self._add_meta(
            pruned_closes=tally.closes,
            pruned_requests=tally.requests,
            pruned_denied=tally.denied,
            pruned_counted=tally.counted,
        )

    def _add_meta(self, **sums: int) -> None:
        rows = [(self.database.own_text(name), number) for name, number in sums.items()]
        self.database.run_many(_ADD_META, rows)

    def age(self, before_minute: Sequence[int], rows_max: int = 1000) -> int:
        """One bite of roll-ups moves on: of minutes into hours, of hours into days, of days away.

        ``before_minute``: for each table of `ROLLUPS`, the minute before which its rows are old.
        Returns how many rows moved. Sums stay what they were, but for days that go: what of
        requests, refusals and attempts goes with those stands in `meta`.
        """
        for index, (table, _) in enumerate(ROLLUPS):
            coarser = ROLLUPS[index + 1] if index + 1 < len(ROLLUPS) else None
            step = coarser[1] if coarser is not None else 1
            moved = self._move(table, coarser, before_minute[index] // step * step, rows_max)
            if moved:
                return moved
        return 0

    def _move(
        self, table: str, coarser: tuple[str, int] | None, before: int, rows_max: int
    ) -> int:
        database = self.database
        mine = "dims BETWEEN ? AND ?"
        old = database.rows(
            f"SELECT minute, dims FROM {table} WHERE minute < ? AND {mine} "
            "ORDER BY minute, dims LIMIT ?",
            before, database.first, database.last, rows_max,
        )
        if not old:
            return 0
        which = f"WHERE (minute, dims) <= (?, ?) AND {mine}"
        values = (*old[-1], database.first, database.last)
        sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in SUMS)
        with database.transaction():
            if coarser is not None:
                into, step = coarser
                database.run(
                    f"INSERT INTO {into} SELECT minute / {step} * {step} AS start, dims, {sums} "
                    f"FROM {table} {which} GROUP BY start, dims "
                    "ON CONFLICT (minute, dims) DO UPDATE SET "
                    + ", ".join(f"{name} = {into}.{name} + excluded.{name}" for name in SUMS),
                    *values,
                )
            else:
                gone = database.row(
                    f"SELECT sum(requests), sum(denied), sum(attempts) FROM {table} {which}",
                    *values,
                ) or (0, 0, 0)
                self._add_meta(
                    aged_requests=int(gone[0] or 0),
                    aged_denied=int(gone[1] or 0),
                    aged_attempts=int(gone[2] or 0),
                )
            database.run(f"DELETE FROM {table} {which}", *values)
        database.shrink()
        return len(old)
