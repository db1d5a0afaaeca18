"""Windows: calendar windows lie end to end over every change of a zone's clocks.

Method: whole years of several zones are walked window by window: each begins where the last one
ended, and any instant in it finds it. The lengths that occur are those that the zone's daylight
saving makes; single dates are given by hand.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from fastgw.limit.windows import bounds

S = 1_000_000_000
HOUR = 3600 * S


def at(zone, *when, fold=0):
    return int(datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * S


def walk(window, zone, year):
    """The windows of one year. AssertionError: there is a gap, or one overlaps the next."""
    now = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * S
    end = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()) * S
    found = []
    while now < end:
        window_start, window_end = bounds(window, zone, now)
        assert window_start <= now < window_end
        assert not found or window_start == found[-1][1] == now
        for inside in (window_start, (window_start + window_end) // 2, window_end - 1):
            assert bounds(window, zone, inside) == (window_start, window_end)
        found.append((window_start, window_end))
        now = window_end
    return found


def lengths(found):
    """Hours of each window but the first and last, and how many there are of such."""
    hours = [(end - start) / HOUR for start, end in found]
    return {length: hours.count(length) for length in sorted(set(hours))}


@pytest.mark.parametrize("zone, year, expected", [
    ("UTC", 2024, {24: 366}),
    ("Europe/Berlin", 2024, {23: 1, 24: 365, 25: 1}),
    ("America/New_York", 2023, {23: 1, 24: 364, 25: 1}),
    ("America/Havana", 2024, {23: 1, 24: 365, 25: 1}),  # midnight itself is left out, or twice
    ("America/Sao_Paulo", 2018, {23: 1, 24: 364, 25: 1}),  # the day begins at 01:00
    ("Australia/Lord_Howe", 2024, {23.5: 1, 24: 365, 24.5: 1}),
    ("Africa/Cairo", 2024, {23: 1, 24: 365, 25: 1}),
    ("Asia/Kathmandu", 2024, {24: 367}),
    ("Pacific/Apia", 2011, {23: 1, 24: 364, 25: 1}),  # had no 30 December at all
])
def test_days_of_a_year_are_as_long_as_the_clocks_make_them(zone, year, expected):
    found = lengths(walk("day", zone, year))

    assert set(found) == set(expected)
    assert all(abs(found[length] - n) <= 1 for length, n in expected.items()), found


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Beirut"])
def test_an_hour_is_an_hour_also_when_clocks_show_it_twice(zone):
    assert set(lengths(walk("hour", zone, 2024))) == {1}


def test_clocks_that_change_by_half_an_hour_part_two_hours():
    assert lengths(walk("hour", "Australia/Lord_Howe", 2024))[0.5] == 2


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Havana", "Pacific/Apia"])
def test_weeks_begin_on_monday_and_months_on_the_first(zone):
    for start, _ in walk("week", zone, 2011):
        local = datetime.fromtimestamp(start // S, ZoneInfo(zone))
        assert local.weekday() == 0 and (local.hour, local.minute) in ((0, 0), (1, 0))
    for start, _ in walk("month", zone, 2011):
        local = datetime.fromtimestamp(start // S, ZoneInfo(zone))
        assert local.day == 1 and local.hour in (0, 1)
    assert len(walk("month", zone, 2011)) in (12, 13, 14), "those at the ends are of other years"


def test_the_days_on_which_berlin_changes_its_clocks():
    spring = bounds("day", "Europe/Berlin", at("Europe/Berlin", 2024, 3, 31, 12))
    autumn = bounds("day", "Europe/Berlin", at("Europe/Berlin", 2024, 10, 27, 2, 30, fold=1))

    assert (spring[1] - spring[0], autumn[1] - autumn[0]) == (23 * HOUR, 25 * HOUR)
    first = bounds("hour", "Europe/Berlin", at("Europe/Berlin", 2024, 10, 27, 2, 30, fold=0))
    second = bounds("hour", "Europe/Berlin", at("Europe/Berlin", 2024, 10, 27, 2, 30, fold=1))
    assert first[1] == second[0]


def test_the_same_instant_lies_in_different_days_of_different_zones():
    now = at("UTC", 2024, 5, 1, 23, 30)

    assert bounds("day", "UTC", now)[0] == at("UTC", 2024, 5, 1)
    assert bounds("day", "Europe/Berlin", now)[0] == at("Europe/Berlin", 2024, 5, 2)


def test_total_has_no_end_and_unknown_words_are_errors():
    assert bounds("total", "Europe/Berlin", 5) == (0, 0)
    with pytest.raises(ValueError, match="no window 'year'"):
        bounds("year", "UTC", 5)
    with pytest.raises(KeyError):
        bounds("day", "Mars/Olympus", 5)


@pytest.mark.parametrize("zone, back", [
    ("America/St_Johns", 1289097060),  # 00:01 to 23:01 of the day before
    ("Antarctica/Casey", 1267714800),  # 02:00 to 23:00
])
@pytest.mark.parametrize("window", ["day", "week", "month"])
def test_every_instant_lies_in_its_window_where_clocks_go_back_over_midnight(zone, back, window):
    for second in range(back - 2 * 3600, back + 5 * 3600, 30):
        start, end = bounds(window, zone, second * S)
        assert start <= second * S < end
        assert bounds(window, zone, end)[0] == end and bounds(window, zone, start - 1)[1] == start
