"""The ledger's tables in SQLite, their version, and how a connection to them is opened.

::

    ring     how far each ring's records are stored: the acknowledged positions
    batch    records as they came, packed, one row a span of one ring
    page     which batches speak of which 256 requests of a worker: explain needs no scan
    dims     what usage is summed by, once each
    rollup   usage by minute and dims: kept when batches are deleted
    name     the text behind a hash
    open     attempts without their close: whoever is lost leaves its OPEN here
    cap      what settled requests have used of each cap, key and window (ledger/drawn.py)
    alert    fractions of caps that were reached, and whether somebody was told
    given    limits that were changed from outside
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from fastgw.errors import LedgerError

FILE = "ledger.db"
VERSION = 2

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE ring (
    ring INTEGER PRIMARY KEY, slot INTEGER NOT NULL, lane INTEGER NOT NULL,
    acked INTEGER NOT NULL
);
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, ring INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL,
    wall_first INTEGER NOT NULL, wall_last INTEGER NOT NULL, records INTEGER NOT NULL,
    requests INTEGER NOT NULL, denied INTEGER NOT NULL, counted INTEGER NOT NULL,
    closes INTEGER NOT NULL, crc INTEGER NOT NULL, packed BLOB NOT NULL
);
CREATE TABLE page (
    generation INTEGER NOT NULL, worker INTEGER NOT NULL, page INTEGER NOT NULL,
    batch INTEGER NOT NULL, PRIMARY KEY (generation, worker, page, batch)
) WITHOUT ROWID;
CREATE TABLE dims (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, account INTEGER NOT NULL,
    model INTEGER NOT NULL, provider INTEGER NOT NULL, upstream_model INTEGER NOT NULL,
    user INTEGER NOT NULL, label0 INTEGER NOT NULL, label1 INTEGER NOT NULL,
    label2 INTEGER NOT NULL, label3 INTEGER NOT NULL, dialect INTEGER NOT NULL,
    operation INTEGER NOT NULL, stream INTEGER NOT NULL
);
CREATE TABLE rollup (
    minute INTEGER NOT NULL, dims INTEGER NOT NULL, {sums}, PRIMARY KEY (minute, dims)
) WITHOUT ROWID;
CREATE TABLE name (
    space INTEGER NOT NULL, hash0 INTEGER NOT NULL, hash1 INTEGER NOT NULL, text BLOB NOT NULL,
    PRIMARY KEY (space, hash0, hash1)
) WITHOUT ROWID;
CREATE TABLE open (
    generation INTEGER NOT NULL, worker INTEGER NOT NULL, sequence INTEGER NOT NULL,
    attempt INTEGER NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (generation, worker, sequence, attempt)
) WITHOUT ROWID;
"""

# Since version 2.
_CAP_TABLES = """
CREATE TABLE cap (
    identity BLOB PRIMARY KEY, rule INTEGER NOT NULL, unit INTEGER NOT NULL,
    used INTEGER NOT NULL, capacity INTEGER NOT NULL, window_end INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE alert (
    identity BLOB NOT NULL, fraction INTEGER NOT NULL, rule INTEGER NOT NULL,
    unit INTEGER NOT NULL, used INTEGER NOT NULL, capacity INTEGER NOT NULL,
    window_end INTEGER NOT NULL, wall_ns INTEGER NOT NULL, state INTEGER NOT NULL,
    PRIMARY KEY (identity, fraction)
) WITHOUT ROWID;
CREATE TABLE given (
    id INTEGER PRIMARY KEY, wall_ns INTEGER NOT NULL, identity BLOB NOT NULL,
    rule INTEGER NOT NULL, admin INTEGER NOT NULL, unit INTEGER NOT NULL,
    algorithm INTEGER NOT NULL, amount INTEGER NOT NULL, before INTEGER NOT NULL,
    after INTEGER NOT NULL
);
CREATE INDEX given_of ON given (identity);
"""

# In the order of Fold.rollups().
SUMS = (
    "requests",
    "denied",
    "attempts",
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "input_low",
    "input_high",
    "output_low",
    "output_high",
    "unbounded",
    "cost_nano_usd",
    "cost_unknown",
)


def open_writer(data_dir: Path, *, busy_ms: int = 100) -> sqlite3.Connection:
    """The recorder's connection; makes the tables at first. Raises LedgerError, sqlite3.Error.

    ``busy_ms`` is short: who finds the store locked spills, and must not hold the rings up.
    """
    # Made here, so that it is this user's alone; SQLite gives its -wal and -shm the same mode.
    try:
        os.close(os.open(data_dir / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.chmod(data_dir / FILE, 0o600)  # an older fastgw left it open to the umask
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror) from None
    connection = sqlite3.connect(
        data_dir / FILE, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
    )
    try:
        # Only a fresh file takes these two; they keep a deletion of old batches cheap.
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _prepare(connection, data_dir)
        return connection
    except BaseException:
        connection.close()
        raise


def open_reader(data_dir: Path) -> sqlite3.Connection:
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
        _check(connection, data_dir)
        return connection
    except sqlite3.Error as error:
        raise LedgerError(f"{path} cannot be read: {error}") from None


def _prepare(connection: sqlite3.Connection, data_dir: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version is None:
            sums = ", ".join(f"{name} INTEGER NOT NULL" for name in SUMS)
            _create(connection, _TABLES.format(sums=sums))
            connection.execute("INSERT INTO meta VALUES ('schema', 1)")
            version = 1
        if version == 1:
            _create(connection, _CAP_TABLES)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (VERSION,))
        _check(connection, data_dir)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _create(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int | None:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    if there is None:
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return None if row is None else int(row[0])


def _check(connection: sqlite3.Connection, data_dir: Path) -> None:
    version = _version(connection)
    if version is None:
        raise LedgerError(f"{data_dir / FILE} is no ledger of fastgw")
    if version > VERSION:
        raise LedgerError(
            f"{data_dir / FILE} has schema {version}; this fastgw knows {VERSION}: "
            "use the newer fastgw that wrote it, or another data_dir"
        )


def signed(number: int) -> int:
    """A 64-bit hash as SQLite keeps it."""
    return number - (1 << 64) if number >= 1 << 63 else number


def unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number
