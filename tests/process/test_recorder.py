"""The recorder's life: it ends with its crew, not by a signal, and leaves nothing behind.

Method: rings filled from here; a recorder as a forked process or as a thread; the ledger is read
back through its own queries.
"""

import os
import signal
import subprocess
import sys
import time

import orjson
import pytest

from fastgw.config.model import Config
from fastgw.ledger.committer import Paths
from fastgw.ledger.query import Ledger
from fastgw.ledger.records import Close, Open, RequestId
from fastgw.ledger.ring import Ring
from fastgw.log import Log
from fastgw.process import recorder
from fastgw.process.lines import Lines
from fastgw.process.refusal import StartError
from fastgw.process.shared import Shared, ring_path

LOG = Log(level="error")
CONFIG = Config(file="", providers=())


@pytest.fixture
def shared(tmp_path):
    (tmp_path / "shm").mkdir()
    (tmp_path / "data").mkdir()
    config = Config(
        file="", providers=(), data_dir=str(tmp_path / "data"), shm_dir=str(tmp_path / "shm")
    )
    return Shared.open(config, tmp_path / "data", 1)


@pytest.fixture
def paths(shared, tmp_path):
    return Paths(tmp_path / "data", shared.folder)


def post_attempt(shared: Shared, sequence: int, *, closed: bool = True) -> None:
    """As worker 0 posts it, into its own ring."""
    id = RequestId(7, 0, sequence)
    ring = Ring.attach(ring_path(shared.folder, 0), producer=True)
    assert ring.post_bytes(Open(id, 1).pack())
    if closed:
        assert ring.post_bytes(Close(id, 2).pack())
    ring.close()


def attempts(paths: Paths) -> int:
    with Ledger(paths.data_dir) as ledger:
        assert ledger.verify() == []
        return ledger.totals()["attempts"]


def test_a_process_ends_with_its_crew_and_stores_all_that_was_posted(shared, paths):
    lines = Lines()
    pid = lines.fork(
        lambda: recorder.main(
            paths, CONFIG, shared.segment, lines, LOG, first=True), ("crew_end", "reports_end")
    )
    deadline = time.monotonic() + 10
    while not (report := lines.read_report()) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert report == {"pid": pid, "kind": "ready"}
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)  # as a service manager tells a whole group
    for sequence in range(100):
        post_attempt(shared, sequence)
    lines.keep_only()

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert attempts(paths) == 100


def test_a_first_recorder_closes_what_nobody_will_close(shared, paths):
    post_attempt(shared, 1)
    post_attempt(shared, 2, closed=False)

    recorder.recover(paths, LOG)

    with Ledger(paths.data_dir) as ledger:
        assert ledger.open_attempts() == []
        lost = ledger.decision("00000007-00-0000000002")
    assert [attempt["fate"] for attempt in lost["attempts"]] == ["worker lost"]


def test_a_thread_stores_all_that_was_posted_before_it_stops(shared, paths):
    thread = recorder.RecorderThread(paths, CONFIG, shared.segment, LOG)
    for sequence in range(50):
        post_attempt(shared, sequence)

    thread.stop()

    assert attempts(paths) == 50


def test_a_ledger_that_cannot_be_used_is_reported(shared, paths):
    (paths.data_dir / "ledger.db").write_bytes(b"no database" * 1000)
    lines = Lines()
    pid = lines.fork(
        lambda: recorder.main(
            paths, CONFIG, shared.segment, lines, LOG, first=True), ("crew_end", "reports_end")
    )

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    report = lines.read_report()
    assert report["kind"] == "failed" and "ledger" in report["error"]
    lines.keep_only()


def test_full_rings_of_the_last_instance_are_drained_before_the_sweep(shared, paths):
    shared.claim(0, 9)  # a worker that was killed: its mark needs room
    sequence = 0
    while shared.ring.post_bytes(Close(RequestId(7, 0, sequence), 2).pack()):
        sequence += 1
    assert not shared.recover(LOG)

    recorder.recover_all(shared, paths, LOG)

    assert shared.recover(LOG)


def test_records_in_an_earlier_shm_dir_are_stored_first(shared, paths, tmp_path):
    post_attempt(shared, 1)
    (paths.data_dir / "instance.json").write_bytes(orjson.dumps(shared.describe()))
    (tmp_path / "other").mkdir()
    config = Config(file="", providers=(), shm_dir=str(tmp_path / "other"))
    moved = Shared.open(config, paths.data_dir, 1)

    recorder.recover_all(moved, Paths(paths.data_dir, moved.folder), LOG)

    assert attempts(paths) == 1
    assert not shared.folder.exists()


def test_gives_up_where_rings_cannot_be_drained(shared, paths, monkeypatch):
    shared.claim(0, 9)
    while shared.ring.post_bytes(Close(RequestId(7, 0, 1), 2).pack()):
        pass
    monkeypatch.setattr(recorder, "drain", lambda *_, **__: None)

    with pytest.raises(StartError, match="cannot take"):
        recorder.recover_all(shared, paths, LOG)


def test_memory_of_one_pass_serves_the_next():
    program = """
import resource
from fastgw.process.recorder import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(40):
        _blocks = [bytes(3 << 20) for _ in range(5)]
        del _blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
if keep_memory():
    faults()
    print(given_back, faults())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    if not done.stdout:
        pytest.skip("no glibc")
    given_back, kept = map(int, done.stdout.split())
    assert kept * 4 < given_back
