"""Forgiving: what is used goes, what is held stays, and nothing is given twice.

Method: words of each kind are used and held by requests of the test; then what the next request
finds is asked.
"""

import pytest

from fastgw.cluster.wallets import HELD, Wallets
from fastgw.errors import ShmError
from fastgw.limit import forgive as module
from fastgw.limit import peek
from fastgw.limit.adjust import Adjust
from fastgw.limit.forgive import Forgiven, forgive
from fastgw.limit.trial import Trial
from fastgw.shm.segment import Segment
from tests.limit.fixtures import DAY, NOW, S, ask, cap, limits, pace, slots

KEY = (5, 5)
WALL = 1_700_000_000 * S


@pytest.fixture
def segment(tmp_path):
    return Segment.create(tmp_path / "shm" / "segment", workers=1, entries=256,
                          holds_per_worker=64)


def give(segment, amount, *, capacity=100, period_ns=0, sliding=False):
    return forgive(segment, Adjust(segment), KEY, amount, capacity=capacity,
                   period_ns=period_ns, sliding=sliding, now_ns=NOW, wall_ns=WALL)


def test_a_cap_is_lowered_to_what_is_held_at_most(segment):
    made = limits(segment, cap(1000))
    done = ask(made, [(0, KEY, True)], cost=300)
    done.settle({"cost": 250}, NOW)
    done.release()
    running = ask(made, [(0, KEY, True)], cost=100)

    assert give(segment, 50) == Forgiven(350, 300)
    assert give(segment, None) == Forgiven(300, 100)
    assert give(segment, 70) == Forgiven(100, 100)
    running.settle({"cost": 30}, NOW)
    running.release()
    assert peek.find(segment, KEY).raw == 30
    assert give(segment, 1 << 61) == Forgiven(30, 0)


def test_a_debt_of_a_bucket_is_forgiven(segment):
    made = limits(segment, pace(100, unit="tokens"))
    trial = ask(made, [(0, KEY, True)], tokens=100)
    trial.settle({"tokens": 300}, NOW)
    trial.release()

    assert give(segment, 50, period_ns=DAY) == Forgiven(300, 250)
    assert ask(made, [(0, KEY, True)], tokens=1).traces[0].verdict != 1
    assert give(segment, None, period_ns=DAY) == Forgiven(250, 0)
    assert ask(made, [(0, KEY, True)], tokens=100).traces[0].verdict == 1


@pytest.mark.parametrize("algorithm", ["fixed_window", "sliding_window"])
def test_a_window_is_given_room_until_it_is_over(segment, algorithm):
    made = limits(segment, pace(100, unit="tokens") | {"algorithm": algorithm})
    trial = Trial(made)
    assert trial.take([(0, KEY, True)], {"tokens": 80}, NOW, wall_ns=WALL)
    trial.settle({"tokens": 80}, NOW)
    trial.release()
    sliding = algorithm == "sliding_window"

    assert give(segment, 30, period_ns=DAY, sliding=sliding) == Forgiven(80, 50)
    assert give(segment, None, period_ns=DAY, sliding=sliding) == Forgiven(50, 0)


def test_slots_and_absent_words_cannot_be_given(segment):
    with pytest.raises(ShmError, match="not in use"):
        give(segment, 1)
    made = limits(segment, slots(5))
    ask(made, [(0, KEY, True)])

    with pytest.raises(ShmError, match="slots are held"):
        give(segment, 1)


def test_requests_that_come_and_go_meanwhile_cost_no_more_than_they_hold(segment, monkeypatch):
    made = limits(segment, cap(1000))
    done = ask(made, [(0, KEY, True)], cost=300)
    done.settle({"cost": 300}, NOW)
    done.release()
    amounts = iter([{}, {KEY: 40}] * 100)
    monkeypatch.setattr(module.peek, "held", lambda segment: next(amounts))

    assert give(segment, None) == Forgiven(300, 40)


@pytest.mark.parametrize("amount", [5, None])
def test_a_fleets_bucket_is_not_taken_for_a_window(segment, amount):
    made = limits(segment, pace(100) | {"cluster": True})
    wallets = Wallets(segment)
    wallets.say(state=HELD, nodes=1, until_ns=1 << 62)
    ask(made, [(0, KEY, True)], requests=1)
    (entry,) = wallets.all()
    wallets.grant(entry, 50, spec=0)
    ask(made, [(0, KEY, True)], requests=1)
    assert peek.find(segment, KEY).kind == "wallet" and peek.find(segment, KEY).raw == 1

    with pytest.raises(ShmError, match="the fleet's"):
        give(segment, amount, period_ns=DAY)
    assert peek.find(segment, KEY).raw == 1
