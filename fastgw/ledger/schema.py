"""The ledger's tables, their version, and how an older ledger becomes one of this version.

::

    ring     how far each ring's records are stored: the acknowledged positions
    batch    records as they came, packed, one row a span of one ring
    page     which batches speak of which 256 requests of a worker: explain needs no scan
    dims     what usage is summed by, once each
    rollup   usage by minute and dims; what is old moves on to rollup_hour, then to rollup_day
    name     the text behind a hash
    open     attempts without their close: whoever is lost leaves its OPEN here
    cap      what settled requests have used of each cap, key and window (ledger/drawn.py)
    alert    fractions of caps that were reached, and whether somebody was told
    given    limits that were changed from outside
    exported how far each export has come (ledger/events.py)
    meta     the version, and sums of what retention took away

The statements are SQLite's; `Database.ddl` of another store says how its own differ.
"""

from __future__ import annotations

from fastgw.errors import LedgerError
from fastgw.ledger.database import Database

# Of version 5 are batches in csrc/fgw_pack.h's format, beside those of before; the tables are the
# same.
VERSION = 5

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
    "user" INTEGER NOT NULL, label0 INTEGER NOT NULL, label1 INTEGER NOT NULL,
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

# Since version 3.
_AGE_TABLES = """
CREATE TABLE rollup_hour (
    minute INTEGER NOT NULL, dims INTEGER NOT NULL, {sums}, PRIMARY KEY (minute, dims)
) WITHOUT ROWID;
CREATE TABLE rollup_day (
    minute INTEGER NOT NULL, dims INTEGER NOT NULL, {sums}, PRIMARY KEY (minute, dims)
) WITHOUT ROWID;
CREATE TABLE exported (
    export TEXT PRIMARY KEY, batch INTEGER NOT NULL
) WITHOUT ROWID;
"""

# Since version 3; those of version 4 were added behind them.
_SUMS_3 = (
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
SUMS_4 = ("image_input", "image_output", "images", "audio_ms", "characters", "searches")
# In the order of Fold.rollups().
SUMS = _SUMS_3 + SUMS_4

# What is summed up, from the finest to the coarsest: (table, minutes in a row of it).
ROLLUPS = (("rollup", 1), ("rollup_hour", 60), ("rollup_day", 1440))


def prepare(database: Database, place: str) -> None:
    """Make the tables, or bring an older ledger to this version, in one transaction.

    ``place`` stands in errors. Raises LedgerError where the ledger is of a newer version.
    """
    with database.transaction():
        bring_up(database, place)


def bring_up(database: Database, place: str) -> None:
    """As `prepare`, in a transaction that there is."""
    version = version_of(database) or 0
    sums = ", ".join(f"{name} INTEGER NOT NULL" for name in _SUMS_3)
    for since, statements in enumerate((_TABLES, _CAP_TABLES, _AGE_TABLES), 1):
        if version < since:
            _create(database, statements.replace("{sums}", sums))
    if version < 4:
        _create(database, _added())
    if version < VERSION:
        database.run(
            "INSERT INTO meta VALUES ('schema', ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            VERSION,
        )
    check(database, place)


def _added() -> str:
    """Since version 4: the columns that came later, one statement each."""
    added = [("dims", "tier")] + [(table, name) for table, _ in ROLLUPS for name in SUMS_4]
    return ";".join(
        f"ALTER TABLE {table} ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0"
        for table, name in added
    )


def check(database: Database, place: str) -> int:
    """The version of what is there. Raises LedgerError where this fastgw cannot read it."""
    version = version_of(database)
    if version is None:
        raise LedgerError(f"{place} is no ledger of fastgw")
    if version > VERSION:
        raise LedgerError(
            f"{place} has schema {version}; this fastgw knows {VERSION}: "
            "use the newer fastgw that wrote it, or another data_dir"
        )
    return version


def version_of(database: Database) -> int | None:
    """None: nothing of fastgw is there."""
    if not database.has_table("meta"):
        return None
    row = database.row("SELECT value FROM meta WHERE key = 'schema'")
    return None if row is None else int(row[0])


def _create(database: Database, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            database.run(database.ddl(statement))


def signed(number: int) -> int:
    """A 64-bit hash as SQLite keeps it."""
    return number - (1 << 64) if number >= 1 << 63 else number


def unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number
