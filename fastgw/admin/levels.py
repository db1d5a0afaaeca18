"""Live buckets of an instance: the words of the segment with the names that the ledger knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from fastgw.clock import now_ns, wall_ns
from fastgw.errors import LedgerError, ShmError
from fastgw.ledger.names import BUCKET_PARTS
from fastgw.ledger.query import Ledger
from fastgw.ledger.records import NAME_BUCKET
from fastgw.ledger.schema import unsigned
from fastgw.limit import peek
from fastgw.limit.limits import UNITS
from fastgw.limit.windows import bounds
from fastgw.process.directory import read_document, read_instance
from fastgw.shm.segment import Segment

_UNIT_NAMES = {number: name for name, number in UNITS.items()}


def live_limits(
    data_dir: Path, *, name: str | None = None, key: str | None = None
) -> list[dict[str, Any]]:
    """One row a bucket in use, by name and key. Raises ShmError where no instance ran this boot.

    ``key`` matches a bucket whose key is it, or has it among its parts.
    """
    instance = read_instance(data_dir)
    if instance is None:
        raise ShmError(f"{data_dir}: no instance ever ran here")
    segment = Segment.attach(instance["segment"], readonly=True)
    known = _Known(data_dir, segment)
    entries = peek.entries(segment)
    # What a cluster granted is no bucket of its own: it stands beside one.
    grants = {peek.granted(entry.identity) for entry in entries}
    rows = [known.row(entry) for entry in entries if entry.identity not in grants]
    found = [
        row
        for row in rows
        if row is not None
        and (name is None or row["name"] == name)
        and (key is None or key == row["key"] or key in row["key"].split(", "))
    ]
    return sorted(found, key=lambda row: (row["name"], row["key"]))


class _Known:
    """What has to be known of all words to say what one is worth."""

    def __init__(self, data_dir: Path, segment: Segment) -> None:
        self._segment = segment
        self._names, self._ends, self._granted = _read_ledger(data_dir)
        self._capacities = _capacities(data_dir)
        self._held = peek.held(segment)
        self._now_ns, self._wall_ns = now_ns(), wall_ns()

    def row(self, entry: peek.Entry) -> dict[str, Any] | None:
        """None: it has gone meanwhile, or its window is over."""
        named = self._names.get(entry.identity, {})
        end_ns = self._ends.get(entry.identity, 0)
        if 0 < end_ns <= self._wall_ns:
            return None
        row: dict[str, Any] = {
            "id": f"{entry.identity[0]:016x}{entry.identity[1]:016x}",
            "name": named.get("name", f"?{entry.identity[0]:016x}"),
            "key": ", ".join(map(str, named.get("key", ()))),
            "unit": named.get("unit", _UNIT_NAMES.get(entry.unit, "?")),
            "enforced": named.get("enforced", True),
            "used": None, "held": None, "limit": None, "reset_ms": None,
            "granted": self._granted.get(entry.identity, 0),
            **{part: named.get(part, default) for part, default in BUCKET_PARTS.items()},
        }
        if not named:
            return row  # its name was lost, and with it what the word is worth
        # The capacity now in force, not that of when the bucket was first used.
        capacity = self._capacities.get(_identity(named), named["limit"])
        level = peek.level(
            self._segment, entry, capacity, named["period_ns"], self._now_ns,
            wall_ns=self._wall_ns, sliding=row["algorithm"] == "sliding_window",
            holding=self._held.get(entry.identity),
        )
        if level is None:
            return None  # evicted meanwhile: it was full
        reset_ns = level.reset_ns
        if row["window"]:
            reset_ns = self._until_end(row, end_ns)
        return row | {
            "used": level.used,
            "held": level.held,
            "limit": capacity,
            "reset_ms": -(-reset_ns // 1_000_000),
        }

    def _until_end(self, row: dict[str, Any], end_ns: int) -> int:
        """Of a calendar window; 0: it has no end. The ledger may not know it yet."""
        if end_ns == 0 and row["window"] != "total":
            _, end_ns = bounds(row["window"], row["time_zone"], self._wall_ns)
        return end_ns - self._wall_ns if end_ns else 0


def _identity(limit: dict[str, Any]) -> tuple[Any, ...]:
    of_kind = (limit.get(part, default) for part, default in BUCKET_PARTS.items())
    return (limit["name"], limit["unit"], limit["enforced"], *of_kind)


def _capacities(data_dir: Path) -> dict[tuple[Any, ...], int]:
    policy = read_document(data_dir / "policy.json") or {"limits": []}
    return {_identity(limit): limit["capacity"] for limit in policy["limits"]}


Identity = tuple[int, int]


def _read_ledger(
    data_dir: Path,
) -> tuple[dict[Identity, dict[str, Any]], dict[Identity, int], dict[Identity, int]]:
    """By identity: what its name says; when a cap's window is over; what was granted."""
    try:
        with Ledger(data_dir) as ledger:
            rows, ends = ledger.names(NAME_BUCKET), ledger.cap_ends()
            granted = ledger.granted()
    except LedgerError:
        return {}, {}, {}  # nothing recorded yet
    names = {
        (unsigned(hash0), unsigned(hash1)): orjson.loads(text) for _, hash0, hash1, text in rows
    }
    return names, ends, granted
