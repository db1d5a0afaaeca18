"""The embedded store: all or nothing, one instant for readers, errors that say what to do.

Method: a real file with a second connection that locks it, or damages it. After a power cut its
log ends anywhere: it is cut at every edge of a page in it, beside these, and at random.
"""

import random
import shutil
import sqlite3

import pytest

from fastgw.ledger.database import StoreFailed
from fastgw.ledger.query import Ledger
from fastgw.ledger.sqlite import FILE, open_reader, open_writer
from fastgw.ledger.store import Store
from tests.ledger.fabricate import Traffic
from tests.ledger.test_store import placed, span

FRAME, LOG_HEAD = 24 + 8192, 32  # of SQLite's file format: the log


def test_a_transaction_is_whole_or_nothing(tmp_path):
    one = open_writer(tmp_path)
    with one.transaction():
        assert one.run("INSERT INTO meta VALUES ('a', 1)") == 1
    with pytest.raises(ZeroDivisionError), one.transaction():
        one.run_many("INSERT INTO meta VALUES (?, ?)", [("b", 2), ("c", 3)])
        raise ZeroDivisionError

    assert one.rows("SELECT key FROM meta WHERE key IN ('a', 'b', 'c')") == [("a",)]
    assert one.row("SELECT value FROM meta WHERE key = ?", "b") is None
    assert one.run("DELETE FROM meta WHERE key = 'nobody'") == 0


def test_a_snapshot_does_not_see_what_comes_meanwhile(tmp_path):
    writer, reader = open_writer(tmp_path), open_reader(tmp_path)
    count = "SELECT count(*) FROM meta WHERE key = 'x'"
    with reader.snapshot():
        assert reader.row(count) == (0,)
        writer.run("INSERT INTO meta VALUES ('x', 1)")
        assert reader.row(count) == (0,)
    assert reader.row(count) == (1,)


def test_a_lock_passes_but_damage_stays(tmp_path):
    one = open_writer(tmp_path, busy_ms=1)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="locked") as locked, one.transaction():
        raise AssertionError("never begun")
    other.execute("ROLLBACK")
    other.close()
    assert not locked.value.for_good
    one.close()

    (tmp_path / FILE).write_bytes(b"not a database, surely" * 100)
    with pytest.raises(StoreFailed, match="damaged") as damaged:
        open_writer(tmp_path)
    assert damaged.value.for_good


def test_room_comes_back_to_the_disk(tmp_path):
    one = open_writer(tmp_path)
    with one.transaction():
        names = [(number, bytes(9000)) for number in range(200)]
        one.run_many("INSERT INTO name VALUES (9, ?, 0, ?)", names)
    before = one.row("PRAGMA page_count")[0]
    with one.transaction():
        one.run("DELETE FROM name")
    one.shrink()

    assert one.row("PRAGMA page_count")[0] < before / 2
    assert one.put_attempts(1, b"") is None and one.drop_attempts(1) is None
    assert one.has_table("meta") and not one.has_table("attempt")


def test_a_log_that_ends_anywhere_is_a_prefix_of_commits(tmp_path):
    whole, spans, ends = tmp_path / "whole", [], []
    whole.mkdir()
    store = Store(whole)
    for number in range(5):
        traffic = Traffic(number, generation=number + 1)
        records = [raw for _ in range(30) for raw in traffic.one()]
        spans.append(span(placed(records, 8 * number), ring=number + 1))
        store.commit([spans[-1]])
        ends.append((whole / f"{FILE}-wal").stat().st_size)
    size = ends[-1]
    edges = range(LOG_HEAD, size + 1, FRAME)
    places = {0, 1, LOG_HEAD - 1, size, *random.Random(size).sample(range(size), 30)}
    places |= {at + by for at in edges for by in (-1, 0, 1) if at + by <= size}
    stored = []
    for number, at in enumerate(sorted(places)):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(whole / FILE, folder / FILE)
        (folder / f"{FILE}-wal").write_bytes((whole / f"{FILE}-wal").read_bytes()[:at])
        after = Store(folder)
        done = [after.acked(one.ring) == one.next for one in spans]
        assert done == sorted(done, reverse=True), f"cut at {at}: no prefix"
        with Ledger(folder) as ledger:
            assert ledger.verify() == [] and ledger.totals()["requests"] == 30 * sum(done)
            after.commit(spans)  # the rings still have what was not synced
            assert ledger.verify() == [] and ledger.totals()["requests"] == 150
        after.close()
        stored.append(sum(done))
        shutil.rmtree(folder)
        assert sum(done) >= sum(end <= at for end in ends), f"cut at {at}: a synced commit is gone"
    assert stored == sorted(stored) and set(stored) == set(range(6))
    store.close()
