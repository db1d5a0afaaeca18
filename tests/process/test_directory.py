"""The data directory: one instance at a time, numbers that never come twice.

Method: a second owner is a real second process; a directory that cannot be written is one with a
file in its place, because root may write anywhere else.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastgw.process.directory import Directory, read_instance, running_pid, start_ticks
from fastgw.process.refusal import StartError

ROOT = Path(__file__).parents[2]
OWNER = """
import sys, time
from pathlib import Path
from fastgw.process.directory import Directory
Directory.open(Path(sys.argv[1]))
print("open", flush=True)
if sys.argv[2] == "orphan":
    import os
    if os.fork():
        os._exit(0)
time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def own(tmp_path):
    """``own("owner", 60)``: another process that has the directory open."""
    processes = []

    def begin(kind: str, seconds: float) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(tmp_path), kind, str(seconds)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        processes.append(process)
        assert process.stdout.readline() == b"open\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_generations_never_repeat_over_restarts(tmp_path):
    given = []
    for _ in range(3):
        directory = Directory.open(tmp_path)
        given += [directory.next_generation() for _ in range(100)]
        directory.close()

    assert len(set(given)) == 300
    assert given == sorted(given) and given[0] == 1


def test_who_shares_records_begins_where_nobody_else_does(tmp_path):
    begun = set()
    for number in range(8):
        directory = Directory.open(tmp_path / str(number), spread=True)
        begun.add(directory.next_generation())
        directory.close()
    assert len(begun) == 8 and 0 < min(begun) and max(begun) <= 1 << 31

    again = Directory.open(tmp_path / "0", spread=True)
    assert again.next_generation() in {number + 64 for number in begun}
    again.close()


def test_a_damaged_generation_is_an_error_not_a_new_beginning(tmp_path):
    (tmp_path / "generation").write_text("x")

    with pytest.raises(StartError, match="generation is damaged"):
        Directory.open(tmp_path)


def test_is_refused_while_another_process_has_it(tmp_path, own):
    other = own("owner", 60)

    with pytest.raises(StartError, match=f"already used by pid {other.pid}$"):
        Directory.open(tmp_path)
    assert running_pid(tmp_path) == other.pid
    other.kill()
    other.wait()
    assert running_pid(tmp_path) is None
    Directory.open(tmp_path).close()


def test_waits_for_the_children_of_an_owner_that_is_gone(tmp_path, own):
    own("orphan", 0.5).wait()
    began = time.monotonic()

    Directory.open(tmp_path).close()

    assert 0.3 < time.monotonic() - began < 10


def test_gives_up_on_children_that_do_not_go(tmp_path, own, monkeypatch):
    monkeypatch.setattr("fastgw.process.directory.ORPHANS_WAIT_S", 0.1)
    own("orphan", 6).wait()

    with pytest.raises(StartError, match="an instance that is gone"):
        Directory.open(tmp_path)


def test_is_refused_where_it_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")

    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StartError, match="cannot be written") as refusal:
            Directory.open(path)
        assert str(path) in str(refusal.value)


def test_the_instance_is_replaced_whole(tmp_path):
    directory = Directory.open(tmp_path / "made" / "below")
    assert read_instance(directory.path) is None

    directory.write_document("instance.json", {"pid": 1})
    directory.write_document("instance.json", {"pid": 2})

    assert read_instance(directory.path) == {"pid": 2}
    assert sorted(os.listdir(directory.path)) == ["generation", "instance.json", "lock"]
    assert directory.path.stat().st_mode & 0o777 == 0o700
    directory.close()


def test_a_process_is_named_by_pid_and_start_together():
    assert start_ticks(os.getpid()) == start_ticks(os.getpid()) > 0
    child = os.fork()
    if child == 0:
        os._exit(0)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            start_ticks(child)
        except ProcessLookupError:  # a zombie is no process any more
            break
    else:
        raise AssertionError("still alive")
    os.waitpid(child, 0)
