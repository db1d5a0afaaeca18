"""Caps and windows through Limits: ceilings, calendar windows, draws, room, all units.

Method: as in test_limits.py. Races, kills and exactness are in tests/csrc/test_limit.py.
"""

import pytest

from fastgw.limit.evict import CROWDED, Evictor
from fastgw.limit.limits import UNITS
from fastgw.limit.peek import entries, find, held, level, windowed
from fastgw.limit.sweep import sweep
from fastgw.limit.windows import bounds
from fastgw.shm.segment import Segment
from tests.limit.fixtures import (
    DAY,
    NEVER,
    NOW,
    REFUSED,
    TAKEN,
    UNDONE,
    WALL,
    S,
    ask,
    cap,
    demands,
    in_child,
    limits,
    pace,
    segment,
    slots,
    verdicts,
    window,
)

__all__ = ["segment"]  # a fixture

PACED = [unit for unit in UNITS if unit != "slots"]


@pytest.mark.parametrize("unit", PACED)
@pytest.mark.parametrize("sliding", [False, True])
def test_a_window_holds_what_is_expected_and_keeps_its_debt_in_every_unit(segment, unit, sliding):
    made = limits(segment, window(100, unit=unit, sliding=sliding, per=100 * S))
    one = 1 if unit == "requests" else 60
    start = WALL // (100 * S) * 100 * S
    first = ask(made, demands(1), wall=start, **{unit: one})
    assert verdicts(first) == [TAKEN] and first.held == [one]

    first.settle({unit: 250}, NOW)
    second = ask(made, demands(1), wall=start, **{unit: one})

    assert verdicts(second) == [REFUSED]
    assert second.traces[0].used == 250
    wait = second.traces[0].wait_ns
    assert verdicts(ask(made, demands(1), wall=start + wait - 1, **{unit: one})) == [REFUSED]
    assert verdicts(ask(made, demands(1), wall=start + wait, **{unit: one})) == [TAKEN]


def test_a_window_says_when_it_is_full_again(segment):
    made = limits(segment, window(10), window(10, sliding=True))
    into = WALL // (60 * S) * 60 * S + 20 * S

    trial = ask(made, demands(2), wall=into)

    assert [t.reset_ns for t in trial.traces] == [40 * S, 100 * S]
    assert [t.used for t in trial.traces] == [1, 1]


def test_a_settling_counts_where_its_clock_says_it_was(segment):
    """Settle knows CLOCK_BOOTTIME only; the debt goes into the window of that instant."""
    made = limits(segment, window(10, unit="tokens"))
    start = WALL // (60 * S) * 60 * S
    trial = ask(made, demands(1), wall=start, tokens=5)

    trial.settle({"tokens": 9}, NOW + 61 * S)

    assert ask(made, demands(1), wall=start + 61 * S).traces[0].used == 4


def test_a_cap_takes_the_ceiling_where_pace_takes_what_is_expected(segment):
    made = limits(segment, pace(1000, unit="tokens"), cap(1000, "tokens"))

    trial = ask(made, demands(2), tokens=100, ceiling={"tokens": 700})

    assert trial.held == [100, 700]
    again = ask(made, demands(2), tokens=100, ceiling={"tokens": 301})
    assert verdicts(again) == [UNDONE, REFUSED]
    assert verdicts(ask(made, demands(2), tokens=1, ceiling={"tokens": 1001})) == [UNDONE, NEVER]


def test_a_cap_begins_anew_with_its_window_and_a_request_stays_in_its_own(segment):
    made = limits(segment, cap(100, "tokens", window="day", time_zone="Europe/Berlin"))
    start, end = bounds("day", "Europe/Berlin", WALL)
    assert made.next_roll_ns == end
    running = ask(made, demands(1), tokens=100)
    refused = ask(made, demands(1), tokens=1)
    assert verdicts(refused) == [REFUSED]
    assert refused.traces[0].wait_ns == refused.traces[0].reset_ns == end - WALL
    assert refused.traces[0].identity == windowed((1000, 1), start)

    made.roll(end)
    fresh = ask(made, demands(1), wall=end, tokens=30)
    running.settle({"tokens": 60}, NOW)

    assert verdicts(fresh) == [TAKEN] and fresh.inserted == 1
    assert find(segment, windowed((1000, 1), start)).raw == 60
    assert find(segment, windowed((1000, 1), end)).raw == 30
    assert made.next_roll_ns == bounds("day", "Europe/Berlin", end)[1]


def test_a_cap_without_window_counts_for_ever_under_its_own_name(segment):
    made = limits(segment, cap(10, "tokens", window="total"), cap(10, window=""))
    trial = ask(made, demands(2), tokens=10, cost=1)

    assert made.next_roll_ns == 2**64 - 1
    assert [t.identity for t in trial.traces] == [(1000, 1), (1001, 1)]
    assert ask(made, demands(1), tokens=1).traces[0].wait_ns == 0, "nobody knows"


def test_room_is_the_least_that_the_enforced_caps_leave(segment):
    made = limits(segment, cap(100, "tokens"), cap(60, "tokens"), cap(500), pace(9),
                  cap(3, "output_tokens", enforced=False))
    trial = ask(made, demands(5), tokens=20, cost=100)

    assert trial.room() == {"tokens": 40, "cost": 400}
    trial.settle({"tokens": 99, "cost": 0}, NOW)
    assert trial.room() == {"tokens": 0, "cost": 500}
    assert ask(made, [(1, (5, 5), True)]).room() == {"tokens": 60}, "nothing used is all room"


def test_a_draw_takes_of_every_cap_or_of_none(segment):
    made = limits(segment, cap(100, "tokens"), cap(60, "output_tokens"), pace(500, unit="tokens"),
                  slots(3))
    trial = ask(made, demands(4), tokens=50, output_tokens=50)

    assert trial.draw({"tokens": 5, "output_tokens": 5, "requests": 0})
    assert trial.held == [55, 55, 50, 1], "pace and slots are not drawn on"
    assert not trial.draw({"tokens": 6, "output_tokens": 6})
    assert trial.held == [55, 55, 50, 1] and trial.room() == {"tokens": 45, "output_tokens": 5}
    assert trial.draw({"output_tokens": 5}) and trial.draw({})

    trial.settle({"tokens": 58, "output_tokens": 58}, NOW)
    assert trial.room() == {"tokens": 42, "output_tokens": 2}
    assert trial.draw({"tokens": 1000}), "nothing is held any more, so nothing stands in the way"
    assert trial.held == [0] * 4


def test_a_shadow_cap_stands_in_the_way_of_no_draw(segment):
    made = limits(segment, cap(100, "tokens"), cap(20, "tokens", enforced=False))
    trial = ask(made, demands(2), tokens=15)

    assert trial.draw({"tokens": 10})

    assert trial.held == [25, 15]


def test_a_dead_worker_keeps_the_ceiling_or_what_was_delivered(segment):
    def work():
        mine = limits(segment, cap(1000, "output_tokens"), worker=1)
        other = limits(segment, cap(1000, "output_tokens", on_worker_lost="progress"), worker=2)
        for made, key in ((mine, 1), (other, 2)):
            trial = ask(made, demands(1, key), output_tokens=300)
            trial.open(1)
            assert trial.draw({"output_tokens": 100})
            trial.progress(output_tokens=25)
    in_child(work)
    assert held(segment) == {(1000, 1): 400, (2000, 2): 400}

    for worker in (1, 2):
        sweep(segment, worker, NOW, lambda lost: None)

    assert find(segment, (1000, 1)).raw == 400
    assert find(segment, (2000, 2)).raw == 25
    assert held(segment) == {}


def test_levels_of_windows_and_caps_are_read_without_configuration_of_the_worker(segment):
    made = limits(segment, window(10, sliding=True), cap(50))
    trial = ask(made, demands(2), cost=20)

    kinds = {entry.kind: entry for entry in entries(segment)}
    seen = level(segment, kinds["window"], 10, 60 * S, NOW, wall_ns=WALL, sliding=True)
    assert (seen.used, seen.limit) == (1, 10)
    holding = held(segment)
    capped = kinds["cap"]
    assert level(segment, capped, 50, 0, NOW, holding=holding[capped.identity])[:3] == (20, 20, 50)
    trial.settle({"cost": 5}, NOW)
    assert level(segment, capped, 50, 0, NOW)[:3] == (5, 0, 50)


@pytest.mark.parametrize("spec", [window(0), window(2**43 + 1), window(5, per=1000)])
def test_a_window_that_cannot_be_kept_is_an_error(segment, spec):
    with pytest.raises(ValueError):
        limits(segment, spec)


def test_windows_that_are_over_leave_a_crowded_group_and_caps_a_minute_later(tmp_path):
    segment = Segment.create(tmp_path / "shm" / "segment", workers=1, entries=1,
                             holds_per_worker=64)
    made = limits(segment, window(9, per=10 * S), cap(9, "tokens", window="hour"))
    end = bounds("hour", "UTC", WALL)[1]
    for key in range(5):
        ask(made, [(0, (key + 1, key), True), (1, (key + 100, key), True)], tokens=5)
    assert len(entries(segment)) == 10 > CROWDED
    evictor = Evictor(segment)

    evictor.step(NOW, wall_ns=WALL + 19 * S)
    assert len(entries(segment)) == 10, "the window before still counts"
    evictor.step(NOW, wall_ns=WALL + 200 * S)
    assert {entry.kind for entry in entries(segment)} == {"cap"}
    assert evictor.step(NOW, wall_ns=end) == 5
    for key in range(200, 204):
        ask(made, [(1, (key, key), True)], tokens=5)
    evictor.step(NOW, wall_ns=end + 59 * S)
    assert len(entries(segment)) == 9, "a worker may not have noticed yet"
    evictor.step(NOW, wall_ns=end + 180 * S)
    assert entries(segment) == []


def test_what_is_settled_in_a_window_that_was_evicted_is_nobodys(tmp_path):
    segment = Segment.create(tmp_path / "shm" / "segment", workers=1, entries=1,
                             holds_per_worker=64)
    made = limits(segment, cap(9, "tokens", window="hour"))
    running = [ask(made, [(0, (key + 1, key), True)], tokens=5) for key in range(9)]
    evictor = Evictor(segment)
    evictor.step(NOW, wall_ns=WALL + DAY)
    evictor.step(NOW, wall_ns=WALL + DAY)
    made.roll(WALL + DAY)
    fresh = ask(made, [(0, (1, 0), True)], wall=WALL + DAY, tokens=3)

    assert running[0].draw({"tokens": 50}), "its window counts no more"
    for trial in running:
        trial.settle({"tokens": 500}, NOW)

    assert [entry.raw for entry in entries(segment)] == [3] and fresh.held == [3]
