"""Spans: what is stored already is left out, to the record.

Method: one span with records at known positions, trimmed at every position.
"""

import struct

from fastgw.ledger.fold import pack
from fastgw.ledger.records import head, split
from fastgw.ledger.ring import SUPERVISOR
from fastgw.ledger.span import Span
from tests.ledger.fabricate import Traffic


def test_after_keeps_exactly_the_records_at_or_behind_a_position():
    traffic, records, position = Traffic(8), [], 64
    for _ in range(5):
        for raw in traffic.one():
            placed = bytearray(raw)
            struct.pack_into("<Q", placed, 8, position)
            records.append(bytes(placed))
            position += len(raw)
    whole = b"".join(records)
    span = Span(1, 0, 0, 64, position, whole, pack(whole))

    for at in range(0, position + 64, 8):
        rest = span.after(at)
        expected = [raw for raw in records if head(raw).sequence >= at]
        if at >= position:
            assert rest is None
        else:
            assert list(split(rest.records)) == expected
            assert (rest.first, rest.next) == (max(at, 64), position)
            assert rest.packed in (b"", pack(rest.records)), "of what is left, or of nothing"


def test_the_supervisors_slot_is_known():
    assert Span(1, SUPERVISOR, 0, 0, 0, b"").from_supervisor
    assert not Span(1, 0, 0, 0, 0, b"").from_supervisor
