"""Schema: made once, opened again, and a newer one is refused with one clear line.

Method: real files, one of which an older version has written.
"""

import gzip
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fastgw.errors import LedgerError
from fastgw.ledger import schema
from fastgw.ledger.committer import Paths
from fastgw.ledger.database import StoreFailed
from fastgw.ledger.query import Ledger
from fastgw.ledger.recorder import Recorder
from fastgw.ledger.records import split
from fastgw.ledger.schema import VERSION, signed, unsigned
from fastgw.ledger.sqlite import FILE, open_reader, open_writer
from fastgw.ledger.store import Store
from tests.ledger.fabricate import T0, Traffic, post_all, rings


def test_a_fresh_file_gets_wal_full_sync_and_its_version(tmp_path):
    connection = open_writer(tmp_path).connection

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (
        VERSION,
    )
    connection.close()
    open_writer(tmp_path).close()


def test_a_newer_schema_is_refused_by_writer_and_reader(tmp_path):
    connection = open_writer(tmp_path).connection
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (VERSION + 1,))
    connection.close()

    for opened in (open_writer, open_reader):
        with pytest.raises(
            LedgerError, match=f"schema {VERSION + 1}; this fastgw knows {VERSION}"
        ):
            opened(tmp_path)


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("statement", [
    "CREATE TABLE meta (key TEXT, value); INSERT INTO meta VALUES ('schema', 99);",
    "CREATE TABLE meta (key TEXT, value); CREATE TABLE theirs (a);",
])
def test_of_what_is_not_ours_not_a_byte_is_changed(tmp_path, mode, statement):
    path = tmp_path / FILE
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.executescript(statement)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="schema 99|is no ledger of fastgw") as refused:
        open_writer(tmp_path)
    assert not isinstance(refused.value, StoreFailed), "waiting does not help"
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_can_never_be_opened_is_no_outage(tmp_path, kind):
    path = tmp_path / FILE
    path.mkdir() if kind == "folder" else path.symlink_to(FILE)
    with pytest.raises(StoreFailed) as refused:
        open_writer(tmp_path)
    assert refused.value.for_good


def test_a_reader_says_when_there_is_nothing_or_something_else(tmp_path):
    with pytest.raises(LedgerError, match="nothing was recorded"):
        open_reader(tmp_path)
    sqlite3.connect(tmp_path / FILE).execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(LedgerError, match="no ledger"):
        open_reader(tmp_path)
    (tmp_path / FILE).write_bytes(b"not a database, surely" * 100)
    with pytest.raises(LedgerError, match="cannot be read"):
        open_reader(tmp_path)


def test_a_reader_cannot_write(tmp_path):
    open_writer(tmp_path).close()
    with pytest.raises(StoreFailed, match="readonly"):
        open_reader(tmp_path).run("DELETE FROM meta")


def test_hashes_survive_the_sign():
    for number in (0, 1, 2**63 - 1, 2**63, 2**64 - 1):
        assert unsigned(signed(number)) == number
        assert -(2**63) <= signed(number) < 2**63


# Of `older`, as the version that wrote it answered.
OLDER_KEYS = {"k1": (41, 37, 36517, 12355, None), "k2": (33, 29, 31790, 10586, 29000)}
OLDER_TOTALS = {
    "requests": 74, "denied": 9, "attempts": 66,
    "rollup_requests": 74, "rollup_denied": 9, "rollup_attempts": 66, "open": 10,
}


def older(folder: Path) -> None:
    """A ledger as schema 2 left it (ledger-2.sql.gz: what sqlite3's iterdump said of it)."""
    statements = gzip.decompress((Path(__file__).parent / "ledger-2.sql.gz").read_bytes())
    connection = sqlite3.connect(folder / FILE)
    connection.executescript(statements.decode())
    connection.close()


def answers(folder: Path) -> tuple[dict, dict, int, int, int]:
    with Ledger(folder) as ledger:
        keys = {
            row["key"]: (row["requests"], row["attempts"], row["input_tokens"],
                         row["output_tokens"], row["cost_nano_usd"])
            for row in ledger.usage(by=["key"])
        }
        return (keys, ledger.totals(), len(ledger.open_attempts()), len(ledger.caps(T0)),
                sum(1 for _ in ledger.records()))


def version(folder: Path) -> int:
    (found,) = sqlite3.connect(folder / FILE).execute(
        "SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return found


def test_an_older_ledger_is_read_as_it_is_and_brought_up_whole(tmp_path):
    older(tmp_path)
    expected = (OLDER_KEYS, OLDER_TOTALS, 10, 5, 225)
    assert answers(tmp_path) == expected  # readers may come before the writer
    assert version(tmp_path) == 2

    Store(tmp_path).close()

    assert version(tmp_path) == VERSION
    assert answers(tmp_path) == expected
    Store(tmp_path).close()  # once


# As the code before schema 5 read them.
PACKED_BEFORE = ("ff47a005de9db2289adad380f45e44d1258fe4e599650ba61cbd5c960e02b1be", 156)
TOTALS_4 = {
    "requests": 67, "denied": 33, "attempts": 36,
    "rollup_requests": 67, "rollup_denied": 33, "rollup_attempts": 36, "open": 1,
}


def test_batches_that_were_packed_otherwise_are_read_beside_those_of_today(tmp_path):
    """ledger-4.sql.gz is a ledger that the code of schema 4 wrote, with every kind of record but
    a grant, and one attempt that is open."""
    statements = gzip.decompress((Path(__file__).parent / "ledger-4.sql.gz").read_bytes())
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.executescript(statements.decode())
    with Ledger(tmp_path) as ledger:
        before = b"".join(records for _, _, records in ledger.batches())
        assert ledger.totals() == TOTALS_4 and ledger.verify() == []
    assert (hashlib.sha256(before).hexdigest(), len(list(split(before)))) == PACKED_BEFORE

    traffic = Traffic(8, generation=2)
    recorder = Recorder(Paths(tmp_path, tmp_path / "rings"), lambda event, fields: None)
    fresh = [raw for _ in range(20) for raw in traffic.one()]
    post_all(rings(tmp_path / "rings"), fresh)
    recorder.step()
    lost = recorder.close_orphans([])
    recorder.close()

    assert lost == 1 and version(tmp_path) == VERSION
    with Ledger(tmp_path) as ledger:
        after = b"".join(records for _, _, records in ledger.batches())
        assert after.startswith(before) and ledger.verify() == []
        assert len(list(split(after))) == PACKED_BEFORE[1] + len(fresh) + lost
        assert ledger.totals()["attempts"] == 36 + traffic.books["attempts"] + lost


def test_bringing_up_breaks_off_without_a_trace(tmp_path, monkeypatch):
    older(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_AGE_TABLES", schema._AGE_TABLES + "; CREATE TABLE open (x)")
        with pytest.raises(StoreFailed, match="open already exists"):
            Store(tmp_path)
    assert version(tmp_path) == 2
    assert answers(tmp_path)[0] == OLDER_KEYS

    Store(tmp_path).close()
    assert version(tmp_path) == VERSION


def test_a_ledger_of_the_first_version_gets_the_tables_of_caps(tmp_path):
    older(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE)
    connection.executescript(
        "DROP TABLE cap; DROP TABLE alert; DROP TABLE given; "
        "UPDATE meta SET value = 1 WHERE key = 'schema'"
    )
    connection.close()
    with Ledger(tmp_path) as ledger:
        assert ledger.caps(0) == ledger.grants() == ledger.alerts() == []
        assert ledger.granted() == {}

    open_writer(tmp_path).close()

    with Ledger(tmp_path) as ledger:
        assert ledger.caps(0) == [] and ledger.totals() == OLDER_TOTALS
    assert version(tmp_path) == VERSION


def test_files_are_this_user_s_alone(tmp_path):
    connection = open_writer(tmp_path).connection
    connection.execute("INSERT INTO meta VALUES ('x', 1)")
    files = list(tmp_path.glob(f"{FILE}*"))

    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    connection.close()
    (tmp_path / FILE).chmod(0o644)  # as an older fastgw left it
    open_writer(tmp_path).close()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
