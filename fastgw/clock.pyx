"""The two clocks, for Python code: the hot path calls native.clock itself."""

from fastgw.native.clock cimport fgw_clock_now_ns, fgw_clock_wall_ns


def now_ns() -> int:
    """Nanoseconds since boot (CLOCK_BOOTTIME), the time of limits and time-outs."""
    return fgw_clock_now_ns()


def wall_ns() -> int:
    """Nanoseconds since 1970-01-01T00:00:00Z (CLOCK_REALTIME), the time of records."""
    return fgw_clock_wall_ns()
