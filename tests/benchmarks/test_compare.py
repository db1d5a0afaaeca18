"""The comparison counts what it says: every process of a peer, per completed request.

Method: arithmetic on made-up rows; a peer of two processes that burn known CPU; and one short
round of nginx and haproxy before a stand-in provider, where they are installed.
"""

import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import compare, load, peers
from benchmarks.measure import CannotMeasure
from benchmarks.processes import DidNotStart, Peer
from tools.ports import free_port

STANDIN = Path(__file__).with_name("standin.py")
SCENE = compare.SCENES["json"]


def rows(*cpu):
    return [{"cpu_us": value, "cpu_share": 1.0, "mock_share": 0.5, "rate": 1e4, "bytes": 900,
             "p50_us": 500, "p99_us": 900, "resident_kib": 20480, "private_kib": 10240}
            for value in cpu]


def test_a_ratio_is_taken_within_its_round():
    measured = {"fastgw": rows(10, 30), "nginx": rows(20, 30)}

    assert compare.ratios(measured, "fastgw") == [0.5, 1.0]
    assert "0.75" in compare.table(SCENE, measured)


@pytest.mark.parametrize("found, failed", [([1.2, 1.0, 1.3], False), ([1.2, 1.1, 1.3], True),
                                           ([0.9], False), ([], False)])
def test_only_a_ratio_above_its_budget_in_every_round_fails(found, failed):
    assert bool(compare.passed({"json": found}, {"json": 1.05})) is failed


def test_the_distance_to_a_promise_is_told():
    lines = compare.distances({"json": [1.2, 1.0, 1.3], "paced": [0.9]},
                              {"json": 1.05, "paced": 1.05, "burst": 0.95})

    assert lines == ["json: fastgw / nginx 1.20, promised 1.05: missed by 14%",
                     "paced: fastgw / nginx 0.90, promised 1.05: reached"]


@pytest.mark.alone
def test_cpu_and_memory_of_every_process_of_a_peer_are_counted_and_all_are_ended(tmp_path):
    port = free_port()
    code = ("import os, socket, time\n"
            "held = bytes(range(256)) * 4096 * 20\n"
            "def burn():\n    until = time.process_time() + 0.4\n"
            "    while time.process_time() < until: pass\n"
            "if os.fork() == 0:\n    burn(); time.sleep(60)\n"
            f"burn(); s = socket.create_server(('127.0.0.1', {port}))\n"
            "while True: s.accept()")
    peer = Peer("two", [sys.executable, "-c", code], port, tmp_path, None)
    peer.wait_ready()
    deadline = time.monotonic() + 10
    while peer.cpu_us() < 780_000 and time.monotonic() < deadline:
        time.sleep(0.02)

    pids = peer.pids()
    assert len(pids) == 2
    assert peer.cpu_us() >= 780_000
    assert peer.memory().private > 20 * 1024
    peer.stop()
    assert peer.pids() == []


def test_a_peer_that_ends_at_once_says_why(tmp_path):
    peer = Peer("gone", [sys.executable, "-c", "raise SystemExit('no such port')"], 1, tmp_path,
                None)

    with pytest.raises(DidNotStart, match="no such port"):
        peer.wait_ready()


def test_a_turn_in_which_requests_failed_is_done_again_and_said(monkeypatch, capsys):
    turns = []

    def one_run(*_):
        turns.append(1)
        if len(turns) < 3:
            raise CannotMeasure(f"{len(turns)} of 9 requests failed")
        return {"cpu_us": 1.0}

    monkeypatch.setattr(compare, "one_run", one_run)
    monkeypatch.setattr(compare.time, "sleep", lambda _: None)
    peer, scene = SimpleNamespace(name="x"), compare.SCENES["json"]

    assert compare.steady_run(peer, peer, scene, 1) == {"cpu_us": 1.0}
    assert capsys.readouterr().out.count("again: x, json: ") == 2
    monkeypatch.setattr(compare, "one_run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compare.steady_run(peer, peer, scene, 1)

    def never(*_):
        raise CannotMeasure("9 of 9 requests failed")

    monkeypatch.setattr(compare, "one_run", never)
    with pytest.raises(CannotMeasure):
        compare.steady_run(peer, peer, scene, 1)


@pytest.fixture
def standin(tmp_path):
    port = free_port()
    with Peer("mock", [sys.executable, str(STANDIN), str(port)], port, tmp_path, None) as peer:
        peer.wait_ready()
        yield peer


def test_the_client_reads_lengths_and_chunks(standin):
    client = load.Client(standin.port, "key")

    assert client.chat()[0] == 200
    status, stream = client.chat(streamed=True)
    client.close()

    assert (status, stream.count(b"\n\n")) == (200, 100)


@pytest.mark.alone
@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("nginx")
                         and shutil.which("haproxy")), reason="wrk, nginx or haproxy is missing")
def test_nginx_and_haproxy_are_measured_in_turns(tmp_path, standin):
    with peers.start("nginx", tmp_path, standin.port) as nginx, \
            peers.start("haproxy", tmp_path, standin.port) as haproxy:
        assert compare.probe(nginx) == compare.probe(haproxy) == (len(b"x" * 635), 100)
        found = compare.rounds([nginx, haproxy], standin, [SCENE], 1, 1)

    assert {name: len(runs) for name, runs in found["json"].items()} == {"nginx": 1, "haproxy": 1}
    assert all(1 < run["cpu_us"] < 1000 for runs in found["json"].values() for run in runs)


def test_a_failed_request_is_never_counted_as_a_fast_one(tmp_path):
    if not shutil.which("wrk"):
        pytest.skip("wrk is missing")
    with pytest.raises(CannotMeasure):
        load.wrk(free_port(), "key", connections=1, seconds=1, streamed=False, cpu=0)
