"""A span: whole records of one ring, on their way to the store or the spill log."""

from __future__ import annotations

from dataclasses import dataclass

from fastgw.ledger.records import head, split
from fastgw.ledger.ring import SUPERVISOR


@dataclass(slots=True)
class Span:
    """Records at positions [first, next) of a ring, paddings left out."""

    ring: int
    slot: int
    lane: int
    first: int
    next: int
    records: bytes
    packed: bytes = b""  # the same, as the store has them, where somebody packed them already

    @property
    def from_supervisor(self) -> bool:
        return self.slot == SUPERVISOR

    def after(self, position: int) -> Span | None:
        """What of it is not stored yet, when everything before ``position`` is; None: nothing."""
        if position >= self.next:
            return None
        if position <= self.first:
            return self
        kept = [raw for raw in split(self.records) if head(raw).sequence >= position]
        return Span(self.ring, self.slot, self.lane, position, self.next, b"".join(kept))
