"""Adjust: changes from outside a worker, each whole, whoever takes meanwhile.

Method: the words are read back through peek, and through what a worker then may take. The last
test has a process kill the adjusting one at random instants.
"""

import os
import signal
import time

import pytest

from fastgw.errors import ShmError
from fastgw.limit.adjust import Adjust
from fastgw.limit.evict import Evictor
from fastgw.limit.peek import entries
from fastgw.shm.segment import CLUSTER, SUPERVISOR, Segment
from tests.limit.fixtures import (
    DAY,
    NOW,
    REFUSED,
    TAKEN,
    WALL,
    S,
    ask,
    cap,
    demands,
    limits,
    pace,
    segment,
    slots,
    verdicts,
    window,
)

__all__ = ["segment"]  # a fixture


def test_a_cap_is_set_and_added_to_whatever_its_limit(segment):
    made, adjust = limits(segment, cap(100)), Adjust(segment)
    assert adjust.add((1000, 1), 5) is None, "there is none yet"

    adjust.set((1000, 1), "cap", 90, unit=4)

    assert verdicts(ask(made, demands(1), cost=11)) == [REFUSED]
    assert adjust.add((1000, 1), -40) == 50
    assert verdicts(ask(made, demands(1), cost=50)) == [TAKEN]
    assert adjust.add((1000, 1), 400) == 500 and adjust.add((1000, 1), -10**9) == 0
    assert adjust.read((1000, 1)).raw == 0 and adjust.read((9, 9)) is None


def test_buckets_and_windows_are_reset(segment):
    made, adjust = limits(segment, pace(5), window(5, per=DAY)), Adjust(segment)
    for _ in range(5):
        ask(made, demands(2))
    assert verdicts(ask(made, demands(2))) == [REFUSED, REFUSED]
    before = adjust.read((1001, 1))

    adjust.set((1000, 1), "pace", 0)
    adjust.set((1001, 1), "window", 0)

    assert [t.used for t in ask(made, demands(2)).traces] == [1, 1]
    adjust.set((1001, 1), "window", (before.raw, before.other))
    assert verdicts(ask(made, [demands(2)[1]])) == [REFUSED]
    with pytest.raises(ValueError, match="counts by time"):
        adjust.add((1000, 1), 5)


def test_an_entry_of_another_kind_is_left_alone(segment):
    ask(limits(segment, pace(5)), demands(1))

    with pytest.raises(ValueError, match="is no cap"):
        Adjust(segment).set((1000, 1), "cap", 5)


def test_what_is_set_before_anybody_asked_knows_when_its_window_ends(tmp_path):
    segment = Segment.create(tmp_path / "shm" / "segment", workers=1, entries=1)
    adjust, evictor = Adjust(segment), Evictor(segment)
    for key in range(1, 10):
        adjust.set((key, key), "cap", 7, window_end_ns=WALL + S, wall_ns=WALL)

    evictor.step(NOW, wall_ns=WALL)
    assert len(entries(segment)) == 9
    evictor.step(NOW, wall_ns=WALL + 240 * S)
    assert entries(segment) == []


def test_a_full_table_is_an_error(tmp_path):
    segment = Segment.create(tmp_path / "shm" / "segment", workers=1, entries=1)
    adjust = Adjust(segment)
    with pytest.raises(ShmError, match="no room"):
        for key in range(1, 2000):
            adjust.set((key, key), "cap", 1)


def test_two_spare_owners_have_slots_of_their_own(segment):
    first, second = Adjust(segment, SUPERVISOR), Adjust(segment, CLUSTER)

    first.set((1, 1), "slots", 3)
    second.set((1, 1), "slots", 4)

    assert first.read((1, 1)).raw == 4
    assert segment.worker(segment.workers + CLUSTER).state == 0
    with pytest.raises(IndexError):
        Adjust(segment, 2)


def test_workers_settle_beside_an_adjuster_that_is_killed(segment):
    """Each of its changes adds to two words one after the other, so they differ by one at most;
    what a worker takes and gives back beside it is not lost."""
    made = limits(segment, slots(10**9), slots(10**9))
    for _ in range(12):
        pid = os.fork()
        if pid == 0:
            adjust = Adjust(segment)
            for key in ((1000, 1), (1001, 1)):
                if adjust.read(key) is None:
                    adjust.set(key, "slots", 0)
            while True:
                adjust.add((1000, 1), 1)
                adjust.add((1001, 1), 1)
        until = time.monotonic() + 0.01
        while time.monotonic() < until:
            trial = ask(made, demands(2))
            trial.settle({}, NOW)
            trial.release()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    first, second = (Adjust(segment).read((1000 + at, 1)).raw for at in range(2))

    assert 0 <= first - second <= 12 and second > 0
