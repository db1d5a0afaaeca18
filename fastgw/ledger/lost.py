"""Attempts whose worker ended: exactly one CLOSE for each, by whoever knows most.

The supervisor's sweep posts a CLOSE for each hold of a dead worker, with the progress it found,
and at last the mark that the worker ended. What the sweep leaves zero (dims, ceilings) is taken
from the OPEN here; whatever is still open at the mark is closed with the interval [0, ceilings].
A CLOSE that the worker posted itself before it died stands: a later one for it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple

from fastgw.ledger.database import Database
from fastgw.ledger.fold import Fold
from fastgw.ledger.records import (
    CLOSE,
    FATE_WORKER_LOST,
    PROVENANCE_ESTIMATED,
    Close,
    Dims,
    Open,
    RequestId,
    split,
)

WORKER_LOST = 992  # fastgw.errors.Code

# What a CLOSE of the named model costs: (nano-dollars, version of the price); None: no price.
Costs = Callable[[Close, str], tuple[int, int] | None]


def ended_mark(generation: int, worker: int, wall_ns: int) -> bytes:
    """The supervisor's record that a worker is reaped and swept: its open attempts are over."""
    return Close(
        RequestId(generation, worker, 0), wall_ns, attempt=0, fate=FATE_WORKER_LOST
    ).pack()


def lost_close(opened: Open, wall_ns: int) -> Close:
    """The CLOSE of an attempt of which nothing but its OPEN is known."""
    return Close(
        opened.id,
        wall_ns,
        attempt=opened.attempt,
        fate=FATE_WORKER_LOST,
        dims=opened.dims,
        input_high=opened.input_high,
        output_high=opened.output_high,
        code=WORKER_LOST,
        provenance=PROVENANCE_ESTIMATED,
        input_provenance=PROVENANCE_ESTIMATED,
        output_provenance=PROVENANCE_ESTIMATED,
        started_ns=opened.wall_ns,
    )


class Lost:
    """Settles the records of one supervisor span, inside the transaction that stores it.

    ``price(close)``: what `Costs` says of it. The sweep knows no prices.
    """

    def __init__(
        self,
        database: Database,
        fold: Fold,
        price: Callable[[Close], tuple[int, int] | None] = lambda close: None,
    ) -> None:
        self._database = database
        self._fold = fold
        self._price = price
        self._done: set[tuple[int, int, int, int]] = set()
        self.closed = 0
        self.late = 0

    def settle(self, records: bytes) -> bytes:
        """The records with their closes completed, multiplied or left out."""
        return b"".join(
            out
            for raw in split(records)
            for out in (self._close(raw) if raw[4] == CLOSE else (raw,))
        )

    def _close(self, raw: bytes) -> Iterator[bytes]:
        close = Close.unpack(raw)
        if close.attempt == 0:
            for opened in self._still_open(close.id.generation, close.id.worker):
                yield from self._emit(lost_close(opened, close.wall_ns), opened, raw)
            return
        opened_raw = self._open_record(close)
        if opened_raw is None:
            self.late += 1
            return
        yield from self._emit(close, Open.unpack(opened_raw), raw)

    def _emit(self, close: Close, opened: Open, raw: bytes) -> Iterator[bytes]:
        key = (close.id.generation, close.id.worker, close.id.sequence, close.attempt)
        if key in self._done:
            self.late += 1
            return
        self._done.add(key)
        self.closed += 1
        if close.dims == Dims():
            close.dims = opened.dims
        # Zero is no ceiling that an OPEN ever had: the sweep did not know it.
        close.input_high = max(close.input_low, close.input_high or opened.input_high)
        close.output_high = max(close.output_low, close.output_high or opened.output_high)
        close.started_ns = close.started_ns or opened.wall_ns
        # Where no token is known of, nobody knows what it cost: that is no 0.
        if close.cost_nano_usd is None and any(astuple(close.tokens)):
            close.cost_nano_usd, close.price_version = self._price(close) or (None, 0)
        packed = bytearray(close.pack())
        packed[8:16] = raw[8:16]  # its sequence: the position it came from
        yield bytes(packed)

    def _open_record(self, close: Close) -> bytes | None:
        key = (close.id.generation, close.id.worker, close.id.sequence, close.attempt)
        known = self._fold.find(*key)
        if known is not None and (known[1] or known[0] is not None):
            return None if known[1] else known[0]
        row = self._database.row(
            "SELECT record FROM open WHERE (generation, worker, sequence, attempt) = (?, ?, ?, ?)",
            key[0] + self._database.first, *key[1:],
        )
        return None if row is None else self._fold.as_held(key, row[0])

    def _still_open(self, generation: int, worker: int) -> list[Open]:
        here, closed = self._fold.attempts()
        found = {key[:4]: key[4] for key in here if key[:2] == (generation, worker)}
        rows = self._database.rows(
            "SELECT sequence, attempt, record FROM open WHERE generation = ? AND worker = ?",
            generation + self._database.first, worker,
        )
        gone = set(closed)
        for sequence, attempt, record in rows:
            key = (generation, worker, sequence, attempt)
            if key not in gone:
                found[key] = self._fold.as_held(key, record)
        return [Open.unpack(raw) for key, raw in sorted(found.items()) if key not in self._done]
