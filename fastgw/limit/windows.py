"""Calendar windows of caps: when the hour, day, week or month that an instant lies in began, and
when it ends, by the clocks of a time zone.

Windows of one kind lie end to end over daylight saving and every other change of the zone's
clocks: a day begins at the first instant of its date, so it may last 23 or 25 hours. An hour is
an hour by the sun: where clocks are set back, the one that they show twice is two windows.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

WINDOWS = ("hour", "day", "week", "month", "total")
S = 1_000_000_000
HOUR = 3600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bounds(window: str, time_zone: str, wall_ns: int) -> tuple[int, int]:
    """(start, end) of the window around an instant, CLOCK_REALTIME in ns; (0, 0) for 'total'.

    Weeks begin on Monday. ValueError: no such window; KeyError: no such time zone.
    """
    if window not in WINDOWS:
        raise ValueError(f"no window {window!r}: it is one of {', '.join(WINDOWS)}")
    zone = UTC if time_zone == "UTC" else ZoneInfo(time_zone)
    if window == "total":
        return 0, 0
    second = wall_ns // S
    start, end = _hour(zone, second) if window == "hour" else _dates(window, zone, second)
    return start * S, end * S


def _local(zone: tzinfo, second: int) -> datetime:
    return (EPOCH + timedelta(seconds=second)).astimezone(zone)


def _ahead(zone: tzinfo, second: int) -> int:
    """Seconds that the zone's clocks are ahead of UTC."""
    ahead = _local(zone, second).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds())


def _hour(zone: tzinfo, second: int) -> tuple[int, int]:
    """Full hours by the zone's clocks. A change that is not of whole hours parts two windows."""
    ahead = _ahead(zone, second)
    start = (second + ahead) // HOUR * HOUR - ahead
    end = start + HOUR
    if (_ahead(zone, start) - ahead) % HOUR:
        start = _first(start, second, lambda at: _ahead(zone, at) == ahead)
    if (_ahead(zone, end - 1) - ahead) % HOUR:
        end = _first(second, end, lambda at: _ahead(zone, at) != ahead)
    return start, end


def _dates(window: str, zone: tzinfo, second: int) -> tuple[int, int]:
    date = _local(zone, second).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    if window == "week":
        date -= timedelta(days=date.weekday())
    elif window == "month":
        date = date.replace(day=1)
    after = _after(window, date)
    if second < _midnight(zone, after):
        return _midnight(zone, date), _midnight(zone, after)
    # Clocks were set back over midnight: the date that they showed before has begun for good.
    return _midnight(zone, after), _midnight(zone, _after(window, after))


def _after(window: str, date: datetime) -> datetime:
    if window == "month":
        return (date + timedelta(days=32)).replace(day=1)
    return date + timedelta(days=7 if window == "week" else 1)


def _midnight(zone: tzinfo, date: datetime) -> int:
    """The first instant of a date, which clocks may show as 01:00, or twice."""
    second = (date.replace(tzinfo=zone, fold=0) - EPOCH) // timedelta(seconds=1)
    if _local(zone, second).replace(tzinfo=None) == date:
        return second
    return _first(second - 24 * HOUR, second + 24 * HOUR,
                  lambda at: _local(zone, at).replace(tzinfo=None) >= date)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first second after `low`, up to `high`, from which on it holds."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
