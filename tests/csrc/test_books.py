"""Books: sums of closed attempts, and a worker's cut of its counters.

Method: records as the ledger's Python side packs them, and plain memory.
"""

import ctypes

import pytest

from fastgw.ledger.records import Close, Name, RequestId, Tokens, Units
from tests.csrc.shm_native import library

WORDS = 17
Words = ctypes.c_uint64 * WORDS
Cut = ctypes.c_uint64 * (3 + WORDS)
ALL = 2**64 - 1


def books(*closes, before=ALL):
    raw = b"".join(closes)
    out = Words()
    library().fgw_books_add(out, raw, ctypes.c_size_t(len(raw)), ctypes.c_uint64(before))
    return list(out)


def close(sequence, cost=5, **tokens):
    one = Close(RequestId(1, 0, 1), 7, attempt=1, fate=1, cost_nano_usd=cost,
                tokens=Tokens(**tokens))
    packed = bytearray(one.pack())
    packed[8:16] = sequence.to_bytes(8, "little")
    return bytes(packed)


def test_closes_are_summed_and_nothing_else():
    name = Name(1, 2, 0, "x").pack()
    run = close(8, input=3, output=2), name, close(16, cost=-1, reasoning=9)

    assert books(*run) == [2, 3, 0, 0, 0, 2, 9, 0, 0, 5, 1, *[0] * 6]
    assert books(*run, before=16) == [1, 3, 0, 0, 0, 2, 0, 0, 0, 5, 0, *[0] * 6]
    assert books(close(8)[:-8]) == [0] * WORDS  # not whole


def test_units_and_pictures_are_summed_where_a_record_has_them():
    whole = Close(RequestId(1, 0, 1), 7, fate=1, cost_nano_usd=0,
                  tokens=Tokens(image_input=1, image_output=2), units=Units(3, 4, 5, 6)).pack()
    older = (len(whole) - 48).to_bytes(4, "little") + whole[4:-48]

    assert books(whole, whole)[11:] == [2, 4, 6, 8, 10, 12]
    assert books(older, whole)[11:] == [1, 2, 3, 4, 5, 6] and books(older)[0] == 1


def apart(*sides):
    lib = library()
    lib.fgw_books_apart.restype = ctypes.c_uint64
    return lib.fgw_books_apart(*[Words(*side) for side in sides])


def test_what_is_apart_is_the_growth_of_each_word():
    zero, one = [0] * WORDS, list(range(WORDS))

    assert apart(one, zero, one, zero) == apart(one, one, zero, zero) == 0
    assert apart(one, zero, zero, zero) == apart(zero, zero, one, zero) == sum(one)
    more = [word + 1 for word in one]
    assert apart(more, one, one, zero) == sum(abs(1 - word) for word in one)


def test_less_takes_off_word_by_word():
    left = Words(*range(WORDS))
    library().fgw_books_less(left, Words(*[1] * WORDS))

    assert list(left) == [(word - 1) % 2**64 for word in range(WORDS)]


@pytest.mark.parametrize("version", [0, 1, 6, 7])
def test_a_cut_is_read_whole_or_not_at_all(version):
    lib, cut, out = library(), Cut(), Cut()
    cut[0] = version

    assert bool(lib.fgw_cut_read(cut, out)) == (version == 6)
    lib.fgw_cut_write(cut, ctypes.c_uint64(3), ctypes.c_uint64(4096), Words(*range(WORDS)))
    assert lib.fgw_cut_read(cut, out)
    assert list(out)[1:] == [3, 4096, *range(WORDS)]
    cut[0] += 1  # its worker was killed while it wrote
    assert not lib.fgw_cut_read(cut, out)
    lib.fgw_cut_write(cut, ctypes.c_uint64(4), ctypes.c_uint64(0), Words())
    assert lib.fgw_cut_read(cut, out) and out[1] == 4
