"""One walk over a span: it counts, sums and packs what each of the kernels does alone, and stops
where something is the caller's to do.

Method: ctypes over tables of any size; the kernels alone are the oracle.
"""

import ctypes

from fastgw.ledger.records import (
    HELD,
    NAME,
    NAME_QUOTE,
    OPEN,
    Held,
    LimitTrace,
    Name,
    Open,
    RequestId,
)
from tests.csrc.ledger_native import library
from tests.csrc.test_pack import pack, placed
from tests.csrc.test_rollup import ROW, Pages, Tables
from tests.ledger.fabricate import PACE, Traffic, dims, names, request

END, ROLLUPS, ATTEMPTS, SEEN, BROKEN = 0, 1, 2, 3, -1
ALGORITHM_CAP = 3


class Packer(ctypes.Structure):
    _fields_ = [("end", ctypes.c_void_p), ("before", ctypes.c_void_p),
                ("record", ctypes.c_void_p * 8), ("words", ctypes.c_size_t * 8)]


class Fold(ctypes.Structure):
    _fields_ = [
        ("records", ctypes.c_void_p), ("length", ctypes.c_size_t), ("at", ctypes.c_size_t),
        ("place", ctypes.c_uint64), ("tally", ctypes.c_uint64 * 9), ("capped", ctypes.c_uint64),
        ("pages", Pages), ("packer", Packer), ("out", ctypes.c_void_p),
        ("written", ctypes.c_size_t),
    ]  # fmt: skip


class Walk:
    """One span, with tables of ``rows`` rows and room for ``pages`` pages."""

    def __init__(self, records: bytes, rows: int = 4096, pages: int = 4096):
        self._kept = [ctypes.create_string_buffer(records, len(records) or 1)]
        self.fold = Fold(self._address(), len(records))
        self._kept.append(ctypes.create_string_buffer(16 * pages))
        self.fold.pages = Pages(self._address(), pages)
        self._kept.append(ctypes.create_string_buffer(len(records) * 5 // 4 + 64))
        self.fold.out = self._address()
        self.rollups, self.attempts = self._table(rows, ROW.size), self._table(rows, 32)
        self.stops: list[int] = []
        self.seen: list[int] = []
        library().fgw_fold_begin(ctypes.byref(self.fold))

    def _address(self) -> int:
        return ctypes.addressof(self._kept[-1])

    def _table(self, rows: int, size: int) -> Tables:
        self._kept.append(ctypes.create_string_buffer(rows * size))
        memory = self._address()
        self._kept.append(ctypes.create_string_buffer(2 * rows * 4))
        return Tables(memory, self._address(), 2 * rows, rows, 0, 0)

    def run(self) -> int:
        """Until it ends, or stops for another reason than to show a record."""
        seen = ctypes.c_size_t()
        while True:
            stop = library().fgw_fold_run(
                ctypes.byref(self.fold), ctypes.byref(self.rollups), ctypes.byref(self.attempts),
                ctypes.byref(seen))
            if stop != SEEN:
                return stop
            self.seen.append(self._kept[0].raw[seen.value + 4])

    @property
    def packed(self) -> bytes:
        return ctypes.string_at(self.fold.out, self.fold.written)


def span(count: int = 200) -> tuple[Traffic, bytes]:
    traffic = Traffic(9)
    return traffic, placed(names() + [raw for _ in range(count) for raw in traffic.one()])


def test_it_counts_sums_and_packs_as_each_does_alone():
    traffic, records = span()
    walk = Walk(records)

    assert walk.run() == END and walk.packed == pack(records)
    assert list(walk.fold.tally)[1:5] == [
        traffic.books["requests"], traffic.books["denied"], traffic.books["attempts"],
        traffic.books["attempts"],
    ]
    rows = [ROW.unpack_from(ctypes.string_at(walk.rollups.rows, walk.rollups.used * ROW.size),
                            at * ROW.size) for at in range(walk.rollups.used)]
    assert sum(row[2] for row in rows) == traffic.books["requests"]
    assert sum(row[4] for row in rows) == traffic.books["attempts"]
    assert walk.attempts.used == traffic.books["attempts"]
    assert walk.fold.pages.used == 1 and walk.fold.capped == 0


def test_what_a_full_table_stopped_goes_on_in_a_larger_one_and_counts_once():
    traffic, records = span()
    walk, larger = Walk(records, rows=1), Walk(b"", rows=4096)
    stops = []
    while (stop := walk.run()) != END:
        stops.append(stop)
        which, reseat = (("rollups", library().fgw_rollups_reseat) if stop == ROLLUPS
                         else ("attempts", library().fgw_attempts_reseat))
        old, new = getattr(walk, which), getattr(larger, which)
        size = ROW.size if stop == ROLLUPS else 32
        ctypes.memmove(new.rows, old.rows, old.used * size)
        new.used = old.used
        reseat(ctypes.byref(new))
        setattr(walk, which, new)

    assert sorted(stops) == [ROLLUPS, ATTEMPTS]
    whole = Walk(records)
    whole.run()
    for one, other, size in ((walk.rollups, whole.rollups, ROW.size),
                             (walk.attempts, whole.attempts, 32)):
        assert (ctypes.string_at(one.rows, one.used * size)
                == ctypes.string_at(other.rows, other.used * size))
    assert walk.packed == whole.packed and list(walk.fold.tally) == list(whole.fold.tally)


def test_it_shows_names_that_are_not_one_request_s_and_what_is_held():
    id = RequestId(1, 0, 1)
    walk = Walk(placed([
        Name(2, 5, 0, "gpt-4o").pack(), request(id).pack(), Open(id, 1, dims=dims()).pack(),
        Held(id, 2, 1, 9, [(*PACE, 3)]).pack(), Name(NAME_QUOTE, 1, 0, "{}", id).pack(),
    ]))

    assert walk.run() == END and walk.seen == [NAME, HELD]
    assert walk.attempts.used == 1 and OPEN not in walk.seen


def test_requests_that_took_of_a_cap_are_counted():
    def of(algorithm: int, verdict: int, denied: int = 0) -> bytes:
        limits = [LimitTrace(PACE, 1), LimitTrace(PACE, 2, algorithm=algorithm, verdict=verdict)]
        return request(RequestId(1, 0, 1), limits=limits, verdict=denied).pack()

    walk = Walk(placed([of(ALGORITHM_CAP, 1), of(ALGORITHM_CAP, 2), of(ALGORITHM_CAP, 1, 1),
                        of(1, 1), of(ALGORITHM_CAP, 1)]))
    assert walk.run() == END and walk.fold.capped == 2


def test_bytes_that_are_no_records_and_pages_without_room_break_it_off():
    _, records = span(3)
    assert Walk(records[:-8]).run() == BROKEN
    assert Walk(b"\0" * 48).run() == BROKEN
    assert Walk(records, pages=0).run() == BROKEN
