"""``fastgw usage`` on a live instance.

Method: five calls of alice and bob are known; the command must tell exactly these, in each of its
formats (carol belongs to other tests, and comes last).
"""

import csv
import io
import json
import time

import pytest

from fastgw.cli.usage import _write_csv
from tests.cli.live import run


@pytest.fixture
def usage(live):
    """``usage("--by", "key")``, asked again until all five calls are recorded."""

    def ask(*arguments: str) -> str:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            done = run("usage", "--data-dir", str(live.data_dir), *arguments, cwd=live.folder)
            rows = run(
                "usage", "--data-dir", str(live.data_dir), "--format", "json", cwd=live.folder
            )
            assert done.returncode == 0, done.stderr
            if json.loads(rows.stdout)[0]["requests"] >= 5:
                return done.stdout
        raise AssertionError(done.stdout)

    return ask


def test_tells_who_spent_what_as_json(usage):
    rows = json.loads(usage("--by", "key,team,model", "--format", "json"))[:2]

    told = [
        (row["key"], row["team"], row["requests"], row["denied"], row["attempts"]) for row in rows
    ]
    assert told == [("alice", "a", 2, 0, 2), ("bob", "b", 3, 1, 2)]
    for row in rows:
        assert row["model"] == "gpt-4o"
        assert row["output_tokens"] == 16  # 2 answers of 8 events
        assert row["interval"]["output_tokens"] == [16, 16]


def test_tells_the_same_as_a_table_and_as_csv(usage):
    table = usage("--by", "key").splitlines()
    rows = list(csv.DictReader(io.StringIO(usage("--by", "key", "--format", "csv"))))

    assert table[0].split()[:4] == ["key", "requests", "denied", "attempts"]
    assert [line.split()[:4] for line in table[1:3]] == [
        ["alice", "2", "0", "2"], ["bob", "3", "1", "2"]
    ]
    assert [(row["key"], row["requests"], row["output_tokens_high"]) for row in rows[:2]] == [
        ("alice", "2", "16"), ("bob", "3", "16")
    ]


def test_refuses_a_time_that_it_does_not_understand(live):
    where = ("--data-dir", str(live.data_dir))
    done = run("usage", *where, "--since", "yesterday", cwd=live.folder)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "'yesterday'" in done.stderr


def test_finds_the_instance_by_its_configuration_too(live):
    done = run("usage", "-c", str(live.file), cwd=live.folder)

    assert done.returncode == 0


def test_says_when_nothing_ever_ran_there(tmp_path):
    done = run("usage", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "no instance ever ran on fastgw-data" in done.stderr


def test_until_ends_a_time_and_neighbours_add_up(usage):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
    assert json.loads(usage("--until", now, "--format", "json"))[0]["requests"] >= 5
    assert json.loads(usage("--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z",
                            "--format", "json"))[0]["requests"] == 0


def test_attempts_come_one_by_one(usage):
    found = json.loads(usage("--attempts", "--format", "json"))
    rows = list(csv.DictReader(io.StringIO(usage("--attempts", "--format", "csv"))))

    told = {one["id"]: one for one in found if one["key"] in ("alice", "bob")}
    assert len(told) == 4 and all(one["output"] == 8 for one in told.values())
    assert {row["id"]: int(row["output"]) for row in rows if row["id"] in told} == {
        id: 8 for id in told}
    assert all(json.loads(row["owner"])["team"] in "ab" for row in rows if row["id"] in told)
    assert list(rows[0]) == list(found[0])


def test_attempts_are_no_table(live):
    done = run("usage", "--data-dir", str(live.data_dir), "--attempts", cwd=live.folder)
    assert done.returncode == 2 and "--format json or csv" in done.stderr


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_cell_is_a_formula(text, capsys):
    _write_csv([{"model": text, "requests": -1, "key": "a,\"b\nc"}], ["key", "model", "requests"])
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row == {"model": "'" + text, "requests": "-1", "key": "a,\"b\nc"}


def test_without_rows_the_columns_stand_all_the_same(capsys):
    _write_csv([], ["model", "requests"])
    assert capsys.readouterr().out == "model,requests\n"
