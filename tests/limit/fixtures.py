"""Segments and limits for the tests of this room."""

import os
import signal

import pytest

from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.shm.segment import Segment

S = 1_000_000_000
NOW = 5_000 * S
DAY = 86_400 * S
WALL = 20_000 * DAY + 7 * 3600 * S
TAKEN, REFUSED, NEVER, UNDONE, TABLE_FULL = 1, 2, 3, 4, 5


@pytest.fixture
def segment(tmp_path):
    """One for three workers, with few holds and entries."""
    return Segment.create(tmp_path / "shm" / "segment", workers=3, entries=256,
                          holds_per_worker=64)


def pace(capacity, *, unit="requests", per=DAY, rule=0, enforced=True):
    return {"unit": unit, "algorithm": "token_bucket", "capacity": capacity, "period_ns": per,
            "rule": rule, "enforced": enforced}


def window(capacity, *, sliding=False, unit="requests", per=60 * S):
    return {"unit": unit, "algorithm": "sliding_window" if sliding else "fixed_window",
            "capacity": capacity, "period_ns": per}


def slots(capacity):
    return {"unit": "slots", "algorithm": "concurrency", "capacity": capacity}


def cap(capacity, unit="cost", **more):
    return {"unit": unit, "algorithm": "cap", "capacity": capacity, "period_ns": 0, **more}


def limits(segment, *specs, worker=0, wall=WALL):
    return Limits(specs, Holds(segment, worker), wall)


def demands(n, key=1, enforced=True):
    """The first n limits, each with an identity of its own."""
    return [(at, (key * 1000 + at, key), enforced) for at in range(n)]


def ask(made, wanted, now=NOW, *, wall=WALL, ceiling=None, **amounts):
    """A trial that has asked; .verdicts tells what it heard."""
    trial = Trial(made)
    trial.take(wanted, amounts, now, wall_ns=wall, ceiling=ceiling)
    return trial


def verdicts(trial):
    return [trace.verdict for trace in trial.traces]


def in_child(work):
    """Runs ``work`` in a forked process that is then killed, as a worker would be."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.write(tell, b"1")
            signal.pause()
        finally:
            os._exit(1)
    os.close(tell)
    done = os.read(ready, 1)
    os.close(ready)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert done == b"1", "the child failed"
