"""Spans and instants as people type them: ``24h``, ``7d``, ``2027-01-01T00:00:00Z``."""

import time
from datetime import UTC, datetime

from fastgw.config.amounts import age_ns, duration_ns


def since_ns(text: str, *, now_ns: int | None = None) -> int:
    """The instant (CLOCK_REALTIME, ns) that ``text`` means: so long ago, or a time of day.

    Raises ValueError.
    """
    span = duration_ns(text) or age_ns(text)
    if span:
        return (time.time_ns() if now_ns is None else now_ns) - span
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a span (90s, 24h, 7d, 3y) nor a time (2027-01-31, "
            "2027-01-31T08:00:00Z)"
        ) from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp()) * 10**9


def between_ns(
    since: str, until: str | None, *, now_ns: int | None = None
) -> tuple[int, int | None]:
    """The instants of a time from ``since`` to before ``until`` (None: now, and on). Raises
    ValueError: neither, or no time lies between them."""
    begin = since_ns(since, now_ns=now_ns)
    if until is None:
        return begin, None
    end = since_ns(until, now_ns=now_ns)
    if end <= begin:
        raise ValueError(f"until {until!r} is not after since {since!r}: no time lies between")
    return begin, end
