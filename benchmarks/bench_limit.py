"""Limit: two buckets taken together and settled, from Python and with its overhead."""

import pytest

from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.shm.segment import Segment

NOW = 10**12


@pytest.fixture
def limits(tmp_path):
    segment = Segment.create(tmp_path / "segment", workers=1)
    specs = [{"name": name, "unit": name, "algorithm": "token_bucket", "capacity": 10**6,
              "period_ns": 60 * 10**9, "enforced": True} for name in ("requests", "tokens")]
    return Limits(specs, Holds(segment, 0))


def test_take_and_settle_a_request_and_a_token_bucket(benchmark, limits):
    demands = [(0, (1, 2), True), (1, (3, 4), True)]
    now = NOW

    def one():
        nonlocal now
        now += 10**8
        trial = Trial(limits, wall_ns=now)
        taken = trial.take(demands, {"requests": 1, "tokens": 700}, now)
        trial.settle({"requests": 1, "tokens": 150}, now + 1000)
        trial.release()
        return taken

    assert benchmark(one)
