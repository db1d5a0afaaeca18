"""The embedded store: one file of SQLite below the data directory."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from fastgw.errors import LedgerError
from fastgw.ledger.database import Database, StoreFailed
from fastgw.ledger.schema import check, prepare

FILE = "ledger.db"
_SHRINK_PAGES = 1000
# No full disk and no fault of a device: somebody must do something about it.
_FOR_GOOD = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ELOOP)


class SqliteDatabase(Database):
    """A connection to the file. ``path`` stands in errors."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self._cursor = connection.cursor()  # for what gives no rows
        self._path = path

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def run(self, sql: str, *values: Any) -> int:
        try:
            return self._cursor.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        try:
            self._cursor.executemany(sql, values)
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def transaction(self) -> AbstractContextManager[None]:
        return _Transaction(self)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self.run("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")

    def has_table(self, name: str) -> bool:
        return bool(
            self.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name)
        )

    def put_attempts(self, batch: int, records: bytes) -> None:
        """None here: batches and roll-ups tell all."""

    def drop_attempts(self, batch: int) -> None:
        """There are none."""

    def shrink(self) -> None:
        try:
            # A script is stepped to its end; `execute` would give one page back and stop.
            self.connection.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def close(self) -> None:
        self._cursor.close()  # with its statement left open the file would stay open
        self.connection.close()

    def _failed(self, error: sqlite3.Error) -> StoreFailed:
        for_good = not isinstance(error, sqlite3.OperationalError)
        what = "the ledger is damaged: " if for_good else ""
        return StoreFailed(f"{self._path}: {what}{error}", for_good=for_good)


class _Transaction:
    """A class and no generator: there is one for each commit."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.run("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._database.run("COMMIT")
        finally:
            connection = self._database.connection
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def open_writer(data_dir: Path, *, busy_ms: int = 100) -> SqliteDatabase:
    """The recorder's connection; makes the tables at first. Raises LedgerError, StoreFailed.

    ``busy_ms`` is short: who finds the store locked spills, and must not hold the rings up.
    """
    path = data_dir / FILE
    # Made here, so that it is this user's alone; SQLite gives its -wal and -shm the same mode.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.chmod(path, 0o600)  # an older fastgw left it open to the umask
        connection = sqlite3.connect(
            path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
        )
    except OSError as error:
        for_good = error.errno in _FOR_GOOD
        raise StoreFailed(f"{path}: {error.strerror}", for_good=for_good) from None
    except sqlite3.Error as error:
        raise StoreFailed(f"{path}: {error}") from None
    database = SqliteDatabase(connection, path)
    try:
        if database.has_table("meta"):
            check(database, str(path))  # of what is not ours, not a byte is changed
        # Only a fresh file takes these two; they keep a deletion of old batches cheap.
        database.rows("PRAGMA page_size = 8192")
        database.rows("PRAGMA auto_vacuum = INCREMENTAL")
        database.rows("PRAGMA journal_mode = WAL")
        database.rows("PRAGMA synchronous = FULL")
        database.rows("PRAGMA journal_size_limit = 67108864")
        prepare(database, str(path))
        return database
    except BaseException:
        connection.close()
        raise


def open_reader(data_dir: Path) -> SqliteDatabase:
    """A read-only connection, for use while the recorder runs. Raises LedgerError."""
    path = data_dir / FILE
    if not path.exists():
        raise LedgerError(
            f"{path} does not exist: nothing was recorded in this data directory yet"
        )
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise LedgerError(f"{path} cannot be read: {error}") from None
    database = SqliteDatabase(connection, path)
    try:
        check(database, str(path))
        return database
    except StoreFailed as error:
        connection.close()
        raise LedgerError(f"{error} (cannot be read)") from None
    except LedgerError:
        connection.close()
        raise
