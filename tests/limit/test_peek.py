"""Peek: live buckets, read by a process that has no configuration and may not write.

Method: what was taken through Limits is read back through a read-only mapping.
"""

import pytest

from fastgw.limit.peek import count, entries, find, level
from fastgw.shm.segment import Segment
from tests.limit.fixtures import NOW, S, ask, cap, demands, limits, pace, segment, slots

__all__ = ["segment"]  # a fixture


@pytest.fixture
def reader(segment):
    return Segment.attach(segment.path, readonly=True)


def test_every_live_word_is_listed_with_what_it_is(segment, reader):
    assert entries(reader) == [] and count(reader) == 0
    ask(limits(segment, pace(10, unit="tokens", per=10 * S), slots(3), cap(90)), demands(3),
        tokens=4, cost=50)

    found = {entry.identity: entry for entry in entries(reader)}

    assert count(reader) == 3
    assert {key: (one.kind, one.unit, one.raw) for key, one in found.items()} == {
        (1000, 1): ("pace", 1, NOW + 4 * S), (1001, 1): ("slots", 5, 1),
        (1002, 1): ("cap", 4, 50)}


def test_a_level_is_told_by_the_quota_that_one_gives(segment, reader):
    ask(limits(segment, pace(10, unit="tokens", per=10 * S), slots(3)), demands(2), tokens=4)

    bucket, inside = find(reader, (1000, 1)), find(reader, (1001, 1))

    assert level(reader, bucket, 10, 10 * S, NOW) == (4, 0, 10, 4 * S)
    assert level(reader, bucket, 20, 10 * S, NOW + S) == (6, 0, 20, 3 * S)
    assert level(reader, bucket, 10, 10 * S, NOW + 9 * S) == (0, 0, 10, 0)
    assert level(reader, inside, 3, 0, NOW) == (1, 1, 3, 0)
    with pytest.raises(ValueError):
        level(reader, bucket, 0, 10 * S, NOW)


def test_what_is_not_there_is_none(segment, reader):
    ask(limits(segment, pace(10)), demands(1))
    entry = find(reader, (1000, 1))

    assert find(reader, (1000, 2)) is None
    assert level(reader, entry._replace(identity=(9, 9)), 10, S, NOW) is None
    assert level(reader, entry._replace(place=10**9), 10, S, NOW) is None
