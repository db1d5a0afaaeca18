"""Sweep: what a dead worker held comes back, and each of its open attempts gets one CLOSE.

Method: workers are forked processes that take, tell how far they are, and are killed.
"""

import struct

import pytest

from fastgw.errors import Code
from fastgw.limit.peek import entries, level
from fastgw.limit.sweep import carry_over, sweep
from fastgw.limit.trial import Trial
from fastgw.shm import counters
from fastgw.shm.segment import DEAD, NONE, READY, Segment
from tests.limit.fixtures import (
    NOW,
    TAKEN,
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
)

__all__ = ["segment"]  # a fixture

SPECS = (pace(100), pace(1000, unit="tokens"), pace(1000, unit="input_tokens"),
         pace(1000, unit="output_tokens"), slots(4), cap(1000))


def used(segment, now=NOW):
    """By unit."""
    capacities = (100, 1000, 1000, 1000, 1000, 4)
    return {entry.unit: level(segment, entry, capacities[entry.unit], SPECS[0]["period_ns"],
                              now).used for entry in entries(segment)}


def swept(segment, worker=1):
    lost = []
    outcome = sweep(segment, worker, NOW, lost.append, wall_ns=900)
    return outcome, lost


def running(segment, *, opened=True, sent=True, **progress):
    """A killed worker 1 that had one request: 300 tokens held, an input estimate of 40."""
    def work():
        trial = Trial(limits(segment, *SPECS, worker=1), (8, 1, 5), 600)
        assert trial.take(demands(6), {"tokens": 300, "input_tokens": 50, "output_tokens": 250,
                                       "cost": 70}, NOW)
        if opened:
            trial.open(1, input_estimate=40, input_high=90, output_high=250, provider_key=33,
                       wall_ns=700)
        if sent:
            trial.sent(1234)
        if progress:
            trial.progress(**progress)
    in_child(work)


def test_a_request_that_was_cut_pays_for_what_was_delivered(segment):
    running(segment, output_tokens=25, events=9, bytes_out=888)

    outcome, lost = swept(segment)

    assert outcome == (1, 1)
    assert used(segment) == {0: 1, 1: 65, 2: 40, 3: 25, 4: 70, 5: 0}
    assert [(one.id, one.attempt, one.provider_key) for one in lost] == [((8, 1, 5), 1, 33)]
    assert (lost[0].input_low, lost[0].input_high) == (0, 90)
    assert (lost[0].output_low, lost[0].output_high) == (25, 250)
    assert (lost[0].events, lost[0].bytes_in, lost[0].bytes_out) == (9, 1234, 888)
    assert (lost[0].open_wall_ns, lost[0].close_sequence) == (700, 0)


def test_the_providers_own_number_is_used_where_it_was_read(segment):
    running(segment, input_tokens=44, output_tokens=25)

    _, lost = swept(segment)

    assert used(segment)[1] == 69
    assert (lost[0].input_low, lost[0].input_high) == (44, 44)


def test_more_delivered_than_held_is_charged(segment):
    running(segment, output_tokens=700)

    _, lost = swept(segment)

    assert used(segment)[1] == 740 and used(segment)[3] == 700
    assert lost[0].output_high == 700


def test_a_request_that_sent_nothing_costs_only_itself(segment):
    running(segment, opened=False, sent=False)

    outcome, lost = swept(segment)

    assert outcome == (1, 0) and lost == []
    assert used(segment) == {0: 1, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0}


def test_the_close_record_is_whole(segment):
    running(segment, input_tokens=44, output_tokens=25, events=9, bytes_out=888)

    raw = swept(segment)[1][0].record()

    head = struct.unpack_from("<IBBHQIHHQQ", raw)
    assert head == (len(raw), 3, 3, 0, 0, 8, 1, 0, 5, 900)
    tokens, rest = struct.unpack_from("<8Q", raw, 120), raw[184:]
    assert tokens == (44, 0, 0, 0, 25, 0, 0, 0)
    assert struct.unpack_from("<4QqIHH8BHIIQQQ", rest)[:5] == (44, 44, 25, 250, -1)
    status, code, fate, weaker, of_input, of_output, attempt, final = struct.unpack_from(
        "<HH6B", rest, 44)
    assert (status, code, fate) == (0, Code.WORKER_LOST, 7)
    assert (weaker, of_input, of_output, attempt, final) == (3, 1, 3, 1, 1)
    assert len(raw) % 8 == 0


def held_of(lost) -> list[tuple[int, int, int]]:
    """Identity and amount of each cap, as its HELD says."""
    raw = lost.held()
    size, kind, version, flags = struct.unpack_from("<IBBH", raw)
    assert (size, kind, version, flags) == (len(raw), 7, 3, 1)
    return [struct.unpack_from("<3Q", raw, at) for at in range(56, len(raw), 24)]


@pytest.mark.parametrize("lost, settled", [("ceiling", 400), ("progress", 25)])
def test_the_ledger_is_told_what_the_words_were_settled_to(segment, lost, settled):
    def work():
        made = limits(segment, pace(100), cap(1000, "output_tokens", on_worker_lost=lost),
                      cap(1000, "cost"), cap(10, "output_tokens", enforced=False), worker=1)
        trial = Trial(made, (8, 1, 5))
        assert trial.take(demands(4), {"output_tokens": 300, "cost": 70}, NOW)
        trial.open(1, output_high=300)
        assert trial.draw({"output_tokens": 100})
        trial.progress(output_tokens=25)
    in_child(work)

    (one,) = swept(segment)[1]

    assert [amount for *_, amount in held_of(one)] == [settled, 70, 0]


@pytest.mark.parametrize("posted", [False, True])
def test_who_dies_at_its_last_close_leaves_words_as_it_says(segment, posted):
    def work():
        made = limits(segment, pace(1000, unit="tokens"), cap(1000, "output_tokens"),
                      cap(1000, "cost"), worker=1)
        trial = Trial(made, (8, 1, 5))
        assert trial.take(demands(3), {"tokens": 300, "output_tokens": 300, "cost": 70}, NOW)
        trial.open(1, output_high=300)
        trial.intend({"tokens": 45, "output_tokens": 31, "cost": 9})
        assert trial.held == [300, 300, 70], "until it is settled"
        trial.closing(200)
        if posted:
            trial.closed()
    in_child(work)

    _, lost = swept(segment)

    assert {entry.unit: entry.raw for entry in entries(segment) if entry.unit in (3, 4)} == {
        3: 31, 4: 9}
    assert lost == [] if posted else [amount for *_, amount in held_of(lost[0])] == [31, 9]


def test_an_attempt_without_caps_has_nothing_to_tell(segment):
    running(segment)
    caps = swept(segment)[1][0]
    assert held_of(caps) != []

    def work():
        trial = Trial(limits(segment, pace(100), worker=2), (8, 2, 5))
        assert trial.take(demands(1), {}, NOW)
        trial.open(1)
    in_child(work)
    assert swept(segment, 2)[1][0].held() == b""


def test_sweeping_twice_is_harmless(segment):
    running(segment, output_tokens=25)
    swept(segment)
    before = used(segment)

    assert swept(segment) == ((0, 0), [])
    assert used(segment) == before


def test_a_sweep_that_was_cut_short_is_finished_by_the_next(segment):
    running(segment, output_tokens=25)

    def fails(lost):
        raise OSError("the ledger is full")

    with pytest.raises(OSError):
        sweep(segment, 1, NOW, fails)
    assert segment.worker(1).state == DEAD and segment.live_holds(1) == (1, 1)
    once = used(segment)

    assert swept(segment)[0] == (1, 1)
    assert used(segment) == once and segment.live_holds(1) == (0, 0)


@pytest.mark.parametrize("open_at, close_at, head, needed", [
    (100, 0, 100, False),  # died before its OPEN was posted
    (100, 0, 101, True),
    (100, 200, 200, True),  # died before its CLOSE was posted
    (100, 200, 201, False),
    (0, 0, 50, True),
    (100, 0, 0, True),  # the ring is lost: the ledger knows
])
def test_a_close_is_posted_if_the_ring_has_the_open_and_not_the_close(
        segment, open_at, close_at, head, needed):
    def work():
        trial = Trial(limits(segment, worker=1), (8, 1, 6))
        trial.open(2, open_sequence=open_at)
        if close_at:
            trial.closing(close_at)
    in_child(work)

    _, lost = swept(segment)

    assert [(one.attempt, one.open_sequence, one.close_sequence) for one in lost] == [
        (2, open_at, close_at)]
    assert lost[0].needs_close(head) == needed


def test_a_swept_slot_is_free_and_its_gauges_are_zero(segment):
    segment.claim(1, 77, 5, 9)
    segment.set_state(1, READY)
    counters.count(segment, 1, "requests", 3)
    counters.count(segment, 1, "streams_open", 2)
    running(segment)

    swept(segment)

    assert segment.worker(1).state == NONE
    assert counters.total(segment).gauges["streams_open"] == 0
    assert counters.total(segment).counters["requests"] == 3
    assert limits(segment, *SPECS, worker=1).holds.free == 64


def test_other_workers_are_left_alone(segment):
    mine = ask(limits(segment, *SPECS), demands(6), tokens=10)
    running(segment)

    swept(segment)

    assert mine.held == [1, 10, 0, 0, 1, 0] and segment.live_holds(0) == (1, 0)


def test_slots_of_a_worker_that_dies_with_many_come_back(segment):
    def work():
        mine = limits(segment, *SPECS, worker=2)
        for _ in range(4):
            assert verdicts(ask(mine, demands(6))) == [TAKEN] * 6
    in_child(work)
    assert used(segment)[5] == 4

    assert swept(segment, 2)[0] == (4, 0)

    assert used(segment)[5] == 0
    assert verdicts(ask(limits(segment, *SPECS), demands(6))) == [TAKEN] * 6


def test_buckets_are_carried_into_a_segment_of_other_sizes(segment, tmp_path):
    made = limits(segment, *SPECS)
    for key in range(1, 9):
        ask(made, demands(6, key), tokens=10 * key)
    sweep(segment, 0, NOW, None)

    newer = Segment.create(segment.path, workers=5, entries=64, holds_per_worker=8)

    assert (newer.reason, newer.replaced.workers) == ("of other sizes", 3)
    assert carry_over(newer.replaced, newer) == 40, "slots are nobody's any more"
    trial = ask(limits(newer, *SPECS), demands(6, 3), tokens=1)
    assert [t.used for t in trial.traces] == [2, 1, 0, 0, 1, 0]
    assert ask(limits(newer, *SPECS, worker=1), demands(1, 8), NOW + S).traces[0].used == 2


@pytest.mark.parametrize("at", ["before its OPEN", "as its OPEN is posted"])
def test_what_no_record_tells_of_is_not_charged_to_a_cap(segment, at):
    """Killed between taking and the OPEN: the word kept the ceiling, and no account had it."""
    def work():
        trial = Trial(limits(segment, *SPECS, worker=1), (8, 1, 5), 600)
        assert trial.take(demands(6), {"tokens": 300, "cost": 70}, NOW)
        if at != "before its OPEN":
            trial.open(1, input_estimate=40, input_high=90, output_high=250, provider_key=33,
                       wall_ns=700, open_sequence=4096)
    in_child(work)
    lost = []
    sweep(segment, 1, NOW, lost.append, wall_ns=900, ring_head=4096)

    assert used(segment)[4] == 0 and lost == []


def test_an_open_that_was_posted_is_charged_and_closed(segment):
    def work():
        trial = Trial(limits(segment, *SPECS, worker=1), (8, 1, 5), 600)
        assert trial.take(demands(6), {"tokens": 300, "cost": 70}, NOW)
        trial.open(1, input_estimate=40, input_high=90, output_high=250, provider_key=33,
                   wall_ns=700, open_sequence=4096)
    in_child(work)
    lost = []
    sweep(segment, 1, NOW, lost.append, wall_ns=900, ring_head=4200)

    assert used(segment)[4] == 70 and len(lost) == 1
