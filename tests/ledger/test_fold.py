"""Fold: sums of one pass, open attempts, names; its tables grow without losing a count.

Method: the books of `Traffic` are the oracle.
"""

import pytest

from fastgw.errors import LedgerError
from fastgw.ledger.fold import Fold, pack, tally_of, unpack
from fastgw.ledger.records import NAME_REQUEST, Close, Name, Open, RequestId
from tests.ledger.fabricate import MINUTE, T0, Traffic, dims, names, request


def id(number: int) -> RequestId:
    return RequestId(1, 0, number)


def test_a_tally_counts_a_span():
    traffic = Traffic(5)
    records = [*names(), *(raw for _ in range(500) for raw in traffic.one())]
    tally = Fold().add(b"".join(records))

    assert tally.records == len(records)
    assert (tally.requests, tally.denied) == (traffic.books["requests"], traffic.books["denied"])
    assert tally.opens == tally.closes == traffic.books["attempts"]
    assert tally.pages == {(1, 0, 0), (1, 0, 1)}
    assert len(tally.names) == len(names())
    assert T0 < tally.wall_first < tally.wall_last <= T0 + 500 * 10**6 + 5000


def test_tables_grow_and_forget_nothing():
    fold = Fold()
    for start in range(0, 10_000, 1000):
        fold.add(
            b"".join(
                request(id(n), T0 + n * MINUTE, rules=[], limits=[]).pack()
                + Open(id(n), T0, dims=dims()).pack()
                for n in range(start + 1, start + 1001)
            )
        )

    rows, (opened, closed) = fold.rollups(), fold.attempts()
    assert len({row[1] for row in rows}) == len(rows) == 10_000
    assert sum(row[2] for row in rows) == 10_000
    assert len(opened) == 10_000 and not closed
    assert all(Open.unpack(one[4]).id == id(one[2]) for one in opened)


def test_attempts_open_and_closed_in_one_pass_leave_no_trace():
    fold = Fold()
    fold.add(Open(id(1), T0).pack() + Open(id(2), T0).pack())
    fold.add(Close(id(1), T0).pack() + Close(id(3), T0, attempt=2).pack())

    opened, closed = fold.attempts()
    assert [one[:4] for one in opened] == [(1, 0, 2, 1)]
    assert closed == [(1, 0, 3, 2)]


def test_find_tells_what_a_pass_knows_of_an_attempt():
    fold = Fold()
    fold.add(
        Open(id(1), T0, input_high=9).pack() + Open(id(2), T0).pack() + Close(id(2), T0).pack()
    )

    raw, closed = fold.find(1, 0, 1, 1)
    assert Open.unpack(raw).input_high == 9 and not closed
    assert fold.find(1, 0, 2, 1)[1]
    assert fold.find(1, 0, 1, 2) is None and fold.find(2, 0, 1, 1) is None


def test_clear_forgets_all():
    fold = Fold()
    fold.add(request(id(1)).pack() + Open(id(1), T0).pack())
    fold.clear()

    assert fold.rollups() == [] and fold.attempts() == ([], [])
    assert fold.find(1, 0, 1, 1) is None


def test_names_are_collected_but_for_those_of_single_requests():
    tally = Fold().add(
        Name(2, 2**64 - 5, 0, "gpt-4o").pack() + Name(NAME_REQUEST, 9, 0, "abc", id(1)).pack()
    )

    assert tally.names == [(2, -5, 0, b"gpt-4o")]


def test_bytes_that_are_no_records_are_an_error():
    with pytest.raises(ValueError):
        Fold().add(b"\1" * 48)
    with pytest.raises(ValueError):
        tally_of(request(id(1)).pack()[:-8])
    with pytest.raises(ValueError):
        pack(b"\0" * 48)
    with pytest.raises(LedgerError):
        unpack(b"\0" * 48)
