"""The embedded store: all or nothing, one instant for readers, errors that say what to do.

Method: a real file with a second connection that locks it, or damages it.
"""

import sqlite3

import pytest

from fastgw.ledger.database import StoreFailed
from fastgw.ledger.sqlite import FILE, open_reader, open_writer


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
