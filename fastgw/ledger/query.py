"""Questions to a ledger, for the command line and the admin port; read-only, at any time."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from fastgw.errors import LedgerError
from fastgw.ledger.database import RANGE_BITS, Database
from fastgw.ledger.decision import Story, instant, render
from fastgw.ledger.fold import unpack
from fastgw.ledger.names import Names
from fastgw.ledger.records import (
    CLOSE,
    NAME_ADMIN,
    NAME_LIMIT,
    NAME_RULE,
    REFUSED,
    REQUEST,
    Name,
    Open,
    Refused,
    RequestId,
    head,
    is_quote,
    split,
    unpack_record,
)
from fastgw.ledger.schema import SUMS_4, unsigned, version_of
from fastgw.ledger.stores import open_reading
from fastgw.ledger.usage import rollups_of, sum_usage
from fastgw.ledger.vocabulary import UNITS, word

_PAGE_BITS = 8  # csrc/fgw_rollup.h
_ID_AT = 16
_ID = struct.Struct("<IHHQ")
_BATCHES_MAX = 10_000
_BATCHES_AT_ONCE = 64
SELF = "self"  # the instance of the data directory that is asked


class CapRow(NamedTuple):
    """``used``: held amounts included. ``window_end_ns`` 0: never over."""

    identity: tuple[int, int]
    unit: int
    used: int
    limit: int
    window_end_ns: int


class Ledger:
    """A read-only look at the ledger of one data directory. Raises LedgerError.

    ``place``: the directory, or its database.
    """

    def __init__(self, place: Path | str | Database) -> None:
        self._database = place if isinstance(place, Database) else open_reading(Path(place))
        # An older version's, until the recorder has brought it up, has fewer tables.
        self._version = version_of(self._database) or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    @property
    def database(self) -> Database:
        """For who looks up names."""
        return self._database

    def acked(self) -> dict[int, int]:
        """By ring: the position before which all of its records are stored."""
        database = self._database
        return dict(database.rows(
            "SELECT ring, acked FROM ring WHERE slot BETWEEN ? AND ?",
            database.first, database.last,
        ))

    def exported(self, export: str) -> int:
        """Up to which batch an export has delivered all; what comes before all of them: none."""
        database = self._database
        row = None
        if self._version >= 3:
            row = database.row(
                "SELECT batch FROM exported WHERE export = ?", database.own_text(export)
            )
        return database.first if row is None else int(row[0])

    def batches(self, after: int = 0) -> Iterator[tuple[int, int, bytes]]:
        """(number, wall clock of its last record, records) of each batch behind ``after``."""
        return self._batches("", after=after)

    def _batches(
        self, where: str, *values: Any, newest_first: bool = False, after: int = 0
    ) -> Iterator[tuple[int, int, bytes]]:
        """(id, wall_last, records) of this instance's batches, some at a time: other questions
        may be asked meanwhile, and the store is never held."""
        database = self._database
        first, last = max(database.first, after + 1), database.last
        while True:
            rows = database.rows(
                f"SELECT id, wall_last, crc, packed FROM batch WHERE id BETWEEN ? AND ? {where} "
                f"ORDER BY id {'DESC' if newest_first else ''} LIMIT {_BATCHES_AT_ONCE}",
                first, last, *values,
            )
            for id, wall_last, crc, packed in rows:
                yield id, wall_last, _unpack(crc, packed)
            if len(rows) < _BATCHES_AT_ONCE:
                return
            if newest_first:
                last = rows[-1][0] - 1
            else:
                first = rows[-1][0] + 1

    def usage(
        self,
        since_ns: int | None = None,
        until_ns: int | None = None,
        by: Sequence[str] = (),
        labels: Sequence[str] = (),
        key: str | None = None,
        instance: str | None = None,
    ) -> list[dict[str, Any]]:
        """Rows in the shape of INTERFACE section 5, for whole minutes of [since, until).

        What is old is known by the hour, what is older by the day: such a row counts where its
        beginning does, so that sums of neighbouring times add up.

        ``by``: key, model, provider, upstream_model, user, dialect, operation, stream, instance,
        minute, hour, day, owner.NAME, tags.NAME, or the bare name of a label, an owner's member or
        a tag. ``key``: of this one alone. ``instance``: one of those that share the database,
        `SELF` for this one; None: all.
        """
        within = () if instance is None else (self._instance(instance),)
        return sum_usage(self._database, since_ns, until_ns, by, labels, key, within)

    def _instance(self, name: str) -> int:
        """The number of an instance. Raises LedgerError."""
        if name == SELF:
            return self._database.instance
        known = self._database.instances()
        for number, text in known.items():
            if text == name:
                return number
        raise LedgerError(
            f"the ledger has no instance {name!r}; it has: {', '.join(sorted(known.values()))}"
        )

    def views(self, instance: str | None = None) -> list[Ledger]:
        """This ledger as each instance that shares its database sees it; of ``instance`` alone
        where one is named, as for `usage`. They share its connection."""
        if instance is None:
            numbers = list(self._database.instances())
        else:
            numbers = [self._instance(instance)]
        return [Ledger(self._database.of(number)) for number in numbers]

    def decision(
        self, request_id: str, instance: str | None = None
    ) -> dict[str, Any] | None:
        """One request as `/api/decisions/{id}` has it; None: not recorded (yet).

        Looked for in this instance, then in the others that share its database. Raises ValueError
        where ``request_id`` is none, LedgerError where several others have such a request.
        """
        id = RequestId.parse(request_id)
        wanted = SELF if instance is None else instance
        found = self._decision(id, self._instance(wanted))
        if found is not None or instance is not None:
            return found
        others = self._instances_with(id)
        if len(others) > 1:
            names = self._database.instances()
            raise LedgerError(
                f"several instances have a request {id}: "
                f"{', '.join(sorted(names[number] for number in others))}; name one"
            )
        return self._decision(id, others[0]) if others else None

    def _instances_with(self, id: RequestId) -> list[int]:
        """Who beside this instance has that request."""
        database = self._database
        others = [number for number in database.instances() if number != database.instance]
        if not others:
            return []
        rows = database.rows(
            f"SELECT DISTINCT generation FROM page WHERE generation IN ({_marks(others)}) "
            "AND worker = ? AND page = ?",
            *(database.of(number).first + id.generation for number in others),
            id.worker, id.sequence >> _PAGE_BITS,
        )
        near = [row[0] >> RANGE_BITS for row in rows]
        return [number for number in near if self._decision(id, number) is not None]

    def quotes(self, id: RequestId) -> list[Name]:
        """What the providers of a request's attempts said of their usage, in the order said."""
        return [Name.unpack(raw) for raw in _of_request(self._database, id) if is_quote(raw)]

    def _decision(self, id: RequestId, instance: int) -> dict[str, Any] | None:
        database = self._database.of(instance)
        story = Story()
        for raw in _of_request(database, id):
            if raw[4] != REFUSED:
                story.add(unpack_record(raw))
        if not story.known:
            return None
        told = render(story, Names(database))
        if database.remote:
            told["instance"] = database.instances().get(instance, f"#{instance}")
        return told

    def decisions(
        self, *, verdict: str | None = None, since_ns: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest requests first, at most ``limit``; ``verdict``: "allow", "deny" or both.

        Rows without what closes tell later are not waited for: `attempts` may be open.
        """
        found: list[dict[str, Any]] = []
        for records in self._newest(since_ns, only_denied=verdict == "deny"):
            ids = [
                raw[_ID_AT : _ID_AT + _ID.size]
                for raw in split(records)
                if raw[4] == REQUEST and _wanted(raw, verdict, since_ns)
            ]
            for raw_id in reversed(ids):
                generation, worker, _, sequence = _ID.unpack(raw_id)
                one = self.decision(str(RequestId(generation, worker, sequence)))
                if one is not None:
                    found.append(one)
                if len(found) >= limit:
                    return _newest_first(found)
        return _newest_first(found)

    def _newest(self, since_ns: int, *, only_denied: bool) -> Iterator[bytes]:
        where = "AND denied > 0" if only_denied else "AND requests > 0"
        newest = self._batches(where, newest_first=True)
        for _, wall_last, records in islice(newest, _BATCHES_MAX):
            if wall_last < since_ns:
                return
            yield records

    def refused_counts(self, since_ns: int = 0) -> list[dict[str, Any]]:
        """Refusals that were only counted, by (rule, code, key): the crowd behind the samples."""
        names = Names(self._database)
        totals: dict[tuple[int, int, int, int], int] = {}
        for _, _, records in self._batches("AND counted > 0 AND wall_last >= ?", since_ns):
            for raw in split(records):
                if raw[4] == REFUSED:
                    one = Refused.unpack(raw)
                    key = (one.rule, one.account, one.code, one.status)
                    totals[key] = totals.get(key, 0) + one.count
        return [
            {
                "rule": names.text(4, rule) or None,
                "key": names.account(account)["id"] if account else None,
                "code": f"FGW-{code:03d}" if code else None,
                "status": status,
                "count": count,
            }
            for (rule, account, code, status), count in sorted(totals.items())
        ]

    def names(self, space: int | None = None) -> list[tuple[int, int, int, str]]:
        """(space, hash, second half of a bucket's hash, text) of all names known."""
        which, values = ("", ()) if space is None else ("WHERE space = ?", (space,))
        rows = self._database.rows(f"SELECT space, hash0, hash1, text FROM name {which}", *values)
        return [(row[0], row[1], row[2], row[3].decode(errors="replace")) for row in rows]

    def open_attempts(self) -> list[dict[str, Any]]:
        """Attempts without their close, with what they may still cost."""
        opens = self._opens()
        return [
            {
                "request_id": str(one.id),
                "attempt": one.attempt,
                "wall_ns": one.wall_ns,
                "input_high": one.input_high,
                "output_high": one.output_high,
                "held": one.held,
            }
            for one in opens
        ]

    def _opens(self) -> list[Open]:
        database = self._database
        rows = database.rows(
            "SELECT record FROM open WHERE generation BETWEEN ? AND ? "
            "ORDER BY generation, worker, sequence, attempt",
            database.first, database.last,
        )
        return [Open.unpack(raw) for (raw,) in rows]

    def _mine(self) -> tuple[bytes, bytes]:
        """Between which this instance's identities of limits' words lie."""
        return self._database.own(bytes(16)), self._database.own(b"\xff" * 16)

    def caps(self, now_ns: int) -> list[CapRow]:
        """Every cap's word in windows that are not over: what was used, and what open attempts
        hold. Empty where the ledger was last written by a version without caps."""
        if self._version < 2:
            return []
        held: dict[bytes, int] = {}
        for opened in self._opens():
            for low, high, amount in opened.held:
                identity = low.to_bytes(8, "little") + high.to_bytes(8, "little")
                held[identity] = held.get(identity, 0) + amount
        rows = self._database.rows(
            "SELECT identity, unit, used, capacity, window_end FROM cap "
            "WHERE (window_end = 0 OR window_end > ?) AND identity BETWEEN ? AND ?",
            now_ns, *self._mine(),
        )
        return [
            CapRow(_words(identity), unit, max(0, used) + held.get(identity[-16:], 0), limit, end)
            for identity, unit, used, limit, end in rows
        ]

    def grants(self, identity: tuple[int, int] | None = None) -> list[dict[str, Any]]:
        """Changes of limits from outside, the oldest first; of one word, or of all."""
        if self._version < 2:
            return []
        names = Names(self._database)
        wanted = self._mine()
        if identity is not None:
            own = self._database.own(b"".join(n.to_bytes(8, "little") for n in identity))
            wanted = (own, own)
        rows = self._database.rows(
            "SELECT wall_ns, identity, rule, admin, unit, amount, before, after FROM given "
            "WHERE identity BETWEEN ? AND ? ORDER BY id",
            *wanted,
        )
        return [
            {
                "time": instant(row[0]),
                "name": names.text(NAME_LIMIT, unsigned(row[2]), or_space=NAME_RULE),
                "key": names.bucket(_words(row[1])).get("key", []),
                "unit": word(UNITS, row[4]),
                "admin": names.text(NAME_ADMIN, unsigned(row[3])),
                "amount": None if row[5] == -1 else row[5],
                "before": unsigned(row[6]),
                "after": unsigned(row[7]),
            }
            for row in rows
        ]

    def granted(self) -> dict[tuple[int, int], int]:
        """How much of what each word had used was forgiven from outside, ever."""
        if self._version < 2:
            return {}
        rows = self._database.rows(
            "SELECT identity, sum(before - after) FROM given "
            "WHERE identity BETWEEN ? AND ? GROUP BY identity",
            *self._mine(),
        )
        return {_words(identity): int(amount) for identity, amount in rows}

    def alerts(self) -> list[tuple[str, float, int, int]]:
        """(limit's name, fraction, state of fastgw.ledger.drawn, how many alerts)."""
        if self._version < 2:
            return []
        names = Names(self._database)
        rows = self._database.rows(
            "SELECT rule, fraction, state, count(*) FROM alert "
            "WHERE identity BETWEEN ? AND ? GROUP BY rule, fraction, state",
            *self._mine(),
        )
        return [
            (names.text(NAME_LIMIT, unsigned(rule), or_space=NAME_RULE), ppm / 1e6, state, number)
            for rule, ppm, state, number in rows
        ]

    def totals(self) -> dict[str, int]:
        """Both sides of the invariant: what the batches hold, and what the roll-ups say; what
        retention took away is counted on its side.

        ``requests`` and ``denied`` include refusals that were only counted.
        """
        with self._database.snapshot():
            return self._totals()

    def closed(self) -> tuple[int, tuple[int, ...]]:
        """(attempts that went with days too old to keep, what the roll-ups say of all others:
        sums of `CLOSED`)."""
        database = self._database
        wanted = ", ".join(f"sum({name})" for name in CLOSED)
        with database.snapshot():
            aged = database.row(
                "SELECT value FROM meta WHERE key = ?", database.own_text("aged_attempts")
            )
            parts = [
                database.row(
                    f"SELECT {wanted} FROM {table} WHERE dims BETWEEN ? AND ?",
                    database.first, database.last,
                ) or ()
                for table, _ in rollups_of(self._version)
            ]
        sums = tuple(sum(int(number or 0) for number in of) for of in zip(*parts, strict=True))
        return int(aged[0]) if aged is not None else 0, sums

    def _totals(self) -> dict[str, int]:
        database = self._database
        mine = (database.first, database.last)
        gone = dict(database.rows("SELECT key, value FROM meta"))
        pruned, aged = (
            [int(gone.get(database.own_text(f"{kind}_{name}"), 0)) for name in fields]
            for kind, fields in (
                ("pruned", ("requests", "denied", "closes", "counted")),
                ("aged", _BOTH_SIDES),
            )
        )
        batches = database.row(
            "SELECT sum(requests + counted), sum(denied + counted), sum(closes) FROM batch "
            "WHERE id BETWEEN ? AND ?",
            *mine,
        )
        assert batches is not None  # a sum is always one row
        pruned = [pruned[0] + pruned[3], pruned[1] + pruned[3], pruned[2]]
        rolled = list(aged)
        for table, _ in rollups_of(self._version):
            sums = database.row(
                f"SELECT sum(requests), sum(denied), sum(attempts) FROM {table} "
                "WHERE dims BETWEEN ? AND ?",
                *mine,
            )
            assert sums is not None
            rolled = [total + int(more or 0) for total, more in zip(rolled, sums, strict=True)]
        opened = database.row("SELECT count(*) FROM open WHERE generation BETWEEN ? AND ?", *mine)
        assert opened is not None
        return {
            **{
                name: int(number or 0) + extra
                for name, number, extra in zip(_BOTH_SIDES, batches, pruned, strict=True)
            },
            **{f"rollup_{name}": n for name, n in zip(_BOTH_SIDES, rolled, strict=True)},
            "open": opened[0],
        }

    def begins_ns(self) -> int | None:
        """The first instant of which requests are still stored one by one; None: of none."""
        found = self._database.row(
            "SELECT min(wall_first) FROM batch WHERE wall_first > 0 AND id BETWEEN ? AND ?",
            self._database.first, self._database.last,
        )
        return None if found is None or found[0] is None else int(found[0])

    def records(self, since_ns: int = 0, until_ns: int = 2**63 - 1) -> Iterator[bytes]:
        """The stored records in the order stored, of batches that touch [since, until)."""
        where = "AND wall_last >= ? AND wall_first < ?"
        for _, _, records in self._batches(where, since_ns, until_ns):
            yield from split(records)

    def verify(self) -> list[str]:
        """Read everything again and compare: what is wrong, one line each; empty: all is well."""
        wrong: list[str] = []
        seen: set[tuple[bytes, int]] = set()
        closes = 0
        try:
            for raw in self.records():
                if raw[4] != CLOSE:
                    continue
                closes += 1
                key = (raw[_ID_AT : _ID_AT + _ID.size], raw[_ATTEMPT_AT])
                if key in seen:
                    wrong.append(
                        f"attempt {raw[_ATTEMPT_AT]} of {head(raw).id}: two closes"
                    )
                seen.add(key)
        except LedgerError as error:
            wrong.append(str(error))
        totals = self.totals()
        for name in _BOTH_SIDES:
            if totals[name] != totals[f"rollup_{name}"]:
                wrong.append(
                    f"{name}: {totals[name]} in batches, {totals['rollup_' + name]} in roll-ups"
                )
        return wrong


def _of_request(database: Database, id: RequestId) -> Iterator[bytes]:
    """All stored records of one request, in the order stored."""
    rows = database.rows(
        "SELECT crc, packed FROM page JOIN batch ON batch.id = page.batch "
        "WHERE (generation, worker, page) = (?, ?, ?) ORDER BY batch.id",
        database.first + id.generation,
        id.worker,
        id.sequence >> _PAGE_BITS,
    )
    wanted = _ID.pack(id.generation, id.worker, 0, id.sequence)
    for crc, packed in rows:
        records = _unpack(crc, packed)
        if records.find(wanted) < 0:
            continue
        for raw in split(records):
            if raw[_ID_AT : _ID_AT + _ID.size] == wanted:
                yield raw


def _marks(values: Sequence[int]) -> str:
    return ", ".join("?" * len(values))


_BOTH_SIDES = ("requests", "denied", "attempts")
# Of roll-ups, what `fgw_books` sums of CLOSEs, in its order.
CLOSED = (
    "attempts", "input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning",
    "audio_input", "audio_output", "cost_nano_usd", "cost_unknown", *SUMS_4,
)  # fmt: skip
_ATTEMPT_AT = 120 + 64 + 32 + 8 + 4 + 2 + 2 + 4  # of a CLOSE, csrc/fgw_record.h


def _words(identity: bytes) -> tuple[int, int]:
    identity = identity[-16:]
    return int.from_bytes(identity[:8], "little"), int.from_bytes(identity[8:], "little")


def _unpack(crc: int, packed: bytes) -> bytes:
    if zlib.crc32(packed) != crc:
        raise LedgerError("a batch in the ledger is damaged (checksum)")
    return unpack(packed)


def _wanted(raw: bytes, verdict: str | None, since_ns: int) -> bool:
    record = unpack_record(raw)
    denied = getattr(record, "verdict", 0) == 1
    return record.wall_ns >= since_ns and (verdict is None or denied == (verdict == "deny"))


def _newest_first(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda one: one["time"], reverse=True)


def wait_for_decision(
    data_dir: Path | str,
    request_id: str,
    *,
    instance: str | None = None,
    patience_s: float = 1.0,
) -> dict[str, Any] | None:
    """`decision`, waiting for the recorder: complete within 1 s of the request's end."""
    until = time.monotonic() + patience_s
    with Ledger(data_dir) as ledger:
        while True:
            found = ledger.decision(request_id, instance)
            if (found and found["complete"]) or time.monotonic() > until:
                return found
            time.sleep(0.02)


def usage(
    data_dir: Path | str,
    since_ns: int | None = None,
    until_ns: int | None = None,
    by: Sequence[str] = (),
    labels: Sequence[str] = (),
    key: str | None = None,
    instance: str | None = None,
) -> list[dict[str, Any]]:
    with Ledger(data_dir) as ledger:
        return ledger.usage(since_ns, until_ns, by, labels, key, instance)


def decision(data_dir: Path | str, request_id: str) -> dict[str, Any] | None:
    with Ledger(data_dir) as ledger:
        return ledger.decision(request_id)


def decisions(
    data_dir: Path | str, *, verdict: str | None = None, since_ns: int = 0, limit: int = 100
) -> list[dict[str, Any]]:
    with Ledger(data_dir) as ledger:
        return ledger.decisions(verdict=verdict, since_ns=since_ns, limit=limit)
