"""``fastgw usage reconcile`` on a live instance.

Method: the report is written from what `fastgw usage` tells, so both must agree; one token more
must not be explained; what is no report must be refused in one line.
"""

import json
import time
from datetime import UTC, datetime

import pytest

from tests.cli.live import eventually_used, run


def report(rows, more=0, key=None):
    buckets = []
    for row in rows:
        start = int(datetime.fromisoformat(row["day"]).timestamp())
        buckets.append({"start_time": start, "end_time": start + 86400, "results": [{
            "object": "organization.usage.completions.result",
            "input_tokens": row["input_tokens"] + more, "output_tokens": row["output_tokens"],
            "input_cached_tokens": row["cached_input_tokens"],
            "num_model_requests": row["attempts"], "model": "gpt-4o-2024-08-06",
            "api_key_id": key,
        }]})
    return json.dumps({"object": "page", "data": buckets})


@pytest.fixture
def reconcile(live, tmp_path):
    def ask(text: str, *arguments: str):
        file = tmp_path / "report.json"
        file.write_text(text)
        return run("usage", "reconcile", str(file), "--data-dir", str(live.data_dir), *arguments,
                   cwd=live.folder)

    return ask


def test_equal_books_end_with_zero(live, reconcile):
    rows = eventually_used(live, 5, "--by", "day")
    table, told = reconcile(report(rows)), reconcile(report(rows), "--format", "json")

    assert (table.returncode, told.returncode) == (0, 0), table.stderr + told.stderr
    assert table.stdout.split()[:5] == ["day", "model", "key", "tokens", "billed"]
    assert "UNEXPLAINED" not in table.stdout
    assert "lie within the ledger's intervals" in table.stderr
    found = json.loads(told.stdout)
    assert {row["verdict"] for row in found["rows"]} == {"equal"}
    assert sum(row["requests"]["ledger"] for row in found["rows"]) == sum(
        row["attempts"] for row in rows)


def test_a_token_too_many_ends_with_one(live, reconcile):
    done = reconcile(report(eventually_used(live, 5, "--by", "day"), more=1))

    assert done.returncode == 1
    assert "+1 UNEXPLAINED: billed, of no attempt here" in done.stdout
    assert "unexplained" in done.stderr


def test_a_day_that_is_not_over_is_said(reconcile):
    tomorrow = datetime.fromtimestamp((time.time() // 86400 + 1) * 86400, UTC).isoformat()
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "attempts")
    done = reconcile(report([{"day": tomorrow, **dict.fromkeys(names, 0)}]))

    assert done.returncode == 0, done.stderr
    assert "note: the report reaches into a day that is not over" in done.stderr


def test_the_instance_may_be_named_before_the_command(live, tmp_path):
    file = tmp_path / "report.json"
    file.write_text(report(eventually_used(live, 5, "--by", "day")))
    done = run("usage", "--data-dir", str(live.data_dir), "reconcile", str(file), cwd=tmp_path)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text, arguments, says", [
    ("nothing", (), "report.json: line 1: these columns are no provider's"),
    ('{"data": []}', ("--key", "a"), "no bucket of time"),
    ('{"data": []}', ("--since", "yesterday"), "'yesterday' is neither a span"),
])
def test_what_cannot_be_used_ends_with_two_and_one_line(reconcile, text, arguments, says):
    done = reconcile(text, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr and done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_and_a_key_without_a_name(live, reconcile):
    done = run("usage", "reconcile", "nowhere.csv", "--data-dir", str(live.data_dir),
               cwd=live.folder)
    pair = reconcile(report(eventually_used(live, 5, "--by", "day")), "--key", "key_a")

    assert done.returncode == pair.returncode == 2
    assert "nowhere.csv: No such file" in done.stderr
    assert "expected THEIRS=OURS" in pair.stderr


def test_a_key_that_is_said_to_be_another_is_compared_with_that_one_alone(live, reconcile):
    text = report(eventually_used(live, 5, "--by", "day"), key="key_abc")
    done = reconcile(text, "--key", "key_abc=nobody", "--key", "key_x=main")

    assert done.returncode == 1
    assert "the ledger has no attempt of a key 'nobody'" in done.stderr
    assert "the report has no key 'key_x'" in done.stderr
    assert "compared over all keys" not in done.stderr
