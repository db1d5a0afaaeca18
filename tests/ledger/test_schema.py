"""Schema: made once, opened again, and a newer one is refused with one clear line.

Method: real files.
"""

import sqlite3

import pytest

from fastgw.errors import LedgerError
from fastgw.ledger.query import Ledger
from fastgw.ledger.schema import FILE, VERSION, open_reader, open_writer, signed, unsigned


def test_a_fresh_file_gets_wal_full_sync_and_its_version(tmp_path):
    connection = open_writer(tmp_path)

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (
        VERSION,
    )
    connection.close()
    open_writer(tmp_path).close()


def test_a_newer_schema_is_refused_by_writer_and_reader(tmp_path):
    connection = open_writer(tmp_path)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (VERSION + 1,))
    connection.close()

    for opened in (open_writer, open_reader):
        with pytest.raises(
            LedgerError, match=f"schema {VERSION + 1}; this fastgw knows {VERSION}"
        ):
            opened(tmp_path)


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
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        open_reader(tmp_path).execute("DELETE FROM meta")


def test_hashes_survive_the_sign():
    for number in (0, 1, 2**63 - 1, 2**63, 2**64 - 1):
        assert unsigned(signed(number)) == number
        assert -(2**63) <= signed(number) < 2**63


def test_a_ledger_of_the_first_version_gets_the_tables_of_caps(tmp_path):
    connection = open_writer(tmp_path)
    for table in ("cap", "alert", "given"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("UPDATE meta SET value = 1 WHERE key = 'schema'")
    connection.close()
    with Ledger(tmp_path) as ledger:  # readers may come before the writer
        assert ledger.caps(0) == ledger.grants() == ledger.alerts() == []
        assert ledger.granted() == {}

    open_writer(tmp_path).close()

    connection = open_writer(tmp_path)
    assert connection.execute("SELECT count(*) FROM cap").fetchone() == (0,)
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (
        VERSION,
    )


def test_files_are_this_user_s_alone(tmp_path):
    connection = open_writer(tmp_path)
    connection.execute("INSERT INTO meta VALUES ('x', 1)")
    files = list(tmp_path.glob(f"{FILE}*"))

    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    connection.close()
    (tmp_path / FILE).chmod(0o644)  # as an older fastgw left it
    open_writer(tmp_path).close()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
