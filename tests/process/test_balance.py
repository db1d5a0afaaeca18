"""Goal: a gateway says of itself that attempts, accounts and counters agree, and says so when they
do not.

Method: a whole gateway behind which the test changes a word of shared memory, as a defect would:
an attempt that was counted and never posted, a cap that was charged and never recorded. It looks
eight times as often as by itself, so that nobody waits for its beat.
"""

import sqlite3
import time
import urllib.request
from contextlib import closing

import pytest

from fastgw.clock import wall_ns
from fastgw.ledger.query import Ledger
from fastgw.limit.adjust import Adjust
from fastgw.process.directory import read_document, read_instance
from fastgw.shm import counters
from fastgw.shm.segment import Segment
from tests.journey.harness import Gateway, Mock, chat, configuration, post, read_answer, wait_until

EVERY_S = 0.25
OFTEN = f"import fastgw.process.balance as balance; balance._EVERY_S = {EVERY_S}"
RULES = {"on_http_request": [{"actions": [
    {"type": "usage-cap", "config": {
        "name": "month", "unit": "tokens", "limit": 10**9, "window": "month"}},
    {"type": "usage-cap", "config": {
        "name": "shadow", "unit": "requests", "limit": 1, "window": "day", "enforce": False}},
    {"type": "usage-cap", "config": {
        "name": "dollars", "unit": "cost", "limit": 1000, "window": "total"}}]}]}


@pytest.fixture
def gateway():
    mock = Mock()
    instance = Gateway(configuration(mock.port, policy=RULES), workers=2, before=OFTEN)
    yield instance
    instance.remove()
    mock.stop()


def ask(gateway, calls=1):
    for _ in range(calls):
        with gateway.connect() as sock:
            sock.sendall(post("/v1/chat/completions", chat(max_tokens=9), "x-mock: events=3"))
            assert read_answer(sock)[0] == 200


def found(gateway):
    return read_document(gateway.data_dir / "balance.json") or {"looks": 0, "cuts": 0}


def looked(gateway, times=4, cuts=2):
    """What is found so many looks and cuts from now."""
    before = found(gateway)
    return wait_until(lambda: (now := found(gateway))["looks"] >= before["looks"] + times
                      and now["cuts"] >= before["cuts"] + cuts and now, 90)


def metrics(gateway):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    start = 'fastgw_books_difference{of="'
    return {line[len(start):].split('"')[0]: float(line.split()[-1])
            for line in lines if line.startswith(start)}


def test_the_books_agree_and_a_defect_shows(gateway):
    ask(gateway, 20)
    now = looked(gateway, times=3)
    assert (now["attempts"], now["rollups"], now["accounts"]) == (0, 0, 0)
    assert metrics(gateway) == {"attempts": 0, "rollups": 0, "accounts": 0}
    assert "books: agree" in gateway.run("status")

    segment = Segment.attach(read_instance(gateway.data_dir)["segment"])
    with Ledger(gateway.data_dir) as ledger:
        caps = {row.unit: row for row in ledger.caps(wall_ns())}
    assert len(caps) >= 2
    for slot in range(2):
        counters.count_fate(segment, slot, "delivered")  # counted, and its CLOSE is lost
    Adjust(segment).add(caps[1].identity, 7)             # charged, and no record tells of it
    ask(gateway, 5)
    now = looked(gateway)
    assert now["attempts"] >= 1 and now["accounts"] == 1
    shown = metrics(gateway)
    assert shown["attempts"] >= 1 and shown["accounts"] == 1 and shown["rollups"] == 0
    assert "books: DIFFER, attempts by" in gateway.run("status")
    assert '"event":"the books differ"' in gateway.log()


def test_a_class_that_is_rolled_up_wrongly_shows(gateway):
    ask(gateway, 3)
    looked(gateway, times=2, cuts=0)
    with closing(sqlite3.connect(gateway.data_dir / "ledger.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 10000")
        changed = other.execute(
            "UPDATE rollup SET output = output - 2, reasoning = reasoning + 3 WHERE (minute, dims)"
            " = (SELECT minute, dims FROM rollup WHERE attempts > 0 LIMIT 1)")
        assert changed.rowcount == 1
    now = looked(gateway, times=2, cuts=0)
    assert (now["attempts"], now["rollups"], now["accounts"]) == (0, 5, 0)
    ask(gateway, 3)
    assert looked(gateway)["rollups"] == 5
    assert metrics(gateway)["rollups"] == 5


def test_a_ledger_that_lags_behind_an_outage_is_no_defect(gateway):
    ask(gateway, 5)
    looked(gateway, times=1)
    with closing(sqlite3.connect(gateway.data_dir / "ledger.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 10000")
        other.execute("BEGIN IMMEDIATE")
        ask(gateway, 5)
        wait_until(lambda: '"reason":"store: ' in gateway.log())
        time.sleep(4 * EVERY_S)  # (what must not be seen in that time)
        other.execute("ROLLBACK")
    ask(gateway)
    now = looked(gateway)
    assert (now["attempts"], now["rollups"], now["accounts"]) == (0, 0, 0)
    assert "the books differ" not in gateway.log()
    wait_until(lambda: read_document(gateway.data_dir / "recorder.json")["failing"] == "")
