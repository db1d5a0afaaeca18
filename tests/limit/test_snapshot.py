"""Snapshot: a quota that takes long to heal is not new after a boot.

Method: two segments of two boots; the clock since boot starts anew, the wall clock goes on.
"""

import os

import pytest

from fastgw.limit.peek import entries
from fastgw.limit.snapshot import load, save
from fastgw.limit.sweep import sweep
from fastgw.shm.segment import Segment
from tests.limit.fixtures import DAY, NOW, REFUSED, S, ask, cap, limits, pace, slots, verdicts

WALL = 1_700_000_000 * S
SPECS = (pace(1000), pace(60, per=60 * S), slots(5), cap(100))


@pytest.fixture
def boots(tmp_path):
    return [Segment.create(tmp_path / name / "segment", workers=1, entries=256,
                           holds_per_worker=64, boot=name.ljust(16).encode())
            for name in ("first", "second")]


def spend(segment):
    made = limits(segment, *SPECS)
    for number in range(1, 4):
        for _ in range(10 * number):
            trial = ask(made, [(0, (number, 1), True), (1, (number, 2), True)])
            trial.release()
    ask(made, [(2, (9, 9), True), (3, (8, 8), True)], cost=3)


def test_what_heals_slowly_comes_back_less_what_has_healed(boots, tmp_path):
    spend(boots[0])

    assert save(boots[0], tmp_path / "limits", NOW, WALL) == 3
    # A unit heals in 86.4 s: of 10, 20 and 30 units, 11.57 are healed after 1000 s.
    assert load(boots[1], tmp_path / "limits", 50 * S, WALL + 1000 * S) == 2

    later = limits(boots[1], *SPECS)
    traces = [ask(later, [(0, (number, 1), True)], 50 * S).traces[0] for number in range(1, 4)]
    assert [trace.used for trace in traces] == [1, 9 + 1, 19 + 1]


def test_a_spent_day_stays_spent_over_a_boot(boots, tmp_path):
    made = limits(boots[0], *SPECS)
    for _ in range(1000):
        ask(made, [(0, (1, 1), True)]).release()
    save(boots[0], tmp_path / "limits", NOW, WALL)

    assert load(boots[1], tmp_path / "limits", 50 * S, WALL + 30 * S) == 1

    trial = ask(limits(boots[1], *SPECS), [(0, (1, 1), True)], 50 * S)
    assert verdicts(trial) == [REFUSED]
    assert trial.traces[0].wait_ns == DAY // 1000 - 30 * S


def test_only_what_is_worth_it_is_written(boots, tmp_path):
    spend(boots[0])
    save(boots[0], tmp_path / "limits", NOW, WALL)
    load(boots[1], tmp_path / "limits", 50 * S, WALL)

    assert sorted(entry.identity for entry in entries(boots[1])) == [(1, 1), (2, 1), (3, 1)]
    assert {entry.unit for entry in entries(boots[1])} == {0}
    assert os.stat(tmp_path / "limits").st_mode & 0o777 == 0o600
    assert not (tmp_path / "limits.new").exists()


def test_loading_never_gives_units_back(boots, tmp_path):
    spend(boots[0])
    save(boots[0], tmp_path / "limits", NOW, WALL)
    sweep(boots[0], 0, NOW, None)
    spend(boots[0])

    load(boots[0], tmp_path / "limits", NOW, WALL)

    full = {entry.identity: entry.raw for entry in entries(boots[0])}
    assert full[(3, 1)] == NOW + 60 * DAY // 1000


def test_no_snapshot_is_no_error_and_a_damaged_one_restores_nothing(boots, tmp_path):
    path = tmp_path / "limits"
    assert load(boots[1], path, NOW, WALL) == 0
    spend(boots[0])
    save(boots[0], path, NOW, WALL)
    whole = path.read_bytes()

    other = bytes([whole[24] ^ 1])
    for spoilt in (b"", whole[:-1], whole[:20], b"x" + whole[1:], whole[:24] + other + whole[25:]):
        path.write_bytes(spoilt)
        with pytest.raises(ValueError, match="not a whole snapshot"):
            load(boots[1], path, NOW, WALL)
    assert entries(boots[1]) == []
