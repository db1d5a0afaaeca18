"""Caps and slow buckets outlive shared memory; room is given; alerts come once.

Method: whole gateways in front of the mock, whose usage is chosen by `x-mock`. Between two runs
the segment's folder is removed, as a boot would; who is killed is killed with all its processes.
"""

import http.server
import json
import os
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import orjson
import pytest

from fastgw.ledger.query import Ledger
from tests.journey.harness import Gateway, Mock, chat, configuration, post, read_answer, wait_until

POLICY = {"on_http_request": [{"name": "budget", "actions": [
    {"type": "usage-cap", "config": {
        "name": "team", "unit": "tokens", "limit": 100_000, "window": "total",
        "bucket_key": ["key.owner.team"], "alert_at": [0.0005, 0.8]}},
    {"type": "rate-limit", "config": {
        "name": "day", "unit": "requests", "capacity": 100, "per": "24h",
        "bucket_key": ["key.id"]}},
]}]}


@pytest.fixture(scope="module")
def mock():
    running = Mock()
    yield running
    running.stop()


@pytest.fixture
def home(tmp_path):
    (tmp_path / "shm").mkdir()
    return tmp_path


def begin(home: Path, mock: Mock, *, workers: int = 1, **more) -> Gateway:
    config = configuration(
        mock.port, **{"policy": POLICY, "shm_dir": str(home / "shm"), **more})
    return Gateway(config, workers=workers, data_dir=home / "data")


def spend(gateway: Gateway, times: int = 1) -> None:
    """A call of 30 input and 10 output tokens, so many times."""
    asked = "x-mock: prompt_tokens=30,events=10"
    with gateway.connect() as sock:
        for _ in range(times):
            sock.sendall(post("/v1/chat/completions", chat(max_tokens=50), asked))
            status, _, body = read_answer(sock)
            assert status == 200, body


def used(gateway: Gateway) -> dict[str, int]:
    """As soon as the ledger knows a name: it is stored 50 ms behind what it names."""
    return wait_until(lambda: named(gateway))


def named(gateway: Gateway) -> dict[str, int]:
    answer = urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/api/limits", timeout=5)
    return {row["name"]: row["used"] for row in json.load(answer) if row["name"][0] != "?"}


def settled(gateway: Gateway) -> dict[str, int]:
    """What is used once nothing is held any more."""
    return wait_until(lambda: held_none(gateway) and used(gateway))


def held_none(gateway: Gateway) -> bool:
    answer = urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/api/limits", timeout=5)
    return all(not row["held"] for row in json.load(answer))


def forget_memory(home: Path) -> None:
    for folder in (home / "shm").iterdir():
        shutil.rmtree(folder)


def test_what_was_spent_is_known_after_a_stop_and_a_boot(home, mock):
    first = begin(home, mock)
    spend(first, 3)
    before = settled(first)
    assert first.stop() == 0
    forget_memory(home)

    again = begin(home, mock)
    try:
        assert before == {"team": 120, "day": 3} and used(again) == before
        spend(again)
        assert settled(again) == {"team": 160, "day": 4}
        assert '"event":"limits restored"' in again.log()
    finally:
        again.remove()
        first.remove()


def test_what_was_spent_is_known_after_everything_was_killed(home, mock):
    quick = "import fastgw.process.continuity as c; c.SAVE_EVERY_S = 0.1"
    config = configuration(mock.port, policy=POLICY, shm_dir=str(home / "shm"))
    first = Gateway(config, data_dir=home / "data", before=quick)
    spend(first, 3)
    before = settled(first)
    wait_until(lambda: 'attempts_total 3' in metrics(first))
    since, saved = time.time(), home / "data" / "limits.snapshot"
    wait_until(lambda: saved.exists() and saved.stat().st_mtime > since)
    with first.connect() as sock:  # and one that nobody will ever close
        stalls = "x-mock: prompt_tokens=30,events=100,pace=10000ms"
        sock.sendall(post("/v1/chat/completions", chat(max_tokens=50, stream=True), stalls))
        assert sock.recv(1)
        wait_until(lambda: "ledger_open_attempts 1" in metrics(first))
        held = used(first)["team"] - 120
        pids = first.pids()
        first.process.send_signal(signal.SIGKILL)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    first.process.wait(10)
    forget_memory(home)

    again = begin(home, mock)
    try:
        assert before["team"] == 120 and held > 0
        after = used(again)
        assert after["team"] == 120 + held  # its ceiling: on_worker_lost
        assert after["day"] in (3, 4)
    finally:
        again.remove()
        first.remove()


def in_ledger(gateway: Gateway) -> list[int]:
    with Ledger(gateway.data_dir) as ledger:
        return [row.used for row in ledger.caps(time.time_ns())]


@pytest.mark.parametrize("boot", [True, False], ids=["and a boot", "memory stays"])
def test_what_was_drawn_beyond_the_hold_is_known_after_everything_was_killed(home, mock, boot):
    """Of a provider that goes on beyond its limit: 5 tokens were held, two slices drawn."""
    cap = {"name": "out", "unit": "output_tokens", "limit": 5000, "window": "total"}
    policy = {"on_http_request": [{"actions": [{"type": "usage-cap", "config": cap}]}]}
    first = begin(home, mock, policy=policy)
    with first.connect() as sock:
        asked = "x-mock: events=1200,ignore_max=1,stall_after=1100"
        sock.sendall(post("/v1/chat/completions", chat(max_tokens=5, stream=True), asked))
        got = b""
        while got.count(b'"content":" ') < 1100:
            got += sock.recv(65536)
        drawn = 5 + 2 * 1024
        assert used(first) == {"out": drawn}
        wait_until(lambda: in_ledger(first) == [drawn])
        pids = [first.process.pid, *first.pids()]
        for signum in (signal.SIGSTOP, signal.SIGKILL):  # nobody is to settle in between
            for pid in pids:
                os.kill(pid, signum)
    first.process.wait(10)
    if boot:
        forget_memory(home)

    again = begin(home, mock, policy=policy)
    try:
        assert used(again) == {"out": drawn}
        wait_until(lambda: in_ledger(again) == [drawn])
    finally:
        again.remove()
        first.remove()


def metrics(gateway: Gateway) -> str:
    answer = urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/metrics", timeout=5)
    return answer.read().decode()


def order(gateway: Gateway, do: str, content: dict, **fields: str) -> tuple[int, dict]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.admin}/api/limits/{do}", orjson.dumps(content),
        {"content-type": "application/json", **fields},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_room_is_given_recorded_and_kept_over_a_boot(home, mock):
    gateway = begin(home, mock)
    spend(gateway, 3)
    assert settled(gateway) == {"team": 120, "day": 3}

    status, given = order(gateway, "grant", {"name": "team", "key": "a", "amount": 50})
    assert (status, given["before"], given["after"]) == (200, 120, 70)
    said = gateway.run("limits", "reset", "--name", "day", "--key", '["alice"]')
    assert said == "day of alice: used 3 requests before, 0 requests now\n"
    assert used(gateway) == {"team": 70, "day": 0} or used(gateway) == {"team": 70}
    status, problem = order(gateway, "reset", {"name": "taem", "key": "a"})
    assert status == 404 and "'team'" in problem["error"]["message"]
    status, problem = order(gateway, "grant", {"name": "team", "key": "b", "amount": 5})
    assert status == 404 and "near it: 'a'" in problem["error"]["message"]
    for wrong in ({"name": "team", "key": "a"}, {"name": "team", "key": "a", "amount": -5},
                  {"name": "team", "key": "a", "amount": None}):
        assert order(gateway, "grant", wrong)[0] == 400
    assert order(gateway, "reset", {"name": "team", "key": "a"},
                 **{"content-type": "text/plain"})[0] == 400

    def listed() -> list[dict]:
        url = f"http://127.0.0.1:{gateway.admin}/api/limits/grants"
        return json.load(urllib.request.urlopen(url, timeout=5))

    grants = wait_until(lambda: len(found := listed()) == 2 and found)
    assert [(one["name"], one["key"], one["before"], one["after"]) for one in grants] == [
        ("team", ["a"], 120, 70), ("day", ["alice"], 3, 0)]
    assert grants[0]["admin"].endswith("admin port, 127.0.0.1")
    assert grants[1]["admin"].endswith("command line")
    gateway.stop()
    forget_memory(home)
    again = begin(home, mock)
    try:
        assert used(again) == {"team": 70}
    finally:
        again.remove()
        gateway.remove()


class Receiver(http.server.BaseHTTPRequestHandler):
    got: list[dict] = []

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        signed = self.headers["x-fastgw-signature"]
        type(self).got.append({**json.loads(content), "signed": signed})
        self.send_response(500 if len(type(self).got) == 1 else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_alert_is_told_once_over_workers_and_restarts(home, mock):
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    alerts = {"webhook": f"http://127.0.0.1:{server.server_port}/x", "secret": "whsec"}
    gateway = begin(home, mock, workers=2, alerts=alerts)
    for _ in range(4):
        spend(gateway)
    wait_until(lambda: len(Receiver.got) == 2)  # the first was answered with 500
    wait_until(lambda: 'told="yes"' in metrics(gateway))
    assert gateway.log().count('"event":"cap alert"') == 1
    gateway.stop()
    again = begin(home, mock, workers=2, alerts=alerts)
    try:
        spend(again, 2)
        settled(again)
        wait_until(lambda: "ledger_attempts_total 6" in metrics(again))
        assert '"event":"cap alert"' not in again.log()
        first, second = Receiver.got
        assert first["id"] == second["id"] and second["signed"].startswith("t=")
        assert (second["limit"], second["key"], second["fraction"]) == ("team", ["a"], 0.0005)
        assert second["used"] >= 50 and second["of"] == 100_000
        sample = 'fastgw_cap_alerts_total{fraction="0.0005",limit="team",told="yes"} 1.0'
        assert sample in metrics(again)
    finally:
        again.remove()
        gateway.remove()
        server.shutdown()
        server.server_close()
