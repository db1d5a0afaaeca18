"""Hold: what a running request leaves for a sweeper to read.

Method: the kernel is called on plain memory; offsets are those of the diagram in fgw_hold.h, which
two builds of fastgw on one segment must agree on.
"""

import ctypes
import struct

from tests.csrc.shm_native import library, u64

SIZE, PROGRESS = 896, 64


class Hold:
    def __init__(self):
        self.lib = library()
        self._memory = ctypes.create_string_buffer(SIZE + 64)
        self.base = -(-ctypes.addressof(self._memory) // 64) * 64

    def call(self, name, *args):
        return getattr(self.lib, f"fgw_hold_{name}")(ctypes.c_void_p(self.base), *args)

    def begin(self, generation=3, worker=2, sequence=9):
        self.call("begin", struct.pack("<IHHQ", generation, worker, 0, sequence), u64(77))

    def bytes(self, at, n):
        return ctypes.string_at(self.base + at, n)

    def poke(self, at, *words):
        ctypes.memmove(self.base + at, struct.pack(f"<{len(words)}Q", *words), 8 * len(words))

    def progress(self):
        seen = (ctypes.c_uint64 * 8)()
        self.call("read_progress", seen)
        return list(seen)


def test_a_hold_begins_empty_whatever_it_held():
    hold = Hold()
    ctypes.memset(hold.base, 0xAA, SIZE)

    hold.begin()

    assert hold.call("is_live") == 1 and hold.call("is_open") == 0
    assert struct.unpack("<IBBBBIHHQQ", hold.bytes(0, 32)) == (1, 0, 0, 0, 0, 3, 2, 0, 9, 77)
    assert hold.bytes(32, 224) == bytes(224)


def test_an_attempt_is_open_from_its_open_to_its_close():
    hold = Hold()
    hold.begin()
    assert hold.call("is_open") == 0

    hold.call("opening", 1, u64(80), u64(33))
    assert hold.call("is_open") == 1 and hold.bytes(4, 1) == b"\1"
    assert hold.bytes(240, 8) == struct.pack("<Q", 33)
    hold.call("closing", u64(55))
    assert hold.call("is_open") == 1 and hold.bytes(56, 8) == struct.pack("<Q", 55)
    hold.call("closed")

    assert hold.call("is_open") == 0 and hold.call("is_live") == 1
    hold.call("end")
    assert hold.call("is_live") == 0


def test_a_new_attempt_counts_anew_and_keeps_what_the_earlier_used():
    hold = Hold()
    hold.begin()
    hold.call("open", 1, u64(80))
    hold.poke(PROGRESS, 100, 20, 3, 400, 500, 600)
    hold.call("closed")

    hold.call("open", 2, u64(90))

    assert hold.progress() == [0, 0, 0, 0, 0, 0, 100, 20]
    hold.poke(PROGRESS, 7, 8)
    hold.call("open", 3, u64(95))
    assert hold.progress() == [0, 0, 0, 0, 0, 0, 107, 28]


def test_reset_leaves_nothing():
    hold = Hold()
    ctypes.memset(hold.base, 0xAA, SIZE)

    hold.call("reset")

    assert hold.bytes(0, SIZE) == bytes(SIZE)
