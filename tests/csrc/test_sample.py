"""Sample: of a text that passes, what is kept is the same however it came.

Method: the kernel by ctypes beside slices of the whole text; texts of one and of three bytes a
character, whole, byte by byte, in pieces; and as streams have it, where events begin that are not
heard at all.
"""

import ctypes
import random

import pytest

from tests.csrc.test_writing import library

FIRST, WINDOW, MOST = 512, 256, 2048


class Sample(ctypes.Structure):
    _fields_ = [("at", ctypes.c_uint64), ("next", ctypes.c_uint64), ("left", ctypes.c_uint16),
                ("length", ctypes.c_uint16), ("fresh", ctypes.c_uint8),
                ("bytes", ctypes.c_uint8 * MOST)]

    def hear(self, *pieces: bytes) -> "Sample":
        for piece in pieces:
            library().fgw_sample_hear(ctypes.byref(self), piece, ctypes.c_size_t(len(piece)))
        return self

    @property
    def kept(self) -> bytes:
        return bytes(self.bytes[:self.length])


def begun() -> Sample:
    return Sample(left=FIRST)  # fgw_sample_start


def cuts(raw: bytes):
    yield [raw]
    yield [raw[at:at + 1] for at in range(len(raw))]
    chance = random.Random(7)
    for count in (1, 5, 100):
        marks = sorted(chance.randrange(len(raw) + 1) for _ in range(count))
        yield [raw[a:b] for a, b in zip([0, *marks], [*marks, len(raw)], strict=True)]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1023, 1024, 1025, 1280, 1281, 5000, 70000])
def test_windows_are_where_they_are_said_to_be(size):
    raw = bytes(random.Random(size).choices(range(0x20, 0x7F), k=size))
    expected, at = raw[:FIRST], 2 * FIRST
    while at < size and len(expected) + WINDOW <= MOST:
        expected += raw[at:at + WINDOW]
        at *= 2
    for pieces in cuts(raw):
        sample = begun().hear(*pieces)
        assert sample.kept == expected and sample.at == size


def test_no_half_of_a_character_is_kept():
    for lead in range(4):
        raw = b"x" * lead + ("网é😀" * 3000).encode()
        alike = {begun().hear(*pieces).kept for pieces in cuts(raw)}
        assert len(alike) == 1
        kept = alike.pop()
        assert len(kept) > 1700 and kept.decode()
        assert all(kept[at:at + 9].decode(errors="ignore") for at in range(0, len(kept), 100))


def test_events_that_are_not_heard_are_passed_over():
    """A relay says where each event's text stands, and lets hear what begins where it listens."""
    raw = bytes(random.Random(3).choices(range(0x20, 0x7F), k=40_000))
    sample, at, heard = begun(), 0, 0
    for size in random.Random(4).choices(range(1, 30), k=2000):
        sample.at = at
        if at >= sample.next:
            sample.hear(raw[at:at + size])
            heard += 1
        at += size
    assert FIRST + 4 * WINDOW <= sample.length <= MOST and heard < 200
    kept, place = sample.kept, 0
    while kept:  # all of it is of the text, in order, in runs of a window at least
        length = next(n for n in (FIRST, WINDOW, len(kept))
                      if n <= len(kept) and raw.find(kept[:n], place) >= 0)
        place = raw.find(kept[:length], place) + length
        kept = kept[length:]
