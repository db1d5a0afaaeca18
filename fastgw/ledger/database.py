"""What the ledger asks of a database: a few statements of SQL that SQLite and Postgres both know.

Several instances may share one database. Each owns a range of numbers, [first, last], out of
which it numbers its batches and dims, and generations are stored from ``first`` on; what is named
by bytes has ``first`` before it. A file of SQLite has one instance, and its range begins at 0.
"""

from __future__ import annotations

import copy
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from fastgw.errors import LedgerError

RANGE_BITS = 40  # of numbers that one instance owns


class StoreFailed(LedgerError):
    """The store cannot do it now; what was to be stored is spilled.

    ``for_good``: waiting will not help (a damaged file, a wrong password).
    """

    def __init__(self, message: str, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good


class Database(ABC):
    """One connection. Its methods raise StoreFailed, and ValueError for what cannot be stored.

    ``?`` stands for a value in SQL, and for nothing else.
    """

    instance = 0
    remote = False  # a commit may take long: the spill log is written first

    @property
    def first(self) -> int:
        return self.instance << RANGE_BITS

    @property
    def last(self) -> int:
        return self.first + (1 << RANGE_BITS) - 1

    def instances(self) -> dict[int, str]:
        """Number and name of every instance that has records here; no two have one name."""
        return {self.instance: socket.gethostname()}

    def of(self, instance: int) -> Self:
        """The same connection, as another instance's."""
        other = copy.copy(self)
        other.instance = instance
        return other

    def beat(self) -> None:  # noqa: B027 (most stores have nobody to tell)
        """Called about once a second by who writes: it is still there."""

    def own(self, name: bytes) -> bytes:
        """A name of bytes, as this instance stores it."""
        return self.first.to_bytes(8, "big") + name if self.first else name

    def own_text(self, name: str) -> str:
        """A key of `meta`, as this instance stores it."""
        return f"{name}@{self.instance}" if self.instance else name

    @abstractmethod
    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows that a statement gives."""

    def row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """The first of them."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    @abstractmethod
    def run(self, sql: str, *values: Any) -> int:
        """A statement that gives none; returns how many rows it changed."""

    @abstractmethod
    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None: ...

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All of it or nothing, and synced when it returns."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """What is read within is of one instant."""

    def ddl(self, statement: str) -> str:
        """A statement of fastgw.ledger.schema in this database's own words."""
        return statement

    @abstractmethod
    def has_table(self, name: str) -> bool: ...

    @abstractmethod
    def put_attempts(self, batch: int, records: bytes) -> None:
        """A row for each CLOSE of a batch, where this store keeps rows of attempts."""

    @abstractmethod
    def drop_attempts(self, batch: int) -> None:
        """Those rows again."""

    @abstractmethod
    def shrink(self) -> None:
        """After something was deleted: a bite of the room back to the disk."""

    @abstractmethod
    def close(self) -> None: ...
