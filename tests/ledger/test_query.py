"""Queries while the recorder runs: one request without a scan, lists, counts, both sides of the
sum.

Method: a recorder stores between the questions; a ledger file is damaged.
"""

import sqlite3
import threading
import time

import pytest

from fastgw.errors import LedgerError
from fastgw.ledger import query
from fastgw.ledger.committer import Paths
from fastgw.ledger.journal import name_hash
from fastgw.ledger.query import Ledger
from fastgw.ledger.recorder import Recorder
from fastgw.ledger.records import Open, Refused, RequestId
from tests.ledger.fabricate import (
    T0,
    Traffic,
    account,
    close,
    dims,
    names,
    post_all,
    request,
    rings,
)

pytestmark = pytest.mark.usefixtures("either_store")


@pytest.fixture
def running(folders):
    ring = rings(folders[1])
    post_all(ring, names())
    one = Recorder(Paths(*folders), lambda event, fields: None)
    one.step()
    yield ring, one, folders[0]
    one.close()


def test_a_request_is_found_although_its_records_lie_in_many_batches(running):
    ring, one, folder = running
    traffic, ids = Traffic(1), []
    slow = RequestId(1, 0, 5000)
    post_all(ring, [request(slow).pack()])
    one.step()
    for part in (
        [Open(slow, T0, 1, dims()).pack()],
        [close(slow, attempt=1, fate=6, final=0).pack()],
        [Open(slow, T0, 2, dims()).pack()],
        [close(slow, attempt=2).pack()],
    ):
        for _ in range(5):
            post_all(ring, traffic.one())
            ids.append(traffic.sequence)
        post_all(ring, part)
        one.step()

    with Ledger(folder) as ledger:
        found = ledger.decision(str(slow))
        assert [(part["number"], part["fate"]) for part in found["attempts"]] == [
            (1, "retried away"),
            (2, "delivered"),
        ]
        assert found["complete"]
        assert all(ledger.decision(str(RequestId(1, 0, number))) for number in ids)


def test_what_was_not_recorded_is_none_and_nonsense_is_an_error(running):
    with Ledger(running[2]) as ledger:
        assert ledger.decision("00000001-00-0000000001") is None
        with pytest.raises(ValueError, match="no request id"):
            ledger.decision("'; DROP TABLE batch")


def test_an_open_attempt_is_shown_as_open_until_it_closes(running):
    ring, one, folder = running
    id = RequestId(1, 0, 1)
    post_all(ring, [request(id).pack(), Open(id, T0, 1, dims(), 7, 100, 200).pack()])
    one.step()
    with Ledger(folder) as ledger:
        found = ledger.decision(str(id))
        assert not found["complete"] and found["attempts"][0]["fate"] == "open"
        (opened,) = ledger.open_attempts()
        assert (opened["request_id"], opened["input_high"]) == (str(id), 100)
        assert ledger.totals()["open"] == 1

        post_all(ring, [close(id).pack()])
        one.step()
        assert ledger.decision(str(id))["complete"] and ledger.open_attempts() == []


def test_waiting_ends_with_the_close(running):
    ring, one, folder = running
    id = RequestId(1, 0, 1)
    post_all(ring, [request(id).pack(), Open(id, T0).pack()])
    one.step()

    def later():
        time.sleep(0.05)
        post_all(ring, [close(id).pack()])
        one.step()

    thread = threading.Thread(target=later)
    thread.start()
    found = query.wait_for_decision(folder, str(id), patience_s=20)
    thread.join()
    assert found["complete"]
    assert query.wait_for_decision(folder, str(RequestId(9, 9, 9)), patience_s=0) is None


def test_lists_are_newest_first_bounded_and_by_verdict(running):
    ring, one, folder = running
    for number in range(1, 61):
        id = RequestId(1, 0, number)
        post_all(
            ring, [request(id, T0 + number * 10**9, verdict=number % 3 == 0, status=403).pack()]
        )
        if number % 7 == 0:
            one.step()
    one.step()

    denied = query.decisions(folder, verdict="deny", limit=5)
    assert [found["request_id"][-2:] for found in denied] == ["3c", "39", "36", "33", "30"]
    assert all(found["verdict"] == "deny" for found in denied)
    recent = query.decisions(folder, since_ns=T0 + 51 * 10**9)
    assert len(recent) == 10 and recent[0]["time"] > recent[-1]["time"]
    assert len(query.decisions(folder, verdict="allow")) == 40


def test_counted_refusals_are_told_by_rule_code_and_key(running):
    ring, one, folder = running
    key = name_hash(account("k1"))
    for _ in range(3):
        post_all(
            ring,
            [Refused(RequestId(1, 0, 1), T0, name_hash("no robots"), key, 601, 403, 7).pack()],
        )
        one.step()
    post_all(ring, [Refused(RequestId(1, 0, 1), T0, 0, 0, 301, 401, 1000).pack()])
    one.step()

    with Ledger(folder) as ledger:
        assert sorted(ledger.refused_counts(), key=lambda row: row["count"]) == [
            {"rule": "no robots", "key": "k1", "code": "FGW-601", "status": 403, "count": 21},
            {"rule": None, "key": None, "code": "FGW-301", "status": 401, "count": 1000},
        ]
        assert ledger.totals()["denied"] == ledger.totals()["rollup_denied"] == 1021


def test_both_sides_of_the_sum_are_equal_and_a_difference_is_said(running):
    ring, one, folder = running
    traffic = Traffic(2)
    post_all(ring, [raw for _ in range(100) for raw in traffic.one()])
    one.step()
    with Ledger(folder) as ledger:
        assert ledger.verify() == []
        assert ledger.totals()["attempts"] == traffic.books["attempts"]

    writer = sqlite3.connect(folder / "ledger.db")
    writer.execute("UPDATE rollup SET attempts = attempts + 1")
    writer.commit()
    with Ledger(folder) as ledger:
        assert [line.split(":")[0] for line in ledger.verify()] == ["attempts"]


def test_a_damaged_batch_is_an_error_not_a_wrong_answer(running):
    ring, one, folder = running
    post_all(ring, [request(RequestId(1, 0, 1)).pack()])
    one.step()
    writer = sqlite3.connect(folder / "ledger.db")
    batches = writer.execute("SELECT id, packed FROM batch").fetchall()
    for batch, packed in batches:
        damaged = packed[:30] + bytes([packed[30] ^ 1]) + packed[31:]
        writer.execute("UPDATE batch SET packed = ? WHERE id = ?", (damaged, batch))
    writer.commit()

    with Ledger(folder) as ledger:
        with pytest.raises(LedgerError, match="damaged"):
            ledger.decision("00000001-00-0000000001")
        assert "damaged" in ledger.verify()[0]
