"""Rows of attempts in COPY's binary form: what a CLOSE says, in 8 bytes each, or NULL.

Method: decoded here by hand; tests/ledger/test_postgres.py has a server's word for it.
"""

import struct
from dataclasses import replace

import pytest

from fastgw.ledger.attempts import NAMES, attempt_rows
from fastgw.ledger.records import UNBOUNDED, Close, Open, RequestId, Tokens, Units
from tests.ledger.fabricate import T0, close, dims, request


def decoded(rows: bytes) -> list[dict]:
    found, at = [], 0
    while at < len(rows):
        (columns,) = struct.unpack_from(">h", rows, at)
        assert columns == len(NAMES)
        at, row = at + 2, []
        for _ in range(columns):
            (size,) = struct.unpack_from(">i", rows, at)
            at += 4
            row.append(None if size == -1 else struct.unpack_from(">q", rows, at)[0])
            at += max(0, size)
        found.append(dict(zip(NAMES, row, strict=True)))
    return found


def test_every_close_and_nothing_else_is_a_row():
    id = RequestId(7, 3, 99)
    one = close(id, attempt=2, tokens=Tokens(1, 2, 3, 4, 5, 6, 7, 8), overrun_nano_usd=12)
    records = request(id).pack() + Open(id, T0, 2, dims()).pack() + one.pack() + close(id).pack()
    first, second = decoded(attempt_rows(records, 1 << 40, 17))

    assert (first["generation"], first["worker"], first["sequence"]) == ((1 << 40) + 7, 3, 99)
    assert (first["attempt"], first["batch"], second["attempt"]) == (2, 17, 1)
    assert [first[name] for name in (
        "input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning",
        "audio_input", "audio_output")] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert first["model"] % 2**64 == dims().model and first["overrun_nano_usd"] == 12
    assert attempt_rows(b"", 0, 1) == b""


def test_what_is_not_known_is_null():
    one = Close(RequestId(1, 0, 1), T0, output_high=UNBOUNDED, cost_nano_usd=None)
    (row,) = decoded(attempt_rows(one.pack(), 0, 1))
    assert row["output_high"] is None and row["cost_nano_usd"] is None


def test_a_close_of_an_older_build_has_no_overrun_in_money():
    raw = bytearray(close(RequestId(1, 0, 1), overrun_nano_usd=5).pack())
    del raw[-48:]  # its units
    raw[:4] = len(raw).to_bytes(4, "little")
    (row,) = decoded(attempt_rows(bytes(raw), 0, 1))
    assert row["overrun_nano_usd"] == 5 and row["searches"] == 0
    del raw[-64 - 8 : -64]
    raw[:4] = len(raw).to_bytes(4, "little")
    (row,) = decoded(attempt_rows(bytes(raw), 0, 1))
    assert row["overrun_nano_usd"] == 0 and row["input"] == 10


def test_tier_pictures_and_units_have_columns():
    one = close(RequestId(1, 0, 1), dims=replace(dims(), tier=2),
                tokens=Tokens(image_input=1, image_output=2), units=Units(3, 4, 5, 6))
    (row,) = decoded(attempt_rows(one.pack(), 0, 1))
    assert [row[name] for name in NAMES[-9:-2]] == [2, 1, 2, 3, 4, 5, 6]


def test_half_a_record_is_an_error():
    with pytest.raises(ValueError):
        attempt_rows(bytes(16), 0, 1)


def test_how_a_number_was_found_has_columns():
    one = close(RequestId(1, 0, 1), input_basis=5, output_basis=2 | 8 | 1 << 4)
    (row,) = decoded(attempt_rows(one.pack(), 0, 1))
    assert (row["input_basis"], row["output_basis"]) == (5, 26)
