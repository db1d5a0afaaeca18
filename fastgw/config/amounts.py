"""Durations, sizes, shares and rates as people write them, to exact integers.

Each parser returns None for what it does not understand: the caller knows the place.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

_UNIT_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
            "d": 86400 * 10**9}
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,9})?(?:ns|us|ms|s|m|h|d))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)", re.ASCII)
_DURATION_NS_MAX = 400 * 86400 * 10**9

_AGE = re.compile(r"(\d{1,6})(h|d|y)", re.ASCII)
_AGE_NS = {"h": _UNIT_NS["h"], "d": _UNIT_NS["d"], "y": 365 * _UNIT_NS["d"]}

_SIZE = re.compile(r"(\d{1,15})(B|KiB|MiB|GiB|kB|KB|MB|GB)?", re.ASCII)
_SIZE_BYTES = {"B": 1, None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
               "kB": 1000, "KB": 1000, "MB": 10**6, "GB": 10**9}

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s?%", re.ASCII)
_ALLOWANCE = re.compile(r"(\d{1,15}(?:\.\d{1,12})?)/(\S+)", re.ASCII)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{0,12})?", re.ASCII)

# Of any unit, cost in micro-dollars: a billion dollars. Header fields have 15 digits, no more.
AMOUNT_MAX = 10**15 - 1
# What the cell of a fixed or sliding window can hold (csrc/fgw_window.h).
WINDOW_CAPACITY_MAX = 1 << 43
WINDOW_PERIOD_MIN_NS = 1 << 21
WINDOWS = ("hour", "day", "week", "month", "total")


def duration_ns(value: object) -> int | None:
    """``500ms``, ``30s``, ``1h30m``: nanoseconds, 1 to 400 days."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        return None
    parts = _DURATION_PART.findall(value)
    total = sum(Decimal(number) * _UNIT_NS[unit] for number, unit in parts)
    if total != int(total) or not 0 < total <= _DURATION_NS_MAX:
        return None
    return int(total)


def age_ns(value: object) -> int | None:
    """``30d``, ``3y`` (of 365 days): nanoseconds, an hour to 100 years; 0: ``forever``."""
    if value == "forever":
        return 0
    match = _AGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    total = int(match[1]) * _AGE_NS[match[2]]
    return total if _UNIT_NS["h"] <= total <= 100 * _AGE_NS["y"] else None


def size_bytes(value: object) -> int | None:
    """``64KiB``, ``32MiB``, ``65536``: bytes, more than none."""
    match = _SIZE.fullmatch(str(value)) if type(value) in (str, int) else None
    return int(match[1]) * _SIZE_BYTES[match[2]] or None if match else None


def share(value: object) -> float | None:
    """``20%`` or ``0.2``: 0 to 1."""
    if isinstance(value, str):
        match = _PERCENT.fullmatch(value)
        value = float(match[1]) / 100 if match else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= 1 else None


def fraction(value: object) -> float | None:
    """A ``share`` above 0."""
    return share(value) or None


def number(text: str) -> Decimal | None:
    """``60``, ``250.00``: exactly, since no float is 0.1. At most 12 digits behind the point."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def micro_dollars(dollars: Decimal) -> int | None:
    """None: finer than a micro-dollar, which is all that is counted."""
    exact = Fraction(dollars) * 10**6
    return exact.numerator if exact.denominator == 1 else None


def whole(amount: Decimal) -> int | None:
    return int(amount) if amount == int(amount) else None


def allowance(value: object) -> tuple[Decimal, int, str] | None:
    """``60/1m``, ``250/month``: (amount, period in ns or 0, window or '')."""
    match = _ALLOWANCE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not Decimal(match[1]):
        return None
    if match[2] in WINDOWS:
        return Decimal(match[1]), 0, match[2]
    period_ns = duration_ns(match[2])
    return (Decimal(match[1]), period_ns, "") if period_ns else None


def instant_s(value: object) -> int | None:
    """RFC 3339 with its offset: seconds since 1970."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return int(at.timestamp()) if at and at.tzinfo else None


