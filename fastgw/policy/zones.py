"""Time zones as the tables that csrc/fgw_cel_time.c reads: from when on which offset holds."""

from __future__ import annotations

import functools
import struct
import zoneinfo
from datetime import UTC, datetime

_ENTRY = struct.Struct("<qii")
_FIRST = int(datetime(1850, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(2150, 1, 1, tzinfo=UTC).timestamp())  # later years keep the last offset
_STEP = 2 * 86_400  # no zone has changed its offset and changed it back within two days


@functools.lru_cache(maxsize=64)
def zone_table(name: str) -> bytes:
    """The offsets of an IANA zone, as struct fgw_cel_zone. Raises ValueError for another name."""
    zone = _named(name)
    offset = _offset(zone, _FIRST)
    table = [_ENTRY.pack(_FIRST, offset, 0)]
    for second in range(_FIRST, _LAST, _STEP):
        after = _offset(zone, second + _STEP)
        if after != offset:
            since = _change(zone, second, second + _STEP)
            offset = _offset(zone, since)
            table.append(_ENTRY.pack(since, offset, 0))
            if after != offset:  # twice in one step: the rest of it once more
                since = _change(zone, since, second + _STEP)
                offset = after
                table.append(_ENTRY.pack(since, offset, 0))
    return b"".join(table)


def zone_offset(name: str, second: int) -> int:
    """Seconds that the zone is east of UTC at an instant, as its table says, without making one:
    that takes 100 ms, and ``name`` may be a client's. Raises ValueError for another name."""
    return _offset(_named(name), min(max(second, _FIRST), _LAST))


@functools.lru_cache(maxsize=1024)  # all that exist; what raises is not kept
def _named(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError(f"no time zone is called {name!r}") from None


def _offset(zone: zoneinfo.ZoneInfo, second: int) -> int:
    ahead = datetime.fromtimestamp(second, zone).utcoffset()
    return 0 if ahead is None else round(ahead.total_seconds())


def _change(zone: zoneinfo.ZoneInfo, low: int, high: int) -> int:
    """The first second of (low, high] that has another offset than ``low``."""
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high
