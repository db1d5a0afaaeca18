"""Live buckets of an instance: the words of the segment with the names that the ledger knows."""

from __future__ import annotations

from collections.abc import Callable
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
from fastgw.process.directory import read_document, read_instance
from fastgw.shm.segment import Segment

_UNIT_NAMES = {number: name for name, number in UNITS.items()}


def live_limits(
    data_dir: Path, *, name: str | None = None, key: str | None = None,
    of: Callable[[dict[str, Any]], bool] = lambda named: True,
) -> list[dict[str, Any]]:
    """One row a bucket in use, by name and key. Raises ShmError where no instance ran this boot.

    ``key`` matches a bucket whose key is it, or has it among its parts. ``of``: whether a bucket
    with this name (LimitSpec.bucket_text) is wanted.
    """
    instance = read_instance(data_dir)
    if instance is None:
        raise ShmError(f"{data_dir}: no instance ever ran here")
    segment = Segment.attach(instance["segment"], readonly=True)
    names, granted = _read_ledger(data_dir)
    capacities = _capacities(data_dir)
    held = peek.held(segment)
    now, wall = now_ns(), wall_ns()
    found = []
    for entry in peek.entries(segment):
        named = names.get(entry.identity, {})
        if entry.kind == "grant" or not of(named):
            continue  # what the cluster granted of another row's limit
        row = _row(segment, entry, named, capacities, held.get(entry.identity, 0), now, wall)
        if row is not None:
            row["granted"] = granted.get(entry.identity, 0)
        if (
            row is not None
            and (name is None or row["name"] == name)
            and (key is None or key == row["key"] or key in row["key"].split(", "))
        ):
            found.append(row)
    return sorted(found, key=lambda row: (row["name"], row["key"]))


def _row(
    segment: Segment,
    entry: peek.Entry,
    named: dict[str, Any],
    capacities: dict[tuple[Any, ...], int],
    held: int,
    now: int,
    wall: int,
) -> dict[str, Any] | None:
    row: dict[str, Any] = {
        "id": f"{entry.identity[0]:016x}{entry.identity[1]:016x}",
        "name": named.get("name", f"?{entry.identity[0]:016x}"),
        "key": ", ".join(map(str, named.get("key", ()))),
        "unit": named.get("unit", _UNIT_NAMES.get(entry.unit, "?")),
        "enforced": named.get("enforced", True),
        "used": None, "held": None, "limit": None, "reset_ms": None,
        **{part: named.get(part, default) for part, default in BUCKET_PARTS.items()},
    }
    if not named:
        return row  # its name was lost, and with it what the word is worth
    # The capacity now in force, not that of when the bucket was first used.
    capacity = capacities.get(_identity(named), named["limit"])
    level = peek.level(
        segment, entry, capacity, named["period_ns"], now, wall_ns=wall, holding=held,
        sliding=named["algorithm"] == "sliding_window",
    )
    if level is None:
        return None  # evicted meanwhile: it was full
    grant = peek.find(segment, peek.granted(entry.identity))
    if grant is not None:
        # Of a fleet's limit: what this node may still spend of it is free, the rest used.
        level = level._replace(used=max(0, capacity - max(0, grant.raw - entry.raw)))
    reset_ns, ends_ns = level.reset_ns, named.get("window_end_ns", 0)
    if ends_ns:
        if ends_ns <= wall and not level.held:
            return None  # its window is over, it waits for its eviction
        reset_ns = max(0, ends_ns - wall)
    return row | {
        "used": level.used,
        "held": level.held,
        "limit": capacity,
        "reset_ms": -(-reset_ns // 1_000_000),
    }


def _identity(limit: dict[str, Any]) -> tuple[Any, ...]:
    of_kind = (limit.get(part, default) for part, default in BUCKET_PARTS.items())
    return (limit["name"], limit["unit"], limit["enforced"], *of_kind)


def _capacities(data_dir: Path) -> dict[tuple[Any, ...], int]:
    policy = read_document(data_dir / "policy.json") or {"limits": []}
    return {_identity(limit): limit["capacity"] for limit in policy["limits"]}


def _read_ledger(
    data_dir: Path,
) -> tuple[dict[tuple[int, int], dict[str, Any]], dict[tuple[int, int], int]]:
    """By identity: what its name says, and how much was granted of it."""
    try:
        with Ledger(data_dir) as ledger:
            rows, granted = ledger.names(NAME_BUCKET), ledger.granted()
    except LedgerError:
        return {}, {}  # nothing recorded yet
    names = {
        (unsigned(hash0), unsigned(hash1)): orjson.loads(text) for _, hash0, hash1, text in rows
    }
    return names, granted
