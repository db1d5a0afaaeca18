"""Evict: places come free under pressure, and never under a worker that may be using one.

Method: one group of the table is crowded with chosen keys; the workers' turns are the test's. The
race, with a supervisor that does not wait as its mutant, is in tests/csrc/test_limit.py.
"""

import pytest

from fastgw.limit.evict import CROWDED, ROUND, Evictor, share
from fastgw.limit.peek import entries
from fastgw.shm.segment import READY, Segment
from tests.limit.fixtures import DAY, NOW, TABLE_FULL, TAKEN, S, ask, limits, pace, slots, verdicts

WAYS = 14


@pytest.fixture
def segment(tmp_path):
    """One group only, two workers: one runs, one slot is empty."""
    made = Segment.create(tmp_path / "shm" / "segment", workers=2, entries=1,
                          holds_per_worker=64)
    made.claim(0, 7, 7, 7)
    made.set_state(0, READY)
    return made


def key(number, limit=0):
    return [(limit, (number, number), True)]


def fill(made, n=WAYS, first=1):
    return [ask(made, key(number)) for number in range(first, first + n)]


def test_full_buckets_leave_a_crowded_group_once_every_worker_went_on(segment):
    made, evictor = limits(segment, pace(10, per=10 * S)), Evictor(segment)
    fill(made)
    assert verdicts(ask(made, key(99))) == [TABLE_FULL]

    assert evictor.step(NOW + S) == 0 and len(entries(segment)) == 0
    assert evictor.step(NOW + S) == 0, "the worker has not gone on"
    assert verdicts(ask(made, key(99))) == [TABLE_FULL]
    segment.turn(0, 1)

    assert evictor.step(NOW + S) == WAYS == evictor.freed
    assert verdicts(ask(made, key(99), NOW + S)) == [TAKEN]


def test_what_is_in_use_stays(segment):
    made, evictor = limits(segment, pace(10, per=DAY), slots(5)), Evictor(segment)
    inside = ask(made, key(200, limit=1))
    fill(made, WAYS - 1)
    evictor.step(NOW + DAY // 10 - 1)
    segment.turn(0, 1)

    assert evictor.step(NOW + DAY // 10 - 1) == 0 and len(entries(segment)) == WAYS
    inside.settle({}, NOW)
    evictor.step(NOW + DAY // 10 - 1)
    segment.turn(0, 2)

    assert evictor.step(NOW) == 1
    assert {entry.kind for entry in entries(segment)} == {"pace"}


def test_a_group_that_is_not_crowded_is_left_alone(segment):
    made, evictor = limits(segment, pace(10)), Evictor(segment)
    fill(made, CROWDED)
    evictor.step(NOW + DAY)
    segment.turn(0, 1)

    assert evictor.step(NOW + DAY) == 0 and len(entries(segment)) == CROWDED


@pytest.mark.parametrize("groups", [1, 3641, 111_112, 1 << 24])
def test_a_round_through_a_table_of_any_size_takes_ten_seconds(groups):
    assert share(groups) * ROUND >= groups
    assert share(groups) == 512 or share(groups) < groups / ROUND + 1


def test_a_bucket_that_is_buried_starts_anew_in_another_place(segment):
    made, evictor = limits(segment, pace(2, per=S)), Evictor(segment)
    fill(made, CROWDED + 1)
    evictor.step(NOW + S)

    again = ask(made, key(1), NOW + S)

    assert verdicts(again) == [TAKEN] and again.inserted == 1
    segment.turn(0, 1)
    assert evictor.step(NOW + S) == CROWDED + 1
    assert [entry.identity for entry in entries(segment)] == [(1, 1)]
    assert ask(made, key(1), NOW + S).traces[0].used == 2


def test_a_request_that_outlives_its_bucket_still_pays_its_debt(segment):
    made, evictor = limits(segment, pace(10, unit="tokens", per=10 * S)), Evictor(segment)
    running = ask(made, key(1), tokens=5)
    refunded = ask(made, key(2), tokens=5)
    fill(made, CROWDED, first=3)
    later = NOW + 100 * S
    evictor.step(later)
    segment.turn(0, 1)
    assert evictor.step(later) == CROWDED + 2

    running.settle({"tokens": 25}, later)
    refunded.settle({"tokens": 1}, later)

    assert [entry.identity for entry in entries(segment)] == [(1, 1)]
    assert ask(made, key(1), later).traces[0].used == 20


def test_a_worker_that_died_or_was_replaced_does_not_hold_it_up(segment):
    made, evictor = limits(segment, pace(10, per=S)), Evictor(segment)
    fill(made)
    evictor.step(NOW + S)
    segment.claim(0, 8, 8, 8)

    assert evictor.step(NOW + S) == WAYS


def test_what_a_supervisor_left_half_way_is_finished_by_the_next(segment):
    made = limits(segment, pace(10, per=S))
    fill(made)
    Evictor(segment).step(NOW + S)

    evictor = Evictor(segment)
    assert evictor.step(NOW + S) == 0
    segment.turn(0, 1)

    assert evictor.step(NOW + S) == WAYS
    assert verdicts(ask(made, key(99), NOW + S)) == [TAKEN]
