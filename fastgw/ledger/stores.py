"""Which store a data directory has.

Who loads a configuration says so (`remember`), before it forks. Who has only the directory finds
the file `store` there: the URL without its password, which then comes from FASTGW_STORE (the whole
URL) or from where libpq looks (PGPASSWORD, ~/.pgpass). No such file: SQLite.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

from fastgw.config.model import Secret
from fastgw.errors import LedgerError
from fastgw.ledger import sqlite
from fastgw.ledger.database import Database, StoreFailed

FILE = "store"
VARIABLE = "FASTGW_STORE"

_known: dict[Path, Secret | None] = {}


def remember(data_dir: Path, store: Secret | None) -> None:
    """What the configuration of this directory says."""
    _known[data_dir.absolute()] = store


def open_writing(data_dir: Path, store: Secret | None = None) -> Database:
    """For the recorder. Raises LedgerError, StoreFailed."""
    if store is None:
        (data_dir / FILE).unlink(missing_ok=True)
        return sqlite.open_writer(data_dir)
    postgres = _postgres()
    file = data_dir / FILE
    public = postgres.without_password(store)
    if not file.exists() or file.read_text() != public:
        temporary = file.with_suffix(".new")
        temporary.write_text(public)
        temporary.replace(file)
    database: Database = postgres.open_writer(data_dir, store)
    return database


def open_reading(data_dir: Path) -> Database:
    """For everybody else. Raises LedgerError."""
    store = _meant(data_dir)
    if store is None:
        return sqlite.open_reader(data_dir)
    try:
        database: Database = _postgres().open_reader(data_dir, store)
    except StoreFailed as error:
        hint = ""
        if "password" in str(error):
            hint = f" (name the configuration, or set {VARIABLE} or PGPASSWORD)"
        raise LedgerError(f"{error}{hint}") from None
    return database


def _meant(data_dir: Path) -> Secret | None:
    place = data_dir.absolute()
    if place in _known:
        return _known[place]
    try:
        public = (data_dir / FILE).read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"{data_dir / FILE}: {error.strerror}") from None
    return Secret(os.environ.get(VARIABLE) or public)


def _postgres() -> ModuleType:
    """Loaded by who needs it: psycopg is an extra. Raises LedgerError."""
    try:
        return importlib.import_module("fastgw.ledger.postgres")
    except ImportError as error:
        raise LedgerError(f"{error.name} is missing: pip install 'fastgw[postgres]'") from None
