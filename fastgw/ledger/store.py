"""The SQLite store: one transaction takes spans in, with their sums and acknowledgements.

Exactly once, whatever is killed: a ring's acknowledged position is committed with the records
before it, and what lies before that position is skipped when it comes again.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastgw.ledger.drawn import Alert, CapRule, Drawn
from fastgw.ledger.fold import Fold, Tally, pack, tally_of, unpack
from fastgw.ledger.lost import Lost
from fastgw.ledger.records import DIMS, Held, Open
from fastgw.ledger.schema import SUMS, open_writer, signed
from fastgw.ledger.span import Span

_CACHE_MAX = 100_000

_UPSERT = (
    f"INSERT INTO rollup VALUES (?, ?, {', '.join('?' * len(SUMS))}) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
)
_RENAME = (
    "INSERT INTO name VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text "
    "WHERE text <> excluded.text"
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


class Store:
    """The writing side; one per data directory. Methods raise sqlite3.Error: spill then."""

    def __init__(
        self, data_dir: Path, rules: Sequence[CapRule] = (), *, alerts_wanted: bool = False
    ) -> None:
        self._connection = open_writer(data_dir)
        self._fold = Fold()
        self.drawn = Drawn(self._connection, rules, wanted=alerts_wanted)
        self._acked: dict[int, int] = {}
        self._dims: dict[bytes, int] = {}
        self._names: dict[tuple[int, int, int], bytes] = {}
        self._load()

    def _load(self) -> None:
        self._acked = dict(self._connection.execute("SELECT ring, acked FROM ring"))
        self._dims.clear()
        self._names.clear()

    def close(self) -> None:
        self._connection.close()

    def acked(self, ring: int) -> int:
        """Position before which all records of a ring are stored."""
        return self._acked.get(ring, 0)

    def commit(self, spans: list[Span]) -> Stored:
        """Store what of the spans is not stored yet, in one synced transaction."""
        todo = [fresh for span in spans if (fresh := span.after(self.acked(span.ring)))]
        # Workers first: the supervisor's records speak of attempts that workers opened.
        todo.sort(key=lambda span: (span.from_supervisor, span.first))
        connection = self._connection
        stored = Stored()
        self._fold.clear()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for span in todo:
                self._take(span, stored)
            self._write_rollups()
            self._write_attempts()
            self.drawn.write()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._load()
            self.drawn.load()
            raise
        stored.alerts = self.drawn.kept()
        return stored

    def _take(self, span: Span, stored: Stored) -> None:
        records = span.records
        if span.from_supervisor and records:
            lost = Lost(self._connection, self._fold)
            records = lost.settle(records)
            stored.lost += lost.closed
            stored.late += lost.late
        if records:
            tally = self._fold.add(records)
            self._write_batch(span, records, tally)
            self._write_names(tally.names)
            self.drawn.add(records, from_supervisor=span.from_supervisor)
            stored.records += tally.records
            stored.requests += tally.requests + tally.counted
            stored.denied += tally.denied + tally.counted
            stored.closes += tally.closes
        self._connection.execute(
            "INSERT INTO ring VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET acked = max(acked, excluded.acked)",
            (span.ring, span.slot, span.lane, span.next),
        )
        self._acked[span.ring] = max(span.next, self.acked(span.ring))

    def _write_batch(self, span: Span, records: bytes, tally: Tally) -> None:
        packed = pack(records)
        cursor = self._connection.execute(
            "INSERT INTO batch VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
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
            ),
        )
        batch = cursor.lastrowid
        self._connection.executemany(
            "INSERT INTO page VALUES (?, ?, ?, ?)", [(*page, batch) for page in tally.pages]
        )

    def _write_names(self, names: list[tuple[int, int, int, bytes]]) -> None:
        fresh = [name for name in names if self._names.get(name[:3]) != name[3]]
        if not fresh:
            return
        self._connection.executemany(_RENAME, fresh)
        if len(self._names) > _CACHE_MAX:
            self._names.clear()
        for name in fresh:
            self._names[name[:3]] = name[3]

    def _write_rollups(self) -> None:
        rows = self._fold.rollups()
        if len(self._dims) > _CACHE_MAX:
            self._dims.clear()
        self._connection.executemany(
            _UPSERT, [(row[1], self._dims_id(row[0]), *row[2:]) for row in rows]
        )

    def _dims_id(self, key: bytes) -> int:
        known = self._dims.get(key)
        if known is not None:
            return known
        row = self._connection.execute("SELECT id FROM dims WHERE key = ?", (key,)).fetchone()
        if row is None:
            *hashes, dialect, operation, stream = DIMS.unpack(key)
            row = self._connection.execute(
                f"INSERT INTO dims VALUES (NULL, ?{', ?' * 12}) RETURNING id",
                (key, *map(signed, hashes), dialect, operation, stream),
            ).fetchone()
        self._dims[key] = row[0]
        return int(row[0])

    def _write_attempts(self) -> None:
        opened, closed = self._fold.attempts()
        self._connection.executemany("INSERT OR REPLACE INTO open VALUES (?, ?, ?, ?, ?)", opened)
        self._connection.executemany(
            "DELETE FROM open WHERE (generation, worker, sequence, attempt) = (?, ?, ?, ?)", closed
        )
        for key, held in self._fold.held():
            self._hold(key, held)

    def _hold(self, key: tuple[int, int, int, int], held: Held) -> None:
        """Who is lost leaves what it holds, not what it held at first."""
        where = "WHERE (generation, worker, sequence, attempt) = (?, ?, ?, ?)"
        row = self._connection.execute(f"SELECT record FROM open {where}", key).fetchone()
        if row is not None:
            record = held.upon(Open.unpack(row[0])).pack()
            self._connection.execute(f"UPDATE open SET record = ? {where}", (record, *key))

    def open_workers(self) -> list[tuple[int, int]]:
        """(generation, worker) of all that have attempts without a close."""
        rows = self._connection.execute("SELECT DISTINCT generation, worker FROM open")
        return [(generation, worker) for generation, worker in rows]

    def prune(self, before_ns: int, batches_max: int = 200) -> int:
        """Delete old batches, a few at a time; roll-ups stay. Returns how many were deleted."""
        connection = self._connection
        rows = connection.execute(
            "SELECT id, wall_last, packed FROM batch ORDER BY id LIMIT ?", (batches_max,)
        ).fetchall()
        old = [row for row in rows if row[1] < before_ns]
        if not old:
            return 0
        connection.execute("BEGIN IMMEDIATE")
        try:
            for batch, _, packed in old:
                self._delete_batch(batch, packed)
            connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return len(old)

    def _delete_batch(self, batch: int, packed: bytes) -> None:
        tally = tally_of(unpack(packed))
        self._connection.executemany(
            "DELETE FROM page WHERE (generation, worker, page, batch) = (?, ?, ?, ?)",
            [(*page, batch) for page in tally.pages],
        )
        self._connection.execute("DELETE FROM batch WHERE id = ?", (batch,))
        self._connection.executemany(
            "INSERT INTO meta VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [
                ("pruned_closes", tally.closes),
                ("pruned_requests", tally.requests),
                ("pruned_denied", tally.denied),
                ("pruned_counted", tally.counted),
            ],
        )
