"""Counters by name, summed over workers.

Method: several processes count at once, each in its own block, and one of them dies.
"""

import os

import pytest

from fastgw.errors import ShmError
from fastgw.shm import counters
from fastgw.shm.segment import Segment


@pytest.fixture
def segment(tmp_path):
    return Segment.create(tmp_path / "shm" / "segment", workers=3, entries=64,
                          holds_per_worker=8)


def test_nothing_is_counted_at_first(segment):
    total = counters.total(segment)

    assert set(total.counters.values()) == set(total.gauges.values()) == {0}
    assert set(total.fates.values()) == set(total.tokens.values()) == {0}
    assert total.codes == {} and all(sum(t.counts) == 0 for t in total.times.values())


def test_names_have_places_of_their_own():
    assert not set(counters.COUNTERS) & set(counters.GAUGES)
    plain = list(counters.COUNTERS.values())
    ranges = [*range(10, 18), *range(23, 31)]

    assert len({*plain, *ranges}) == len(plain) + 16
    assert max(plain) < min(counters.GAUGES.values()) and max(counters.GAUGES.values()) < 128
    assert len(counters.FATES) == 8 and len(counters.TOKENS) == 8


def test_processes_count_at_once_and_none_is_lost(segment):
    pids = []
    for worker in range(3):
        pid = os.fork()
        if pid == 0:
            for _ in range(2000):
                counters.count(segment, worker, "requests")
                counters.count(segment, worker, "bytes_to_client", 1000)
                counters.count_code(segment, worker, 801 + worker % 2)
            counters.count_fate(segment, worker, "delivered")
            counters.count_time(segment, worker, "total", 3_000_000)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0

    total = counters.total(segment)

    assert total.counters["requests"] == 6000
    assert total.counters["bytes_to_client"] == 6_000_000
    assert total.codes == {801: 4000, 802: 2000}
    assert total.fates["delivered"] == 3
    times = total.times["total"]
    assert times.sum_us == 9000
    assert dict(zip(counters.BUCKETS_US, times.counts, strict=False))[4096] == 3
    assert counters.of_worker(segment, 1).counters["requests"] == 2000


def test_gauges_go_up_and_down_over_workers(segment):
    counters.count(segment, 0, "connections_open", 5)
    counters.count(segment, 1, "connections_open", -2)

    assert counters.total(segment).gauges["connections_open"] == 3
    assert counters.of_worker(segment, 1).gauges["connections_open"] == -2
    segment.reset_gauges(1)
    assert counters.total(segment).gauges["connections_open"] == 5


def test_unknown_names_and_readers_are_errors(segment):
    with pytest.raises(KeyError):
        counters.count(segment, 0, "sheep")
    with pytest.raises(ValueError):
        counters.count_fate(segment, 0, "eaten")
    with pytest.raises(ShmError):
        counters.count(Segment.attach(segment.path, readonly=True), 0, "requests")
