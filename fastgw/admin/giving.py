"""Grants and resets: which bucket somebody means, and the order to the supervisor to change it."""

from __future__ import annotations

import difflib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from fastgw.errors import FastgwError
from fastgw.process.levels import live_limits
from fastgw.process.orders import ask

AMOUNT_MAX = 1 << 62


class BucketUnknown(FastgwError):
    """No bucket in use is meant, or more than one; the text says what there is."""


def give(data_dir: Path, name: str, key: str, amount: object | None, by: str) -> dict[str, Any]:
    """Forgives ``amount`` of what the bucket has used; None: all of it. ``by``: through what.

    Returns {"name", "key", "unit", "before", "after"}, amounts as in /api/limits. Raises
    OrderError where nothing runs, BucketUnknown, and ValueError for a bad amount.
    """
    bucket = find(live_limits(data_dir), name, key)
    if bucket["limit"] is None:
        raise BucketUnknown(f"'{name}' is no limit of the configuration in force")
    wanted = None if amount is None else parse_amount(amount, bucket["unit"])
    parts = ("id", "name", "key", "unit", "algorithm", "limit", "period_ns")
    order = {part: bucket[part] for part in parts}
    answer = ask(data_dir, {**order, "amount": wanted, "by": by})
    return {"name": bucket["name"], "key": bucket["key"], "unit": bucket["unit"], **answer}


def find(live: list[dict[str, Any]], name: str, key: str) -> dict[str, Any]:
    """The one row meant. Raises BucketUnknown: none, with the nearest names; or several."""
    named = [row for row in live if row["name"] == name]
    if not named:
        near = _nearest(name, (row["name"] for row in live))
        raise BucketUnknown(f"no bucket of a limit '{name}' is in use{near}")
    meant = [row for row in named if row["key"] in (key, _shown(key))]
    if not meant:
        near = _nearest(key, (row["key"] for row in named))
        raise BucketUnknown(f"'{name}' has no bucket in use for '{key}'{near}")
    if len(meant) > 1:
        kinds = ", ".join(
            f"{row['unit']} ({row['algorithm']}{'' if row['enforced'] else ', shadow'})"
            for row in meant
        )
        raise BucketUnknown(f"'{name}' names several limits of that key: {kinds}; rename one")
    return meant[0]


def _shown(key: str) -> str:
    """A key given as a JSON array, as /api/limits shows it; anything else as it is."""
    try:
        values = orjson.loads(key)
    except orjson.JSONDecodeError:
        return key
    return ", ".join(map(str, values)) if isinstance(values, list) else key


def parse_amount(value: object, unit: str) -> int:
    """A whole number of the unit; of cost: dollars, to micro-dollars. Raises ValueError."""
    try:
        # bool is an int, and no amount.
        number = Decimal("" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        raise ValueError(f"amount: {value!r} is no number") from None
    if not number.is_finite():
        raise ValueError(f"amount: {value!r} is no number")
    if 0 < number < AMOUNT_MAX:  # before it is written out: 1e999999999 has as many digits
        number *= 1_000_000 if unit == "cost" else 1
        if number == int(number) and 0 < number < AMOUNT_MAX:
            return int(number)
    raise ValueError(f"amount: {value!r} is no positive amount of {unit}")


def _nearest(wanted: str, there: Any) -> str:
    known = sorted(set(there))
    if not known:
        return ": no bucket at all is"
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4) or known[:3]
    return "; near it: " + ", ".join(f"'{one}'" for one in near)
