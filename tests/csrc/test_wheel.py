"""Wheel: a timer fires at the first tick at or after its deadline, never before, however it moved.

Method: random lives of timers run beside a naive model that keeps a dict of deadlines; while
expired timers are popped, others (due ones too) are armed and disarmed, as callbacks do.
"""

import ctypes

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.csrc.shm_native import library, u64

TICK, SLOTS = 100_000_000, 1024


class Timer(ctypes.Structure):
    _fields_ = [("next", ctypes.c_void_p), ("prev", ctypes.c_void_p),
                ("deadline_tick", ctypes.c_uint64), ("owner", ctypes.c_void_p),
                ("kind", ctypes.c_uint32), ("hung", ctypes.c_uint32)]


class Wheel:
    def __init__(self, now=0, timers=8):
        self.lib = library()
        self.memory = ctypes.create_string_buffer(16 + ctypes.sizeof(Timer) * (SLOTS + 1))
        self.timers = (Timer * timers)()
        self.lib.fgw_wheel_init(self.memory, u64(now))

    def arm(self, at, deadline):
        self.lib.fgw_wheel_arm(self.memory, ctypes.byref(self.timers[at]), u64(deadline))

    def disarm(self, at):
        self.lib.fgw_wheel_disarm(self.memory, ctypes.byref(self.timers[at]))

    def advance(self, now):
        self.lib.fgw_wheel_advance(self.memory, u64(now))

    def pop(self):
        """The number of the next due timer, or None."""
        found = self.lib.fgw_wheel_pop(self.memory)
        if not found:
            return None
        return (found - ctypes.addressof(self.timers)) // ctypes.sizeof(Timer)

    def due(self, now):
        self.advance(now)
        return sorted(iter(self.pop, None))

    @property
    def armed(self):
        return ctypes.c_uint64.from_buffer(self.memory, 8).value


def test_a_timer_fires_at_its_tick_and_not_before():
    wheel = Wheel(now=5 * TICK)
    wheel.arm(0, 7 * TICK)
    wheel.arm(1, 7 * TICK + 1)

    assert wheel.due(7 * TICK - 1) == []
    assert wheel.due(7 * TICK) == [0]
    assert wheel.due(8 * TICK - 1) == []
    assert wheel.due(8 * TICK) == [1]
    assert wheel.armed == 0


def test_a_deadline_that_is_past_fires_at_the_next_tick():
    wheel = Wheel(now=50 * TICK)
    wheel.arm(0, 3 * TICK)

    assert wheel.due(50 * TICK + 1) == []
    assert wheel.due(51 * TICK) == [0]


def test_deadlines_a_round_and_more_away_wait_their_rounds():
    wheel = Wheel()
    wheel.arm(0, SLOTS * TICK)
    wheel.arm(1, 6000 * TICK)

    fired = {number: now for now in range(1, 6100) for number in wheel.due(now * TICK)}

    assert fired == {0: SLOTS, 1: 6000}


def test_a_long_sleep_brings_all_that_fell_due_and_nothing_else():
    wheel = Wheel()
    for at in range(8):
        wheel.arm(at, 700 * TICK * (at + 1))

    assert wheel.due(2800 * TICK) == [0, 1, 2, 3]
    assert wheel.due(99_999 * TICK) == [4, 5, 6, 7]


def test_a_clock_that_stands_still_or_goes_back_does_no_harm():
    wheel = Wheel(now=9 * TICK)
    wheel.arm(0, 10 * TICK)

    assert wheel.due(4 * TICK) == []
    assert wheel.due(10 * TICK) == [0]


STEPS = st.lists(st.one_of(
    st.tuples(st.just("arm"), st.integers(0, 7), st.integers(-5, 2500), st.integers(0, 1)),
    st.tuples(st.just("disarm"), st.integers(0, 7), st.just(0), st.just(0)),
    st.tuples(st.just("advance"), st.integers(0, 7), st.integers(0, 1200), st.integers(0, 2)),
), max_size=60)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_every_timer_fires_when_the_naive_model_says(steps):
    now, model = 100 * TICK, {}
    wheel = Wheel(now)

    def arm(number, ticks, odd):
        deadline = now + ticks * TICK + odd
        wheel.arm(number, deadline)
        model[number] = max(-(-deadline // TICK), now // TICK + 1)

    for what, number, ticks, third in steps:
        if what == "arm":
            arm(number, ticks, third)
        elif what == "disarm":
            wheel.disarm(number)
            model.pop(number, None)
        else:
            now += ticks * TICK + third
            wheel.advance(now)
            due = {at for at, tick in model.items() if tick <= now // TICK}
            for turn, fired in enumerate(iter(wheel.pop, None)):
                assert fired in due and model.pop(fired) <= now // TICK
                due.discard(fired)
                if turn == 0 and third == 1:  # a callback re-arms itself, and another that is due
                    arm(fired, 3, 0)
                    if due:
                        other = due.pop()
                        arm(other, 4, 0)
                if turn == 0 and third == 2:  # and one disarms another, due or not
                    wheel.disarm(number)
                    model.pop(number, None)
                    due.discard(number)
            assert due == set()
        assert wheel.armed == len(model)
        assert all(bool(wheel.timers[at].next) == (at in model) for at in range(8))
