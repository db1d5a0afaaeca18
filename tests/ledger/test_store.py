"""Store: one transaction, exactly once, sums equal to what went in.

Method: the books of `Traffic` are the oracle; the same spans are offered again in overlapping
pieces; a commit is broken in its middle.
"""

import sqlite3

import pytest

from fastgw.ledger.query import Ledger
from fastgw.ledger.records import NAME_MODEL, Close, Name, Open, RequestId, head, split
from fastgw.ledger.span import Span
from fastgw.ledger.store import Store
from tests.csrc.ledger_native import seeded
from tests.ledger.fabricate import T0, Traffic, close, dims, names, request

pytestmark = pytest.mark.usefixtures("either_store")


def placed(records: list[bytes], start: int = 0) -> list[bytes]:
    """As if read from a ring: each says its position."""
    made = []
    for raw in records:
        made.append(raw[:8] + start.to_bytes(8, "little") + raw[16:])
        start += len(raw)
    return made


def span(records: list[bytes], ring: int = 5) -> Span:
    first = head(records[0]).sequence
    last = head(records[-1])
    return Span(ring, 0, 0, first, last.sequence + last.size, b"".join(records))


def traffic_records(seed: int, requests: int, **more) -> tuple[Traffic, list[bytes]]:
    traffic = Traffic(seed, **more)
    return traffic, placed([raw for _ in range(requests) for raw in traffic.one()])


def test_sums_and_records_are_those_that_went_in(tmp_path):
    traffic, records = traffic_records(1, 500)
    store = Store(tmp_path)
    stored = store.commit([span(placed(names()), ring=9), span(records)])

    with Ledger(tmp_path) as ledger:
        (row,) = ledger.usage()
        assert stored.requests == row["requests"] == traffic.books["requests"]
        assert row["denied"] == traffic.books["denied"]
        assert stored.closes == row["attempts"] == traffic.books["attempts"]
        assert row["input_tokens"] == traffic.books["input"]
        assert [raw for raw in ledger.records()][len(names()) :] == records
        assert ledger.verify() == [] and ledger.open_attempts() == []


def test_overlapping_spans_are_stored_once(tmp_path):
    draw = seeded("overlaps")
    traffic, records = traffic_records(2, 300)
    store, done = Store(tmp_path), 0
    while done < len(records):
        start = max(0, done - draw.randrange(20))
        end = min(len(records), done + 1 + draw.randrange(50))
        store.commit([span(records[start:end])])
        done = end
    store.commit([span(records)])

    with Ledger(tmp_path) as ledger:
        assert list(ledger.records()) == records
        assert ledger.usage()[0]["input_tokens"] == traffic.books["input"]


def test_a_commit_that_breaks_leaves_nothing_and_can_be_repeated(tmp_path, monkeypatch):
    traffic, records = traffic_records(3, 100)
    store = Store(tmp_path)
    store.commit([span(records[:50])])

    with monkeypatch.context() as patch:

        def breaks(self):
            raise sqlite3.OperationalError("disk I/O error")

        patch.setattr(Store, "_write_attempts", breaks)
        with pytest.raises(sqlite3.OperationalError):
            store.commit([span(records[50:])])
    assert store.acked(5) == head(records[50]).sequence
    store.commit([span(records[50:])])

    with Ledger(tmp_path) as ledger:
        assert list(ledger.records()) == records and ledger.verify() == []


def test_rings_are_acknowledged_apart(tmp_path):
    store = Store(tmp_path)
    _, one = traffic_records(4, 10)
    _, two = traffic_records(5, 20, worker=1)
    store.commit([span(one, ring=5), span(two[:9], ring=6)])
    store.close()

    again = Store(tmp_path)
    assert again.acked(5) == span(one).next
    assert again.acked(6) == head(two[9]).sequence
    assert again.acked(7) == 0


def test_open_attempts_are_kept_until_their_close(tmp_path):
    store = Store(tmp_path)
    a, b = RequestId(1, 0, 1), RequestId(1, 0, 2)
    records = placed(
        [
            request(a).pack(),
            Open(a, T0, dims=dims()).pack(),
            Open(b, T0, dims=dims()).pack(),
            close(a).pack(),
            close(b).pack(),
        ]
    )
    store.commit([span(records[:3])])
    with Ledger(tmp_path) as ledger:
        assert [one["request_id"] for one in ledger.open_attempts()] == [str(a), str(b)]

    store.commit([span(records[3:4])])
    with Ledger(tmp_path) as ledger:
        assert [one["request_id"] for one in ledger.open_attempts()] == [str(b)]
    assert store.open_workers() == [(1, 0)]


def test_a_name_keeps_its_newest_text(tmp_path):
    store = Store(tmp_path)
    store.commit([span(placed([Name(NAME_MODEL, 2**64 - 1, 0, "old").pack()]))])
    store.commit([span(placed([Name(NAME_MODEL, 2**64 - 1, 0, "new").pack()], 72))])

    with Ledger(tmp_path) as ledger:
        assert ledger.names(NAME_MODEL) == [(NAME_MODEL, -1, 0, "new")]


def test_pruning_forgets_old_batches_and_keeps_the_sums(tmp_path):
    traffic, records = traffic_records(6, 400)
    store = Store(tmp_path)
    for start in range(0, len(records), 40):
        store.commit([span(records[start : start + 40])])
    middle = T0 + 200 * 10**6
    with Ledger(tmp_path) as ledger:
        before = ledger.usage()

    while store.prune(middle, batches_max=3):
        pass

    with Ledger(tmp_path) as ledger:
        assert ledger.usage() == before and ledger.verify() == []
        assert ledger.decision("00000001-00-0000000002") is None
        assert ledger.decision("00000001-00-0000000180")["complete"]
        left = list(ledger.records())
        assert 0 < len(left) < len(records) and all(raw in records for raw in left[:20])
    pages = sqlite3.connect(tmp_path / "ledger.db").execute(
        "SELECT count(*) FROM page WHERE batch NOT IN (SELECT id FROM batch)"
    )
    assert pages.fetchone() == (0,)


def test_two_thousand_users_in_one_batch_are_summed_apart(tmp_path):
    store = Store(tmp_path)
    records = placed(
        [
            Close(RequestId(1, 0, n), T0, dims=dims(user=n % 2000 + 1), input_low=1).pack()
            for n in range(1, 6001)
        ]
    )
    store.commit([span(records)])

    with Ledger(tmp_path) as ledger:
        rows = ledger.usage(by=["user"])
        assert len(rows) == 2000 and {row["attempts"] for row in rows} == {3}
        assert len(list(split(b"".join(ledger.records())))) == 6000
