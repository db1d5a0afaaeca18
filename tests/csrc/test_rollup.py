"""Roll-ups: sums by minute and dims, open attempts, pages; tables that are too small say so.

Method: ctypes on tables of the test's own size (undefined behaviour traps); the books of `Traffic`
are the oracle for the sums.
"""

import ctypes
import struct
from collections import Counter

from fastgw.ledger.records import UNBOUNDED, Close, Open, Refused, RequestId, Tokens, Units
from tests.csrc.ledger_native import library
from tests.ledger.fabricate import MINUTE, T0, Traffic, dims, request

ROW = struct.Struct("<Q80s3Q8Q7Q6Q")  # struct fgw_rollup


class Tables(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_void_p), ("slots", ctypes.c_void_p), ("slots_count", ctypes.c_uint32),
        ("rows_max", ctypes.c_uint32), ("used", ctypes.c_uint32), ("last", ctypes.c_uint32),
    ]  # fmt: skip


class Rollups:
    def __init__(self, rows: int = 64):
        self._rows = ctypes.create_string_buffer(rows * ROW.size)
        self._slots = ctypes.create_string_buffer(rows * 2 * 4)
        self.table = Tables(
            ctypes.addressof(self._rows), ctypes.addressof(self._slots), rows * 2, rows, 0, 0
        )

    def add(self, record: bytes) -> int:
        return library().fgw_rollups_add(ctypes.byref(self.table), record)

    def rows(self) -> list[tuple]:
        return [ROW.unpack_from(self._rows, at * ROW.size) for at in range(self.table.used)]

    def sum(self) -> Counter:
        names = ("requests", "denied", "attempts", "input")
        return sum(
            (Counter(dict(zip(names, row[2:6], strict=True))) for row in self.rows()), Counter()
        )


def id(number: int) -> RequestId:
    return RequestId(1, 0, number)


def test_sums_equal_the_books_of_the_traffic():
    traffic, rollups = Traffic(11), Rollups()
    for _ in range(3000):
        for record in traffic.one():
            assert rollups.add(record) == 0

    got = rollups.sum()
    assert {name: got[name] for name in got} == {
        name: traffic.books[name] for name in ("requests", "denied", "attempts", "input")
    }


def test_minutes_and_dims_are_kept_apart():
    rollups = Rollups()
    rollups.add(request(id(1), T0 + MINUTE - 1).pack())
    rollups.add(request(id(2), T0 + MINUTE).pack())
    rollups.add(request(id(3), T0, dims=dims("k2")).pack())
    rollups.add(request(id(4), T0, dims=dims(stream=1)).pack())
    rollups.add(request(id(5), T0 + 5).pack())

    counts = sorted((row[0], row[2]) for row in rollups.rows())
    assert counts == [
        (T0 // MINUTE, 1),
        (T0 // MINUTE, 1),
        (T0 // MINUTE, 2),
        (T0 // MINUTE + 1, 1),
    ]


def test_all_classes_and_bounds_are_summed():
    rollups = Rollups()
    tokens = Tokens(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    for number in range(2):
        rollups.add(
            Close(
                id(number),
                T0,
                tokens=tokens,
                units=Units(1, 2, 3, 4),
                input_low=10,
                input_high=20,
                output_low=3,
                output_high=30,
                cost_nano_usd=7,
            ).pack()
        )

    (row,) = rollups.rows()
    assert row[5:13] == (2, 4, 6, 8, 10, 12, 14, 16)
    assert row[13:20] == (20, 40, 6, 60, 0, 14, 0)
    assert row[20:] == (18, 20, 2, 4, 6, 8)


def test_what_is_unknown_is_counted_apart_and_spoils_no_sum():
    rollups = Rollups()
    rollups.add(Close(id(1), T0, output_low=3, output_high=UNBOUNDED, cost_nano_usd=None).pack())
    rollups.add(Close(id(2), T0, output_high=9).pack())

    (row,) = rollups.rows()
    assert row[15:20] == (3, 3 + 9, 1, 0, 2)


def test_absurd_numbers_do_not_overflow_the_sums_of_others():
    rollups = Rollups()
    for number in range(100):
        rollups.add(
            Close(
                id(number),
                T0,
                tokens=Tokens(input=2**64 - 1),
                cost_nano_usd=2**63 - 1,
            ).pack()
        )

    (row,) = rollups.rows()
    assert row[5] == 100 * 2**48 and row[18] == 100 * 2**48


def test_what_clients_wrote_is_no_bound_beyond_what_a_report_may_say():
    """2^23 aborts with max_tokens of 2^40 would be more than a store's signed sums hold."""
    rollups = Rollups()
    for number, high in enumerate((2**32, 2**32 + 1, 2**40, 2**48 - 1)):
        rollups.add(Close(id(number), T0, input_low=1, input_high=7, output_low=3,
                          output_high=high).pack())

    (row,) = rollups.rows()
    assert row[13:18] == (4, 28, 12, 2**32 + 3 * 3, 3)
    assert row[16] < 2**63 // 2**29


def test_counted_refusals_are_requests_that_were_denied():
    rollups = Rollups()
    rollups.add(Refused(id(1), T0, rule=5, account=dims().account, code=301, count=1000).pack())

    assert rollups.sum() == {"requests": 1000, "denied": 1000}


def test_a_table_that_is_full_says_so_and_counts_nothing():
    rollups = Rollups(rows=8)
    results = [rollups.add(request(id(n), T0 + n * MINUTE).pack()) for n in range(10)]

    assert results == [0] * 8 + [-2] * 2
    assert rollups.sum()["requests"] == 8
    assert rollups.add(request(id(1), T0).pack()) == 0


def test_attempts_cancel_within_a_pass_whatever_the_order():
    lib = library()
    rows, slots = ctypes.create_string_buffer(32 * 32), ctypes.create_string_buffer(64 * 4)
    table = Tables(ctypes.addressof(rows), ctypes.addressof(slots), 64, 32, 0, 0)

    def note(record: bytes) -> int:
        return lib.fgw_attempts_note(ctypes.byref(table), record, ctypes.c_uint64(0))

    def state(number: int) -> int:
        raw = bytearray(16)
        struct.pack_into("<IHHQ", raw, 0, 1, 0, 0, number)
        row = lib.fgw_attempts_find(ctypes.byref(table), bytes(raw), ctypes.c_uint8(1))
        return ctypes.string_at(row + 25, 1)[0] if row else 0

    assert [note(Open(id(1), T0).pack()), note(Close(id(2), T0).pack())] == [0, 0]
    assert [state(1), state(2), state(3)] == [1, 2, 0]
    assert [note(Close(id(1), T0).pack()), note(Open(id(2), T0).pack())] == [0, 0]
    assert [state(1), state(2)] == [3, 3]
    assert note(Close(id(1), T0).pack()) == 1
    assert [note(Open(id(n), T0).pack()) for n in range(3, 34)] == [0] * 30 + [-2]


class Pages(ctypes.Structure):
    _fields_ = [
        ("pages", ctypes.c_void_p), ("max", ctypes.c_size_t), ("used", ctypes.c_size_t),
        ("recent", ctypes.c_uint8 * 256),
    ]  # fmt: skip


def tally(records: bytes, room: int) -> tuple[int, set]:
    """What fgw_tally_add returned, and the pages."""
    raw, counts = ctypes.create_string_buffer(16 * room), ctypes.create_string_buffer(9 * 8)
    pages = Pages(ctypes.addressof(raw), room)
    result = library().fgw_tally_add(
        counts, records, ctypes.c_size_t(len(records)), ctypes.byref(pages)
    )
    return result, {struct.unpack_from("<IIQ", raw, at * 16) for at in range(pages.used)}


def test_pages_tell_every_request_spoken_of():
    traffic = Traffic(4)
    records = b"".join(raw for _ in range(2000) for raw in traffic.one())

    assert tally(records, 100) == (0, {(1, 0, number >> 8) for number in range(1, 2001)})
    assert tally(records, 2)[0] == -2
    assert tally(records[:50], 9)[0] == -1
