"""System calls of a serving process are counted per request and per event, exactly.

Method: a stand-in server whose calls are known (wait, read, write for a request; wait, write for
a paced event) is measured as the gateway is; three calls more in each must show as three more.
"""

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import gate, live
from benchmarks.measure import environment, library
from benchmarks.processes import Peer
from tools.ports import free_port

STANDIN = Path(__file__).with_name("standin.py")

pytestmark = [pytest.mark.alone,
              pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is missing")]


def measured(folder, waste):
    port, counts = free_port(), folder / f"counts{waste}"
    counts.mkdir()
    env = environment(LD_PRELOAD=str(library("count")), PYTHONMALLOC="malloc",
                      BENCH_COUNT_DIR=str(counts), WASTE=waste)
    command = [sys.executable, str(STANDIN), str(port)]
    with Peer("standin", command, port, folder, None, env) as peer:
        peer.wait_ready()
        return live.measure_peer(peer, counts, "key")


def test_each_request_and_each_event_is_counted_and_calls_more_fail_the_gate(
        tmp_path, monkeypatch):
    monkeypatch.setattr(live, "EVENTS", 50)
    plain, wasteful = measured(tmp_path, "0"), measured(tmp_path, "3")

    assert plain["request"]["syscalls"] == pytest.approx(3, abs=0.1)
    assert 2 <= plain["event"]["syscalls"] < 4  # a timer may wake a loop once more
    for name in ("request", "event"):
        assert wasteful[name]["syscalls"] - plain[name]["syscalls"] == pytest.approx(3, abs=0.5)
        assert wasteful[name]["allocations"] > 5
        [calls, _] = gate.judge(name, wasteful[name], plain[name], prefix="live ")
        assert not calls.passed
