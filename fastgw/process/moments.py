"""Spans and instants as people type them: ``24h``, ``7d``, ``2027-01-01T00:00:00Z``."""

import time
from datetime import UTC, datetime

from fastgw.config.amounts import duration_ns


def since_ns(text: str, *, now_ns: int | None = None) -> int:
    """The instant (CLOCK_REALTIME, ns) that ``text`` means: so long ago, or a time of day.

    Raises ValueError.
    """
    span = duration_ns(text)
    if span is not None:
        return (time.time_ns() if now_ns is None else now_ns) - span
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a span (90s, 24h, 7d) nor a time") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp()) * 10**9
