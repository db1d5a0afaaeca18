"""Log: one line a call, whole, for machines or for people.

Method: lines are read back from the descriptor they were written to.
"""

import json
import os

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
