"""Timers: calls in order of their time, none early.

Method: the clock is a list that the test moves.
"""

from fastgw.process.timers import Timers


def test_calls_run_in_order_of_their_time_and_never_early():
    now, called = [0.0], []
    timers = Timers(lambda: now[0])
    for delay in (3.0, 1.0, 2.0):
        timers.after(delay, lambda delay=delay: called.append(delay))

    assert timers.wait_s() == 1.0
    timers.run_due()
    assert called == []
    now[0] = 2.0
    timers.run_due()
    assert called == [1.0, 2.0]
    assert timers.wait_s() == 1.0


def test_calls_of_one_instant_run_in_the_order_they_were_made():
    now, called = [0.0], []
    timers = Timers(lambda: now[0])
    for number in range(5):
        timers.after(1.0, lambda number=number: called.append(number))
    now[0] = 5.0

    timers.run_due()

    assert called == [0, 1, 2, 3, 4]
    assert timers.wait_s() is None


def test_a_call_made_due_by_a_call_runs_too():
    timers, called = Timers(lambda: 0.0), []
    timers.after(0.0, lambda: timers.after(0.0, lambda: called.append("second")))

    timers.run_due()

    assert called == ["second"]
