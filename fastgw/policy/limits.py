"""Limits as fastgw.limit takes them, and the part of their identity that never changes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

UNIT_NUMBERS = {"requests": 0, "tokens": 1, "input_tokens": 2, "output_tokens": 3}  # fgw_unit
ALGORITHM_NUMBERS = {"token_bucket": 1}


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """``capacity`` units per ``period_ns``. Everything but ``capacity`` is identity."""

    name: str
    unit: str  # requests | tokens | input_tokens | output_tokens
    algorithm: str  # token_bucket
    capacity: int
    period_ns: int
    enforced: bool

    def prefix(self) -> bytes:
        """How this limit begins the row that its buckets' identities are hashed from."""
        name = self.name.encode()
        head = struct.pack(">I", len(name)) + name
        return head + struct.pack(">BBQB", UNIT_NUMBERS[self.unit],
                                  ALGORITHM_NUMBERS[self.algorithm], self.period_ns,
                                  not self.enforced)
