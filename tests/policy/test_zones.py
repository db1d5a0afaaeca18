"""The tables of time zones against zoneinfo itself.

Method: the offset that a table gives is compared at, and one second before, each of its changes,
and at random instants from 1850 to 2150.
"""

import random
import struct
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from fastgw.policy.zones import zone_offset, zone_table

SEED = 20261121
FIRST, LAST = -3_786_825_600, 5_680_281_600


def offset_in(table, second):
    rows = list(struct.iter_unpack("<qii", table))
    return [ahead for since, ahead, _ in rows if since <= second][-1]


def offset(zone, second):
    return round(datetime.fromtimestamp(second, zone).utcoffset().total_seconds())


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu",
                                  "Africa/Casablanca", "Australia/Lord_Howe", "Antarctica/Troll"])
def test_a_table_says_what_the_zone_says(name):
    table, zone = zone_table(name), ZoneInfo(name)
    changes = [since for since, _, _ in struct.iter_unpack("<qii", table)]
    chance = random.Random(SEED)
    print("seed", SEED)
    seconds = [*changes, *(since - 1 for since in changes[1:]),
               *(chance.randrange(FIRST, LAST) for _ in range(500))]

    assert changes == sorted(set(changes)) and changes[0] == FIRST
    for second in seconds:
        assert offset_in(table, second) == offset(zone, second), second
        assert zone_offset(name, second) == offset(zone, second), second


def test_beyond_its_table_a_zone_keeps_the_first_and_the_last_offset():
    table = zone_table("Europe/Berlin")

    for second in (-62_135_596_800, FIRST - 1, LAST + 10**8, 253_402_300_799):
        assert zone_offset("Europe/Berlin", second) == offset_in(table, max(second, FIRST))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd"])
def test_a_zone_that_is_none(name):
    with pytest.raises(ValueError, match="no time zone"):
        zone_table(name)
    with pytest.raises(ValueError, match="no time zone"):
        zone_offset(name, 0)
