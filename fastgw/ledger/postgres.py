"""The store in Postgres: the tables of SQLite, and a row an attempt for whoever asks in SQL.

Several instances may share a database: each has a number, by the random name in its data
directory, and owns its own rows; only the texts behind hashes are everybody's. There is no state
of a session (no prepared statement, no SET, no lock that outlives its transaction), so a pooler
may stand between.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fastgw.config.model import Secret
from fastgw.errors import LedgerError
from fastgw.ledger.attempts import HEADER, NAMES, TRAILER, attempt_rows
from fastgw.ledger.database import Database, StoreFailed
from fastgw.ledger.schema import bring_up, check
from fastgw.shm.place import boot_id

IDENTITY = "identity"  # the file in a data directory
_MIGRATING = 0x66677731  # of pg_advisory_xact_lock: one instance at a time
# Where the URL says nothing else. A server that is gone is noticed within some 20 s.
_DEFAULTS = {
    "connect_timeout": 5,
    "application_name": "fastgw",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20000,
}
# Waiting does not help against these; by SQLSTATE, and of a connection by words alone.
_FOR_GOOD = ("28", "3D", "3F", "42")
_FOR_GOOD_WORDS = ("authentication failed", "does not exist", "no password supplied")
# Of TLS, which only libpq speaks: its words, and what helps. Waiting does not.
_TLS = (
    ("certificate verify failed",
     "sslrootcert must name the file of the authority that signed the server's certificate"),
    ("does not match host name",
     "connect by a name that the server's certificate has, or give sslmode=verify-ca"),
    ("root certificate file",
     "sslrootcert must name the file of the authority, or system for those of this machine"),
    ("server does not support SSL", "turn ssl on at the server, or leave sslmode away"),
    ("no encryption", "the server wants TLS: sslmode=verify-full, and sslrootcert"),
    ("private key file", "sslkey must be readable by this user alone"),
)

# Who writes as an instance says so, and is believed gone when it was silent for longer.
_BEAT_S = 5.0
_SILENT_MS = 30_000
_NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"  # one clock for all

_COLUMNS = ", ".join(f'"{name}"' for name in NAMES)
_COPY = f"COPY attempt ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_NULLABLE = ("output_high", "cost_nano_usd")
_OWN_TABLES = f"""
CREATE TABLE IF NOT EXISTS instance (
    id BIGINT PRIMARY KEY, identity TEXT NOT NULL UNIQUE, since BIGINT NOT NULL
);
ALTER TABLE instance ADD COLUMN IF NOT EXISTS name TEXT NOT NULL DEFAULT '';
ALTER TABLE instance ADD COLUMN IF NOT EXISTS holder TEXT NOT NULL DEFAULT '';
ALTER TABLE instance ADD COLUMN IF NOT EXISTS seen BIGINT NOT NULL DEFAULT 0;
CREATE TABLE IF NOT EXISTS attempt (
    {", ".join(f'"{name}" BIGINT{"" if name in _NULLABLE else " NOT NULL"}' for name in NAMES)},
    PRIMARY KEY (generation, worker, sequence, attempt)
);
{"".join(f'ALTER TABLE attempt ADD COLUMN IF NOT EXISTS "{name}" BIGINT NOT NULL DEFAULT 0;'
         for name in NAMES[-9:])}
CREATE INDEX IF NOT EXISTS attempt_batch ON attempt (batch);
CREATE INDEX IF NOT EXISTS attempt_wall ON attempt USING brin (wall_ns)
"""

# libpq's own words on stderr would be nobody's log line.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


@dataclass(slots=True)
class _Holder:
    """Who writes as an instance: a data directory of a host, since it was started. A recorder that
    follows one which was killed is the same; a copy of the directory is not."""

    host: str = ""
    folder: str = ""
    boot: str = ""
    beat_at: float = 0.0

    @classmethod
    def of(cls, data_dir: Path) -> _Holder:
        return cls(socket.gethostname(), str(data_dir.resolve()), boot_id().hex())

    @classmethod
    def parse(cls, text: str) -> _Holder:
        host, folder, boot = (text.split("\n") + ["", "", ""])[:3]
        return cls(host, folder, boot)

    @property
    def text(self) -> str:
        return "\n".join((self.host, self.folder, self.boot)) if self.host else ""


class PostgresDatabase(Database):
    """A connection to the server. ``place`` stands in errors: the URL without its secrets."""

    remote = True

    def __init__(self, connection: psycopg.Connection, place: str, hide: str) -> None:
        self._connection = connection
        self.place = place
        self._hide = hide
        self._copies: list[bytes] = []
        self._statements: dict[str, Any] = {}
        self._holder = _Holder()
        self._unsynced = self.row("SHOW synchronous_commit") == ("off",)

    def _sql(self, sql: str) -> Any:
        found = self._statements.get(sql)
        if found is None:
            found = self._statements[sql] = sql.replace("?", "%s")
        return found

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(self._sql(sql), values or None).fetchall()
        except psycopg.Error as error:
            raise self._failed(error) from None

    def run(self, sql: str, *values: Any) -> int:
        try:
            cursor = self._connection.execute(self._sql(sql), values or None)
            if self._connection.info.pipeline_status:
                with self._connection.pipeline() as sent:
                    sent.sync()  # how many rows is only known then
            return cursor.rowcount
        except psycopg.Error as error:
            raise self._failed(error) from None

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        wanted = list(values)
        if not wanted:
            return
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(self._sql(sql), wanted)
        except psycopg.Error as error:
            raise self._failed(error) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What gives no rows is sent without waiting, so that a commit is three round trips."""
        self._copies.clear()
        try:
            with self._connection.pipeline():
                self._send("BEGIN")
                if self._unsynced:
                    self._send("SET LOCAL synchronous_commit = on")
                holder = self._ask_holder()
                yield
                if self._copies:
                    self._send("SAVEPOINT before_attempts")
            if holder is not None and holder.fetchone() != (self._holder.text,):
                raise self._displaced()
            if self._copies:
                self._copy()
            self._send("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, psycopg.Error):
                raise self._failed(error) from None
            raise

    def _roll_back(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            pass  # the server rolls back what it lost the client of

    def _send(self, statement: LiteralString) -> None:
        self._connection.execute(statement)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        try:
            with self._connection.transaction():
                self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield
        except psycopg.Error as error:
            raise self._failed(error) from None

    def ddl(self, statement: str) -> str:
        for ours, theirs in (
            ("key TEXT PRIMARY KEY, value)", "key TEXT PRIMARY KEY, value BIGINT)"),
            ("INTEGER", "BIGINT"), ("BLOB", "BYTEA"), (" WITHOUT ROWID", ""),
        ):
            statement = statement.replace(ours, theirs)
        return statement

    def has_table(self, name: str) -> bool:
        return self.row("SELECT to_regclass(?) IS NOT NULL", name) == (True,)

    # ------------------------------------------------------------------- attempts

    def put_attempts(self, batch: int, records: bytes) -> None:
        rows = attempt_rows(records, self.first, batch)
        if rows:
            self._copies.append(rows)

    def drop_attempts(self, batch: int) -> None:
        self.run("DELETE FROM attempt WHERE batch = ?", batch)

    def _copy(self) -> None:
        """All rows of the transaction at once. One that is there already stays as it is."""
        rows = b"".join(self._copies)
        try:
            self._copy_into(_COPY, rows)
        except psycopg.errors.UniqueViolation:
            self._send("ROLLBACK TO SAVEPOINT before_attempts")
            self._send("CREATE TEMPORARY TABLE again (LIKE attempt) ON COMMIT DROP")
            self._copy_into(_COPY.replace("COPY attempt", "COPY again"), rows)
            self.run(
                f"INSERT INTO attempt ({_COLUMNS}) SELECT {_COLUMNS} FROM again "
                "ON CONFLICT (generation, worker, sequence, attempt) DO NOTHING"
            )

    def _copy_into(self, statement: str, rows: bytes) -> None:
        sql: Any = statement
        with self._connection.cursor() as cursor, cursor.copy(sql) as copy:
            copy.write(HEADER + rows + TRAILER)

    # ------------------------------------------------------------------ instances

    def prepare(self, identity: str, holder: _Holder) -> None:
        """Tables and this instance's number, which nobody else may write under from here on.
        Raises LedgerError, StoreFailed."""
        with self.transaction():
            self.row("SELECT 1 FROM pg_advisory_xact_lock(?)", _MIGRATING)
            bring_up(self, self.place)
            for statement in _OWN_TABLES.split(";"):
                if not statement.lstrip().startswith("ALTER") or not self._has_column(statement):
                    self.run(statement)
            self.run(
                "INSERT INTO instance (id, identity, since) "
                "SELECT coalesce(max(id), 0) + 1, ?, ? FROM instance "
                "ON CONFLICT (identity) DO NOTHING",
                identity, time.time_ns(),
            )
            taken = self.run(
                f"UPDATE instance SET holder = ?, name = ?, seen = {_NOW_MS} WHERE identity = ? "
                f"AND (holder IN ('', ?) OR seen < {_NOW_MS} - {_SILENT_MS})",
                holder.text, holder.host, identity, holder.text,
            )
            if not taken:
                raise self._held(identity, holder)
        self.find(identity)
        self._holder = holder

    def _has_column(self, statement: str) -> bool:
        """Of an ADD COLUMN: it is there, and the table need not be locked."""
        column = statement.split("EXISTS")[1].split()[0]
        return self.row(
            "SELECT 1 FROM pg_attribute WHERE attrelid = 'instance'::regclass AND attname = ?",
            column,
        ) is not None

    def _held(self, identity: str, holder: _Holder) -> LedgerError:
        found = self.row("SELECT holder FROM instance WHERE identity = ?", identity)
        other = _Holder.parse(str(found[0]) if found else "")
        words = (
            f"{self.place}: the gateway with data_dir {other.folder} on host {other.host} writes "
            f"under the name of this one ({IDENTITY} in data_dir)"
        )
        if (other.host, other.folder) == (holder.host, holder.folder):
            # Most likely itself, before the machine was started anew: it will pass.
            return StoreFailed(f"{words}, or did less than {_SILENT_MS // 1000} s ago")
        return LedgerError(
            f"{words}: where data_dir was copied, delete the copy's file {IDENTITY!r}; where that "
            f"gateway is gone, start this one again in {_SILENT_MS // 1000} s"
        )

    def _ask_holder(self) -> psycopg.Cursor[Any] | None:
        if not self._holder.text:
            return None
        return self._connection.execute(
            "SELECT holder FROM instance WHERE id = %s", (self.instance,)
        )

    def _displaced(self) -> StoreFailed:
        return StoreFailed(
            f"{self.place}: another gateway writes under the name of this one by now; is its "
            f"data_dir a copy? Then delete the file {IDENTITY!r} in one of them",
            for_good=True,
        )

    def beat(self) -> None:
        if time.monotonic() < self._holder.beat_at:
            return
        self._holder.beat_at = time.monotonic() + _BEAT_S
        if not self.run(
            f"UPDATE instance SET seen = {_NOW_MS} WHERE id = ? AND holder = ?",
            self.instance, self._holder.text,
        ):
            raise self._displaced()

    def instances(self) -> dict[int, str]:
        try:
            rows = self.rows("SELECT id, name FROM instance ORDER BY id")
        except StoreFailed:  # last written by a version that had no names
            rows = self.rows("SELECT id, '' FROM instance ORDER BY id")
        found = [name for _, name in rows]
        return {
            number: name if name and found.count(name) == 1 else f"{name}#{number}"
            for number, name in rows
        }

    def find(self, identity: str) -> None:
        """This instance's number. Raises LedgerError where it has none yet."""
        check(self, self.place)
        row = self.row("SELECT id FROM instance WHERE identity = ?", identity)
        if row is None:
            raise LedgerError(f"{self.place}: nothing was recorded of this data directory yet")
        self.instance = int(row[0])

    def shrink(self) -> None:
        """Autovacuum does."""

    def close(self) -> None:
        if self._holder.text and not self._connection.closed:
            try:  # whoever comes next need not wait
                self.run(
                    "UPDATE instance SET holder = '' WHERE id = ? AND holder = ?",
                    self.instance, self._holder.text,
                )
            except LedgerError:
                pass
        self._connection.close()

    def _failed(self, error: psycopg.Error) -> Exception:
        if isinstance(error, psycopg.DataError):
            return ValueError(str(error))  # it would never be stored
        return _failed(error, self.place, self._hide)


def _failed(error: psycopg.Error, place: str, hide: str) -> StoreFailed:
    words = " ".join(str(error).split())
    if hide:
        words = words.replace(hide, "…")
    state = error.sqlstate or ""
    remedy = next((f" ({remedy})" for word, remedy in _TLS if not state and word in words), "")
    for_good = bool(remedy) or state.startswith(_FOR_GOOD) or (
        not state and any(word in words for word in _FOR_GOOD_WORDS)
    )
    return StoreFailed(f"{place}: {words or type(error).__name__}{remedy}", for_good=for_good)


def _parsed(store: Secret) -> dict[str, Any]:
    try:
        wanted = conninfo_to_dict(store.reveal())
    except psycopg.Error:
        wanted = {"host": "@"}  # libpq's words would show the URL
    if "@" in str(wanted.get("host", "")):
        raise LedgerError(
            "store: this is no URL that libpq understands; write an @ in a password as %40"
        )
    return dict(wanted)


def without_password(store: Secret) -> str:
    """What may stand in a file. Raises LedgerError."""
    return make_conninfo(**{
        name: value for name, value in _parsed(store).items()
        if name not in ("password", "sslpassword")
    })


def _connect(store: Secret) -> PostgresDatabase:
    wanted = _parsed(store)
    password = str(wanted.get("password") or "")
    place = f"postgresql://{wanted.get('host', '')}/{wanted.get('dbname', '')}"
    try:
        connection = psycopg.connect(
            make_conninfo(**{**_DEFAULTS, **wanted}), autocommit=True, prepare_threshold=None
        )
    except psycopg.Error as error:
        raise _failed(error, place, password) from None
    return PostgresDatabase(connection, place, password)


def open_writer(data_dir: Path, store: Secret) -> PostgresDatabase:
    """The recorder's connection; makes the tables at first. Raises LedgerError, StoreFailed."""
    identity = _identity(data_dir, make=True)
    database = _connect(store)
    try:
        database.prepare(identity, _Holder.of(data_dir))
        return database
    except BaseException:
        database.close()
        raise


def open_reader(data_dir: Path, store: Secret) -> PostgresDatabase:
    """For questions, while the recorder runs. Raises LedgerError."""
    identity = _identity(data_dir, make=False)
    database = _connect(store)
    try:
        database.find(identity)
        return database
    except BaseException:
        database.close()
        raise


def _identity(data_dir: Path, *, make: bool) -> str:
    """The name by which a database knows this data directory. Raises LedgerError."""
    path = data_dir / IDENTITY
    try:
        if make and not path.exists():
            temporary = path.with_suffix(".new")
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_hex(16) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        return path.read_text().strip()
    except FileNotFoundError:
        raise LedgerError(
            f"{path} does not exist: nothing was recorded in this data directory yet"
        ) from None
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from None
