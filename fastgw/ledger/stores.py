"""Which store a configuration means."""

from __future__ import annotations

from pathlib import Path

from fastgw.config.model import Secret
from fastgw.ledger import sqlite
from fastgw.ledger.database import Database


def open_writing(data_dir: Path, store: Secret | None = None) -> Database:
    """For the recorder. Raises LedgerError, StoreFailed."""
    return sqlite.open_writer(data_dir)


def open_reading(data_dir: Path, store: Secret | None = None) -> Database:
    """For everybody else. Raises LedgerError."""
    return sqlite.open_reader(data_dir)
