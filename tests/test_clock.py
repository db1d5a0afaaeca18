"""The two clocks (csrc/fgw_clock.h): one that never jumps, and the wall's.

Method: each reading must lie between two readings of the same kernel clock by Python.
"""

import time

from fastgw import clock


def test_now_is_the_time_since_boot_as_the_kernel_has_it():
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    now = clock.now_ns()

    assert before <= now <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_wall_is_the_time_of_the_wall_clock():
    before = time.clock_gettime_ns(time.CLOCK_REALTIME)
    now = clock.wall_ns()

    assert before - 10**9 <= now <= time.clock_gettime_ns(time.CLOCK_REALTIME) + 10**9


def test_now_never_goes_back():
    seen = [clock.now_ns() for _ in range(1000)]

    assert seen == sorted(seen)
