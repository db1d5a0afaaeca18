from typing import final

from fastgw.ledger.records import Held

_Key = tuple[int, int, int, int]

@final
class Tally:
    """Counts of one span."""

    records: int
    requests: int
    denied: int
    opens: int
    closes: int
    counted: int
    capped: int  # requests that have taken of a cap
    wall_first: int
    wall_last: int
    pages: set[tuple[int, int, int]]
    names: list[tuple[int, int, int, bytes]]
    packed: bytes  # as of `pack`, where `Fold.add` was asked for it

@final
class Fold:
    """Sums over the spans given to `add`, until `clear`."""

    def add(self, records: bytes, *, packed: bool = False) -> Tally:
        """Sum up one span of whole records. Raises ValueError: not whole records."""
    def clear(self) -> None: ...
    def find(
        self, generation: int, worker: int, sequence: int, attempt: int
    ) -> tuple[bytes | None, bool] | None:
        """What these spans know of an attempt: (its OPEN, closed?), or None."""
    def attempts(self) -> tuple[list[tuple[int, int, int, int, bytes]], list[_Key]]:
        """(opened and not closed, with their OPEN; closed but opened earlier)."""
    def held(self) -> list[tuple[_Key, Held]]:
        """Attempts that hold other amounts than their OPEN says."""
    def as_held(self, key: _Key, opened: bytes) -> bytes:
        """The OPEN of attempt ``key``, with what a HELD of these spans says of it."""
    def rollups(self) -> list[tuple]:
        """(dims as 80 bytes, minute, then fastgw.ledger.schema.SUMS)."""

def tally_of(records: bytes) -> Tally:
    """As `Fold.add` counts, without names and sums."""

def pack(records: bytes) -> bytes:
    """Whole records made small for the store (csrc/fgw_pack.h). Raises ValueError."""

def unpack(packed: bytes) -> bytes:
    """The records that `pack` was given. Raises LedgerError: damaged."""
