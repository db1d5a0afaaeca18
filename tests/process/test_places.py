"""Places: who fills them, and that nobody unknown stays.

Method: real children of the test process.
"""

import os
import signal
import time

import pytest

from fastgw.process import places
from fastgw.process.places import Place, kill_strangers
from tests.process.apart import apart


def sleeper() -> int:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(60)
        os._exit(0)
    return pid


def test_describes_who_fills_it_and_counts_restarts():
    place = Place("worker 3", 3)
    assert place.describe() == {
        "pid": 0, "state": "down", "restarts": 0, "slot": 3, "generation": 0,
    }
    for generation in (7, 8):
        place.asked(generation)
        place.born(100 + generation)
        described = place.describe()
        assert place.died() == (0 if generation == 7 else 0.1)

    assert described == {
        "pid": 108, "state": "starting", "restarts": 1, "slot": 3, "generation": 8,
    }
    assert place.describe()["pid"] == 0


def test_signals_only_who_is_there():
    place = Place("admin")
    place.kill(signal.SIGTERM)
    place.asked(0)
    place.born(sleeper())

    place.kill(signal.SIGTERM)

    assert os.waitstatus_to_exitcode(os.waitpid(place.pid, 0)[1]) == -signal.SIGTERM


def test_a_counter_that_stands_still_is_a_worker_that_hangs(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    place = Place("worker 0", 0)

    seen = []
    for turns, later in ((5, 0), (5, 9), (6, 1), (6, 10), (6, 0.5), (7, 0)):
        now[0] += later
        seen.append(place.hangs(turns, 10.0))

    assert seen == [False, False, False, False, True, False]


def test_children_are_found_on_kernels_that_do_not_list_them(monkeypatch):
    child = sleeper()
    listed = places._children()
    real_open = open

    def without_list(path, *rest):
        if str(path).endswith("/children"):
            raise FileNotFoundError(path)
        return real_open(path, *rest)

    monkeypatch.setattr("builtins.open", without_list)

    assert child in listed
    assert sorted(places._children()) == sorted(listed)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_strangers_are_killed_and_reaped_and_known_children_live():
    def check():
        known, strangers = sleeper(), [sleeper(), sleeper()]

        kill_strangers({known})

        for pid in strangers:
            with pytest.raises(ChildProcessError):
                os.waitpid(pid, 0)
        assert os.waitpid(known, os.WNOHANG) == (0, 0)
        os.kill(known, signal.SIGKILL)
        os.waitpid(known, 0)

    apart(check)
