"""Pace: slices follow the rate, and the store's slowness.

Method: a wallet's sum and the clock are integers of the test.
"""

from fastgw.cluster.pace import NEEDS, Pace

MS = 10**6


def spend(pace, rate, seconds, spent=0, now=0):
    for _ in range(int(seconds * 10)):
        now += 100 * MS
        spent += rate // 10
        pace.observe(spent, now)
    return spent, now


def test_an_unknown_wallet_gets_a_few_of_what_it_needs():
    assert Pace().target(1, 0.001) == NEEDS
    assert Pace().target(1500, 0.001) == 1500 * NEEDS
    assert Pace().low(8, 0.001) == 0


def test_what_was_last_asked_for_is_soon_forgotten():
    pace = Pace()
    assert pace.target(1000, 0) == 8000 and pace.target(0, 0) == 8000
    for _ in range(10):
        pace.target(1, 0)
    assert pace.target(0, 0) == NEEDS


def test_a_slice_lasts_half_a_second_of_what_is_spent():
    pace = Pace()
    spend(pace, 1000, 3)
    assert pace.target(0, 0.001) == 500
    assert 2 ** pace.low(500, 0.001) in (64, 128)  # a tenth of a second, as a power of two


def test_a_slow_store_needs_longer_slices_and_an_earlier_call():
    pace = Pace()
    spend(pace, 1000, 3)
    assert pace.target(0, 0.2) == 1600
    assert 2 ** pace.low(1600, 0.2) == 512


def test_a_rise_counts_at_once_and_a_fall_slowly():
    pace = Pace()
    spent, now = spend(pace, 100, 3)
    spent, now = spend(pace, 10_000, 0.1, spent, now)
    assert pace.rate == 10_000
    spent, now = spend(pace, 0, 2, spent, now)
    assert 4_500 < pace.rate < 5_500
    spend(pace, 0, 60, spent, now)
    assert pace.target(0, 0.001) == 1


def test_the_low_water_mark_is_never_above_half_of_a_slice():
    pace = Pace()
    spend(pace, 10_000, 3)
    assert 2 ** pace.low(100, 1.0) <= 50
