"""Which store a data directory has: said by who loads its configuration, or by its file.

Method: both doors, with and without a file, a variable, the extra; a real server where one is.
"""

import sys

import psycopg
import pytest

from fastgw.config.model import Secret
from fastgw.errors import LedgerError
from fastgw.ledger.sqlite import FILE, SqliteDatabase
from fastgw.ledger.stores import open_reading, open_writing, remember


def test_without_a_url_it_is_the_file(tmp_path):
    with pytest.raises(LedgerError, match="nothing was recorded"):
        open_reading(tmp_path)
    writing = open_writing(tmp_path)
    assert isinstance(writing, SqliteDatabase) and (tmp_path / FILE).exists()
    assert not writing.remote and writing.instance == 0
    assert isinstance(open_reading(tmp_path), SqliteDatabase)


def test_a_directory_tells_its_store_but_no_password(tmp_path, postgres, monkeypatch):
    url = postgres.over_tcp(postgres.database())
    open_writing(tmp_path, Secret(url)).close()
    assert "sesame" not in "".join(path.read_text() for path in tmp_path.iterdir())

    monkeypatch.delenv("FASTGW_STORE", raising=False)
    with pytest.raises(LedgerError, match="FASTGW_STORE or PGPASSWORD"):
        open_reading(tmp_path)
    for name, value in (("PGPASSWORD", "open-sesame-4711"), ("FASTGW_STORE", url)):
        monkeypatch.setenv(name, value)
        open_reading(tmp_path).close()
        monkeypatch.delenv(name)
    remember(tmp_path, Secret(url))
    assert open_reading(tmp_path).instance == 1

    remember(tmp_path, None)
    open_writing(tmp_path).close()
    assert isinstance(open_reading(tmp_path), SqliteDatabase)
    assert not (tmp_path / "store").exists()


def test_a_missing_extra_is_said_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "fastgw.ledger.postgres", raising=False)
    with pytest.raises(LedgerError, match=r"psycopg.* pip install 'fastgw\[postgres\]'"):
        open_writing(tmp_path, Secret("postgresql://h/d"))
    assert psycopg
