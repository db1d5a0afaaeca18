"""Log: one line a call, whole, for machines or for people.

Method: lines are read back from the descriptor they were written to.
"""

import json
import os
import subprocess
import sys

import pytest

from fastgw.log import Log


@pytest.fixture
def pipe():
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


def test_writes_a_json_line_with_its_own_and_the_bound_fields(pipe):
    Log(fd=pipe[1]).bind(process="worker", slot=1).bind(slot=2).note("ready", count=3, path=None)

    line = os.read(pipe[0], 4096)
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    said = json.loads(line)
    assert said.pop("time")[10] == "T"
    assert said == {
        "level": "info", "event": "ready", "process": "worker", "slot": 2, "count": 3,
        "path": None,
    }


def test_writes_one_line_for_people_too(pipe):
    Log(form="text", fd=pipe[1]).bind(slot=1).error("two\nlines", why="three\nlines")

    line = os.read(pipe[0], 4096).decode()
    assert line.endswith("error   two\\nlines slot=1 why=three\\nlines\n")
    assert line.count("\n") == 1


def test_leaves_out_what_is_below_its_level_also_when_bound(pipe):
    log = Log(level="warning", fd=pipe[1]).bind(slot=1)
    log.debug("no")
    log.note("no")
    log.warning("yes")

    assert os.read(pipe[0], 4096).count(b"\n") == 1


def test_never_fails_on_what_cannot_be_written():
    Log(fd=-1).note("nobody hears", odd=object())


def test_writes_text_that_is_no_unicode(pipe):
    Log(fd=pipe[1]).note("odd", path=os.fsdecode(b"\xff"))

    assert os.read(pipe[0], 4096).endswith(b"\n")


def test_captures_every_defect_as_a_line_without_its_text(pipe, tmp_path):
    program = """
import asyncio, logging, sys
from fastgw.log import Log
loop = asyncio.new_event_loop()
Log().capture(loop)
def fail(): raise ValueError("secret words")
class Bad:
    def __del__(self): fail()
Bad()
loop.call_soon(fail)
loop.call_soon(loop.stop)
loop.run_forever()
logging.getLogger("library").warning("secret words")
fail()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": "."},
        capture_output=True, text=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert [line["event"] for line in lines] == [
        "exception where none can be raised", "exception in a callback", "library", "exception"
    ]
    assert {line.get("error") for line in lines} == {"ValueError", None}
    assert lines[1]["where"].startswith("<string>:6 < ")
    assert "secret" not in done.stderr
