"""Which store is meant: the file of SQLite where nothing else is said.

Method: both doors, on an empty directory.
"""

import pytest

from fastgw.errors import LedgerError
from fastgw.ledger.sqlite import FILE, SqliteDatabase
from fastgw.ledger.stores import open_reading, open_writing


def test_without_a_url_it_is_the_file(tmp_path):
    with pytest.raises(LedgerError, match="nothing was recorded"):
        open_reading(tmp_path)
    writing = open_writing(tmp_path)
    assert isinstance(writing, SqliteDatabase) and (tmp_path / FILE).exists()
    assert not writing.remote and writing.instance == 0
    assert isinstance(open_reading(tmp_path), SqliteDatabase)
