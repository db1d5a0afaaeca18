"""Lanes of the suite: who is `alone` overlaps nobody, others overlap, and failures are brief.

Method: processes enter and leave the stage and write down when, by one clock; a failing suite of
our own is run in two lanes.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.lanes import brief, brief_line

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "CI": "true"}
LANE = """
import sys, time
from pathlib import Path
from tests import lanes
alone = sys.argv[1] == "alone"
lanes.TURNSTILE, lanes.STAGE = Path(sys.argv[2], "one"), Path(sys.argv[2], "two")
print("up", flush=True)
sys.stdin.readline()
for _ in range(20):
    with lanes.stage(alone=alone):
        begin = time.monotonic_ns()
        time.sleep(0.004)
        print(begin, time.monotonic_ns(), flush=True)
"""
CONFTEST = """
from pathlib import Path
from tests import lanes
from tests.lanes import pytest_runtest_makereport, pytest_runtest_protocol
lanes.TURNSTILE, lanes.STAGE = Path(__file__), Path(__file__).with_name("test_failing.py")
"""
FAILING = '''
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("no second instance:\\n" + "a line of the log\\n" * 5000 + "its cause")

def test_short(): assert 1 + 1 == 3
def test_long(): assert list(range(3000)) == list(range(1, 3001))
def test_never_begun(broken): pass
def test_chatty():
    print("chatter\\n" * 5000 + "last word")
    assert False
def test_well(): pass
'''


def spans(folder, *kinds):
    """The (begin, end) of each process, one of each kind, all at the same time, on a stage of
    their own: this test holds a place on the suite's."""
    for name in ("one", "two"):
        (folder / name).touch()
    lanes = [subprocess.Popen([sys.executable, "-c", LANE, kind, str(folder)], cwd=ROOT,
                              env=ENVIRONMENT, text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) for kind in kinds]
    for lane in lanes:
        assert lane.stdout.readline() == "up\n"
    for lane in lanes:
        lane.stdin.write("go\n")
        lane.stdin.flush()
    told = [lane.communicate()[0] for lane in lanes]
    return [[tuple(map(int, line.split())) for line in text.splitlines()] for text in told]


def overlaps(mine, others):
    return sum(begin < other_end and other_begin < end
               for begin, end in mine for other_begin, other_end in others)


def test_who_is_alone_overlaps_nobody_and_has_his_turn(tmp_path):
    alone, second, one, other = spans(tmp_path, "alone", "alone", "beside", "beside")

    assert [len(lane) for lane in (alone, second, one, other)] == [20] * 4
    assert overlaps(alone, one + other + second) == overlaps(second, one + other) == 0


def test_the_others_run_side_by_side(tmp_path):
    for _ in range(10):  # if the machine gives them the processor one after the other
        one, other = spans(tmp_path, "beside", "beside")
        if overlaps(one, other):
            return
    raise AssertionError("two lanes never ran at the same time")


def test_long_texts_keep_their_begin_and_end():
    lines = [str(number) for number in range(100)]
    assert brief(lines[:40]) == lines[:40]
    assert brief(lines) == [*lines[:13], "[... 60 lines ...]", *lines[-27:]]
    assert brief_line("a\n  b") == "a b"
    assert brief_line("x" * 400 + "y" * 400) == "x" * 133 + " [...] " + "y" * 267


def test_what_fails_is_told_in_few_lines_and_named_at_the_end(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_failing.py").write_text(FAILING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir",
         str(tmp_path), "-n", "2", "--dist", "loadfile", str(tmp_path)],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    named = {line.split(" - ")[0].rpartition("::")[2]: line for line in lines[-5:-1]}

    assert done.returncode == 1
    assert lines[-1].startswith("3 failed, 1 passed, 1 error in ")
    assert set(named) == {"test_short", "test_long", "test_never_begun", "test_chatty"}
    assert named["test_short"].endswith("assert (1 + 1) == 3")
    assert named["test_never_begun"].endswith("its cause"), "the end of what was raised"
    assert len(lines) < 200 and max(map(len, lines)) < 600
    assert "last word" in lines
