"""Questions to a ledger, for the command line and the admin port; read-only, at any time."""

from __future__ import annotations

import sqlite3
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from fastgw.errors import LedgerError
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
    Open,
    Refused,
    RequestId,
    head,
    split,
    unpack_record,
)
from fastgw.ledger.schema import open_reader, unsigned
from fastgw.ledger.usage import sum_usage
from fastgw.ledger.vocabulary import UNITS, word

_PAGE_BITS = 8  # csrc/fgw_rollup.h
_ID_AT = 16
_ID = struct.Struct("<IHHQ")
_BATCHES_MAX = 10_000


class CapRow(NamedTuple):
    """``used``: held amounts included. ``window_end_ns`` 0: never over."""

    identity: tuple[int, int]
    unit: int
    used: int
    limit: int
    window_end_ns: int


class Ledger:
    """A read-only look at the ledger of one data directory. Raises LedgerError."""

    def __init__(self, data_dir: Path | str) -> None:
        self._connection = open_reader(Path(data_dir))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def _rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger cannot be read: {error}") from None

    def usage(
        self,
        since_ns: int | None = None,
        until_ns: int | None = None,
        by: Sequence[str] = (),
        labels: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Rows in the shape of INTERFACE section 5, for whole minutes of [since, until).

        ``by``: key, model, provider, upstream_model, user, dialect, operation, stream, minute,
        hour, day, owner.NAME, tags.NAME, or the bare name of a label, an owner's member or a tag.
        """
        try:
            return sum_usage(self._connection, since_ns, until_ns, by, labels)
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger cannot be read: {error}") from None

    def decision(self, request_id: str) -> dict[str, Any] | None:
        """One request as `/api/decisions/{id}` has it; None: not recorded (yet).

        Raises ValueError where ``request_id`` is none.
        """
        id = RequestId.parse(request_id)
        rows = self._rows(
            "SELECT crc, packed FROM page JOIN batch ON batch.id = page.batch "
            "WHERE (generation, worker, page) = (?, ?, ?) ORDER BY batch.id",
            id.generation,
            id.worker,
            id.sequence >> _PAGE_BITS,
        )
        story = Story()
        wanted = _ID.pack(id.generation, id.worker, 0, id.sequence)
        for crc, packed in rows:
            records = _unpack(crc, packed)
            if records.find(wanted) < 0:
                continue
            for raw in split(records):
                if raw[_ID_AT : _ID_AT + _ID.size] == wanted and raw[4] != REFUSED:
                    story.add(unpack_record(raw))
        return render(story, Names(self._connection)) if story.known else None

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
        rows = self._rows(
            "SELECT wall_last, crc, packed FROM batch WHERE requests > 0 "
            f"{'AND denied > 0 ' if only_denied else ''}ORDER BY id DESC LIMIT ?",
            _BATCHES_MAX,
        )
        for wall_last, crc, packed in rows:
            if wall_last < since_ns:
                return
            yield _unpack(crc, packed)

    def refused_counts(self, since_ns: int = 0) -> list[dict[str, Any]]:
        """Refusals that were only counted, by (rule, code, key): the crowd behind the samples."""
        names = Names(self._connection)
        totals: dict[tuple[int, int, int, int], int] = {}
        rows = self._rows(
            "SELECT crc, packed FROM batch WHERE counted > 0 AND wall_last >= ?", since_ns
        )
        for crc, packed in rows:
            for raw in split(_unpack(crc, packed)):
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
        rows = self._rows(
            "SELECT space, hash0, hash1, text FROM name WHERE ? IS NULL OR space = ?", space, space
        )
        return [(row[0], row[1], row[2], row[3].decode(errors="replace")) for row in rows]

    def open_attempts(self) -> list[dict[str, Any]]:
        """Attempts without their close, with what they may still cost."""
        opens = [Open.unpack(raw) for (raw,) in self._rows("SELECT record FROM open")]
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

    def caps(self, now_ns: int) -> list[CapRow]:
        """Every cap's word in windows that are not over: what was used, and what open attempts
        hold. Empty where the ledger was last written by a version without caps."""
        if not self._has("cap"):
            return []
        held: dict[bytes, int] = {}
        for (raw,) in self._rows("SELECT record FROM open"):
            for low, high, amount in Open.unpack(raw).held:
                identity = low.to_bytes(8, "little") + high.to_bytes(8, "little")
                held[identity] = held.get(identity, 0) + amount
        rows = self._rows(
            "SELECT identity, unit, used, capacity, window_end FROM cap "
            "WHERE window_end = 0 OR window_end > ?",
            now_ns,
        )
        return [
            CapRow(_words(identity), unit, max(0, used) + held.get(identity, 0), limit, end)
            for identity, unit, used, limit, end in rows
        ]

    def grants(self, identity: tuple[int, int] | None = None) -> list[dict[str, Any]]:
        """Changes of limits from outside, the oldest first; of one word, or of all."""
        if not self._has("given"):
            return []
        names = Names(self._connection)
        wanted = None if identity is None else b"".join(n.to_bytes(8, "little") for n in identity)
        rows = self._rows(
            "SELECT wall_ns, identity, rule, admin, unit, amount, before, after FROM given "
            "WHERE ? IS NULL OR identity = ? ORDER BY id",
            wanted,
            wanted,
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
        if not self._has("given"):
            return {}
        rows = self._rows("SELECT identity, sum(before - after) FROM given GROUP BY identity")
        return {_words(identity): amount for identity, amount in rows}

    def alerts(self) -> list[tuple[str, float, int, int]]:
        """(limit's name, fraction, state of fastgw.ledger.drawn, how many alerts)."""
        if not self._has("alert"):
            return []
        names = Names(self._connection)
        rows = self._rows(
            "SELECT rule, fraction, state, count(*) FROM alert GROUP BY rule, fraction, state"
        )
        return [
            (names.text(NAME_LIMIT, unsigned(rule), or_space=NAME_RULE), ppm / 1e6, state, number)
            for rule, ppm, state, number in rows
        ]

    def _has(self, table: str) -> bool:
        found = self._rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table)
        return any(True for _ in found)

    def totals(self) -> dict[str, int]:
        """Both sides of the invariant: what the batches hold, and what the roll-ups say.

        ``requests`` and ``denied`` include refusals that were only counted.
        """
        (batch,) = self._rows(
            "SELECT sum(requests + counted), sum(denied + counted), sum(closes) FROM batch"
        )
        (rollup,) = self._rows("SELECT sum(requests), sum(denied), sum(attempts) FROM rollup")
        pruned = dict(self._rows("SELECT key, value FROM meta"))
        counted = pruned.get("pruned_counted", 0)
        more = (
            pruned.get("pruned_requests", 0) + counted,
            pruned.get("pruned_denied", 0) + counted,
            pruned.get("pruned_closes", 0),
        )
        of_batches = [(number or 0) + extra for number, extra in zip(batch, more, strict=True)]
        ((opened,),) = self._rows("SELECT count(*) FROM open")
        fields = ("requests", "denied", "attempts")
        return {
            **dict(zip(fields, of_batches, strict=True)),
            **{f"rollup_{name}": number or 0 for name, number in zip(fields, rollup, strict=True)},
            "open": opened,
        }

    def texts(self) -> Names:
        """Hashes to texts, as this ledger has them."""
        return Names(self._connection)

    def begins_ns(self) -> int | None:
        """The first instant of which requests are still stored one by one; None: of none."""
        ((begin,),) = self._rows("SELECT min(wall_first) FROM batch WHERE wall_first > 0")
        return begin

    def records(self, since_ns: int = 0, until_ns: int = 2**63 - 1) -> Iterator[bytes]:
        """The stored records in the order stored, of batches that touch [since, until)."""
        rows = self._rows(
            "SELECT crc, packed FROM batch WHERE wall_last >= ? AND wall_first < ? ORDER BY id",
            since_ns,
            until_ns,
        )
        for crc, packed in rows:
            yield from split(_unpack(crc, packed))

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
        for name in ("requests", "denied", "attempts"):
            if totals[name] != totals[f"rollup_{name}"]:
                wrong.append(
                    f"{name}: {totals[name]} in batches, {totals['rollup_' + name]} in roll-ups"
                )
        return wrong


_ATTEMPT_AT = 120 + 64 + 32 + 8 + 4 + 2 + 2 + 4  # of a CLOSE, csrc/fgw_record.h


def _words(identity: bytes) -> tuple[int, int]:
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
    data_dir: Path | str, request_id: str, *, patience_s: float = 1.0
) -> dict[str, Any] | None:
    """`decision`, waiting for the recorder: complete within 1 s of the request's end."""
    until = time.monotonic() + patience_s
    with Ledger(data_dir) as ledger:
        while True:
            found = ledger.decision(request_id)
            if (found and found["complete"]) or time.monotonic() > until:
                return found
            time.sleep(0.02)


def usage(
    data_dir: Path | str,
    since_ns: int | None = None,
    until_ns: int | None = None,
    by: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> list[dict[str, Any]]:
    with Ledger(data_dir) as ledger:
        return ledger.usage(since_ns, until_ns, by, labels)


def decision(data_dir: Path | str, request_id: str) -> dict[str, Any] | None:
    with Ledger(data_dir) as ledger:
        return ledger.decision(request_id)


def decisions(
    data_dir: Path | str, *, verdict: str | None = None, since_ns: int = 0, limit: int = 100
) -> list[dict[str, Any]]:
    with Ledger(data_dir) as ledger:
        return ledger.decisions(verdict=verdict, since_ns=since_ns, limit=limit)
