"""Phase LIMIT in one worker: all limits together or none, settled to the truth.

Method: time is an integer the test owns; several workers are several views of one segment. Races
and kills are in tests/csrc/test_limit.py.
"""

import pytest

from fastgw.errors import ShmError
from fastgw.limit.limits import Holds, Limits
from fastgw.limit.peek import find, shadow
from fastgw.limit.trial import Trial
from fastgw.shm.segment import Segment
from tests.limit.fixtures import (
    DAY,
    NEVER,
    NOW,
    REFUSED,
    TABLE_FULL,
    TAKEN,
    UNDONE,
    S,
    ask,
    cap,
    demands,
    limits,
    pace,
    segment,
    slots,
    verdicts,
)

__all__ = ["segment"]  # a fixture


def test_a_thousand_a_day_admits_a_thousand_over_all_workers(segment):
    workers = [limits(segment, pace(1000), worker=at) for at in range(3)]
    passed = 0
    for at in range(5000):
        trial = ask(workers[at % 3], demands(1))
        passed += verdicts(trial) == [TAKEN]
        trial.release()

    assert passed == 1000
    last = ask(workers[0], demands(1))
    assert last.traces[0].wait_ns == DAY // 1000
    assert verdicts(ask(workers[1], demands(1), NOW + DAY // 1000)) == [TAKEN]


def test_the_trace_says_what_is_used_of_what_and_when_it_is_full_again(segment):
    made = limits(segment, pace(100, unit="tokens", per=10 * S, rule=77))

    trial = ask(made, demands(1), tokens=30)

    trace = trial.traces[0]
    assert (trace.used, trace.limit, trace.taken, trace.held) == (30, 100, 30, 0)
    assert (trace.reset_ns, trace.wait_ns, trace.rule, trace.unit) == (3 * S, 0, 77, 1)
    assert trace.identity == (1000, 1) and trace.enforced
    assert trial.held == [30]


def test_the_first_to_use_a_bucket_is_told_so_once(segment):
    first, second = limits(segment, pace(9), pace(9)), limits(segment, pace(9), worker=1)

    assert ask(first, demands(2)).inserted == 0b11
    assert ask(first, demands(2)).inserted == 0
    assert ask(second, demands(1)).inserted == 0
    assert ask(first, [(0, (5, 5), True), (1, (1001, 1), True)]).inserted == 0b01


def test_one_refusal_takes_nothing_from_the_others_and_each_says_why(segment):
    made = limits(segment, pace(5), pace(100, unit="tokens"), pace(2))
    for _ in range(2):
        ask(made, demands(3), tokens=1)

    refused = ask(made, demands(3), tokens=98)

    assert verdicts(refused) == [UNDONE, UNDONE, REFUSED]
    assert [t.used for t in refused.traces] == [2, 2, 2]
    assert [t.taken for t in refused.traces] == [0, 0, 1], "what it would have taken"
    assert refused.held == []
    assert refused.traces[2].wait_ns == DAY // 2
    assert [t.wait_ns for t in refused.traces[:2]] == [0, 0]


def test_every_limit_that_stands_in_the_way_is_named(segment):
    made = limits(segment, pace(1), pace(10, unit="tokens"), pace(9))
    ask(made, demands(3), tokens=10)

    refused = ask(made, demands(3), tokens=4)

    assert verdicts(refused) == [REFUSED, REFUSED, UNDONE]
    assert [t.wait_ns for t in refused.traces] == [DAY, 4 * DAY // 10, 0]


def test_pace_holds_at_most_its_capacity_and_repays_the_error_as_debt(segment):
    made = limits(segment, pace(1000, unit="tokens", per=10 * S))

    trial = ask(made, demands(1), tokens=128_000)
    assert verdicts(trial) == [TAKEN] and trial.held == [1000]
    trial.settle({"tokens": 3000}, NOW)

    later = ask(made, demands(1), tokens=1)
    assert verdicts(later) == [REFUSED]
    assert (later.traces[0].used, later.traces[0].wait_ns) == (3000, 20 * S + S // 100)


def test_settling_gives_back_what_was_not_used_once(segment):
    made = limits(segment, pace(100, unit="tokens", per=10 * S), pace(5))
    trial = ask(made, demands(2), tokens=80)

    for _ in range(3):
        trial.settle({"tokens": 30, "requests": 1}, NOW)

    now = ask(made, demands(2), tokens=1)
    assert [t.used for t in now.traces] == [31, 2] and trial.held == [0, 0]


def test_settling_to_nothing_makes_a_request_free(segment):
    made = limits(segment, pace(100, unit="tokens"), pace(5), slots(2), cap(50))
    trial = ask(made, demands(4), tokens=80, cost=20)
    assert trial.held == [80, 1, 1, 20]

    trial.settle({}, NOW)

    again = ask(made, demands(4), tokens=100, cost=50)
    assert verdicts(again) == [TAKEN] * 4 and [t.used for t in again.traces] == [100, 1, 1, 50]


def test_what_time_has_repaid_is_not_given_back(segment):
    made = limits(segment, pace(100, unit="tokens", per=10 * S))
    trial = ask(made, demands(1), tokens=100)

    trial.settle({"tokens": 10}, NOW + 6 * S)  # 60 are repaid, 40 still owed: they come back

    assert ask(made, demands(1), NOW + 6 * S).traces[0].used == 0
    assert verdicts(ask(made, demands(1), NOW + 6 * S, tokens=101)) == [TAKEN]
    assert verdicts(ask(made, demands(1), NOW + 6 * S, tokens=1)) == [REFUSED]


def test_concurrency_counts_who_is_inside(segment):
    made = limits(segment, slots(2))
    inside = [ask(made, demands(1)) for _ in range(3)]

    assert [verdicts(trial) for trial in inside] == [[TAKEN], [TAKEN], [REFUSED]]
    assert (inside[2].traces[0].used, inside[2].traces[0].held) == (2, 2)
    inside[0].settle({"slots": 1}, NOW)
    assert verdicts(ask(made, demands(1))) == [TAKEN]


def test_a_cap_holds_the_ceiling_and_keeps_what_was_used(segment):
    made = limits(segment, cap(100))
    first = ask(made, demands(1), cost=70)

    assert verdicts(ask(made, demands(1), cost=31)) == [REFUSED]
    assert verdicts(ask(made, demands(1), cost=101)) == [NEVER]
    first.settle({"cost": 20}, NOW)
    second = ask(made, demands(1), cost=80)
    assert verdicts(second) == [TAKEN]
    second.settle({"cost": 500}, NOW)  # overrun is booked

    assert ask(made, demands(1), cost=1).traces[0].used == 520


def test_a_shadow_counts_apart_and_never_refuses(segment):
    made = limits(segment, pace(1), pace(9))
    listed = [(0, (1000, 1), False), (1, (1001, 1), True)]

    first, second = ask(made, listed), ask(made, listed)

    assert verdicts(first) == [TAKEN, TAKEN]
    assert verdicts(second) == [REFUSED, TAKEN] and second.held == [0, 1]
    assert second.traces[0].wait_ns == DAY and not second.traces[0].enforced
    assert second.traces[0].identity == shadow((1000, 1)) != (1000, 1)
    assert verdicts(ask(made, demands(1))) == [TAKEN], "the enforced word is another"
    assert find(segment, shadow((1000, 1))) and find(segment, (1000, 1))


def test_a_spec_that_is_not_enforced_is_a_shadow_whatever_the_demand_says(segment):
    made = limits(segment, pace(1, enforced=False))
    ask(made, demands(1))

    assert verdicts(ask(made, demands(1))) == [REFUSED]
    assert Trial(made).take(demands(1), {}, NOW)


def test_a_limit_demanded_twice_is_taken_twice_or_not_at_all(segment):
    made = limits(segment, pace(3))
    twice = [(0, (7, 7), True), (0, (7, 7), True)]

    assert verdicts(ask(made, twice)) == [TAKEN, TAKEN]
    refused = ask(made, twice)

    assert sorted(verdicts(refused)) == [REFUSED, UNDONE]
    assert refused.traces[0].used == 2 and verdicts(ask(made, [twice[0]])) == [TAKEN]


def test_an_order_of_demands_is_an_order_of_traces(segment):
    made = limits(segment, pace(5, rule=1), pace(6, rule=2), pace(7, rule=3))

    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        traces = ask(made, [demands(3)[at] for at in order]).traces
        assert [trace.rule for trace in traces] == [at + 1 for at in order]


def test_a_full_table_refuses_and_says_so(tmp_path):
    segment = Segment.create(tmp_path / "shm" / "segment", workers=1, entries=10,
                             holds_per_worker=64)
    made = limits(segment, pace(5), pace(5))
    for at in range(28):  # two groups
        assert ask(made, [(0, (at + 1, at + 1), True)]).inserted == 1

    refused = ask(made, [(0, (99, 99), True), (1, (1, 1), True)])
    shadowed = ask(made, [(0, (99, 99), False), (1, (1, 1), True)])

    assert verdicts(refused) == [TABLE_FULL, UNDONE] and refused.traces[1].used == 1, "as before"
    assert verdicts(shadowed) == [TABLE_FULL, TAKEN]


def test_no_demand_is_no_refusal(segment):
    trial = Trial(limits(segment, pace(1)))

    assert trial.take([], {}, NOW) and trial.traces == [] and trial.held == []


def test_a_demand_of_another_plan_is_refused(segment):
    assert not Trial(limits(segment, pace(1))).take([(1, (1, 1), True)], {}, NOW)


def test_holds_run_out_and_come_back(segment):
    made = limits(segment, pace(1000))
    running = [Trial(made) for _ in range(64)]

    assert made.holds.free == 0
    with pytest.raises(MemoryError):
        Trial(made)
    running.pop(7).release()
    assert Trial(made) and made.holds.size == 64


def test_a_reload_keeps_the_holds_and_the_spent_share(segment):
    holds = Holds(segment, 0)
    before, after = Limits([pace(10)], holds), Limits([pace(20)], holds)
    running = [ask(before, demands(1)) for _ in range(5)]

    trial = ask(after, demands(1))
    assert trial.traces[0].used == 11, "half of ten is half of twenty, and one"
    running[0].settle({}, NOW)
    running[0].release()

    assert holds.free == 64 - 5
    assert ask(after, demands(1)).traces[0].used == 10, "it took two of twenty, and gave both back"


def test_an_arena_that_was_not_swept_is_not_used(segment):
    Trial(limits(segment, pace(1)))

    with pytest.raises(ShmError, match="swept"):
        Holds(segment, 0)
    with pytest.raises(IndexError):
        Holds(segment, 3)


@pytest.mark.parametrize("spec", [
    pace(0), pace(11, per=10), pace(1, per=0), pace(-1), pace(2**63, per=2**63), cap(0)])
def test_a_quota_that_cannot_be_kept_is_an_error(segment, spec):
    with pytest.raises(ValueError):
        limits(segment, spec)


def test_unknown_words_in_a_spec_are_errors(segment):
    for wrong in ({"unit": "sheep"}, {"algorithm": "guess"}):
        with pytest.raises(KeyError):
            limits(segment, {**pace(1), **wrong})
