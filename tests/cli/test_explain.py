"""``fastgw explain`` on a live instance.

Method: ids come from the responses of known calls; one was refused by the limit ``free``.
"""

import json
import time

from tests.cli.live import run


def test_tells_why_a_request_was_refused(live):
    status, refused = live.calls[-1]
    done = run("explain", refused, "--data-dir", str(live.data_dir), cwd=live.folder)

    assert status == 429
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{refused}  ")
    assert "DENIED 429: openai chat for gpt-4o" in done.stdout
    assert "FGW-801" in done.stdout and "2 of 2 requests used" in done.stdout


def test_tells_the_same_as_json(live):
    _, refused = live.calls[-1]
    done = run(
        "explain", refused, "--format", "json", "--data-dir", str(live.data_dir), cwd=live.folder
    )
    decision = json.loads(done.stdout)

    assert (decision["verdict"], decision["status"], decision["code"]) == ("deny", 429, "FGW-801")
    assert decision["key"]["id"] == "bob"
    assert [limit["name"] for limit in decision["limits"]] == ["free"]


def test_waits_for_a_record_that_is_not_there_yet(live):
    _, fresh = live.chat("carol")
    done = run("explain", fresh, "--data-dir", str(live.data_dir), cwd=live.folder)

    assert done.returncode == 0
    assert "allowed 200" in done.stdout


def test_gives_up_on_an_unknown_request_after_a_second(live):
    began = time.monotonic()
    done = run("explain", "0000ffff-00-0000000001", "--data-dir", str(live.data_dir),
               cwd=live.folder)

    assert done.returncode == 1
    assert done.stderr.startswith("fastgw: no request 0000ffff-00-0000000001 in the ledger")
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - began > 1


def test_refuses_what_is_no_request_id(live):
    done = run("explain", "x", "--data-dir", str(live.data_dir), cwd=live.folder)

    assert done.returncode == 2
    assert "'x' is no request id" in done.stderr
