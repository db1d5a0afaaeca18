"""Trial: a request's limits from Python does what the hot path does, in its order.

Method: wrong uses must be errors and touch nothing; right ones are what this room's tests do.
"""

import pytest

from fastgw.limit.trial import Trial
from tests.limit.fixtures import NOW, demands, limits, pace, segment

__all__ = ["segment"]  # a fixture


def test_a_released_trial_is_over(segment):
    made = limits(segment, pace(5))
    trial = Trial(made)
    trial.release()

    for use in (trial.release, lambda: trial.settle({}, NOW), lambda: trial.held,
                lambda: trial.take(demands(1), {}, NOW), lambda: trial.open(1)):
        with pytest.raises(ValueError):
            use()
    assert made.holds.free == made.holds.size


def test_more_limits_than_a_request_may_take_are_an_error(segment):
    made = limits(segment, *[pace(5)] * 9)

    with pytest.raises(ValueError, match="at most 8"):
        Trial(made).take(demands(9), {}, NOW)
    assert Trial(made).take(demands(8), {}, NOW)


def test_a_unit_that_does_not_exist_is_an_error(segment):
    with pytest.raises(KeyError):
        Trial(limits(segment, pace(5))).take(demands(1), {"sheep": 1}, NOW)


def test_an_attempt_is_open_until_it_is_closed(segment):
    trial = Trial(limits(segment, pace(5)))
    trial.open(1)
    assert segment.live_holds(0) == (1, 1)

    trial.closing(5)
    trial.closed()

    assert segment.live_holds(0) == (1, 0)
