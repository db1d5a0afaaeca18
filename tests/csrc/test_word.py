"""Counted word: whose change happened can be told after any crash.

Method: the C functions, one by one. The protocol as a whole is stepped through all interleavings
in test_word_model.py, raced in test_limit.py.
"""

import ctypes

from tests.csrc.shm_native import library, u64


class Word:
    """A word of the C kernel, with done[] for three workers."""

    def __init__(self):
        self.lib = library()
        self._memory = ctypes.create_string_buffer(64 * 6)
        base = -(-ctypes.addressof(self._memory) // 64) * 64
        self.at, self._dones = ctypes.c_void_p(base), base + 64
        self.dones = (ctypes.c_uint64 * 2)(base + 64, 3)  # struct fgw_dones, by value
        self.value = ctypes.c_uint64(0)

    class Dones(ctypes.Structure):
        _fields_ = [("of", ctypes.c_void_p), ("n", ctypes.c_uint32)]

    def call(self, name, *args):
        dones = self.Dones(self._dones, 3)
        return getattr(self.lib, f"fgw_word_{name}")(self.at, dones, *args)

    def add(self, amount, limit, tag):
        return self.call("add", u64(amount), u64(limit), u64(tag), ctypes.byref(self.value))

    def settle(self, before, after, tag):
        return self.call("settle", u64(before), u64(after), u64(tag), ctypes.byref(self.value))

    def happened(self, tag):
        return self.call("happened", u64(tag))

    def now(self):
        return self.lib.fgw_word_value(self.at)


def tag(slot, seq):
    return (slot + 1) << 48 | seq


def test_add_stops_at_the_limit_and_says_what_stands_in_the_way():
    word = Word()

    assert [word.add(3, 7, tag(0, seq)) for seq in (1, 2, 3)] == [0, 0, -1]
    assert (word.value.value, word.now()) == (6, 6)
    assert word.add(2**64 - 1, 7, tag(0, 4)) == -1
    assert word.add(0, 5, tag(0, 5)) == -1, "over a limit that was lowered nothing passes"


def test_settle_books_an_overrun_and_never_falls_below_zero():
    word = Word()
    word.add(5, 10, tag(0, 1))

    assert word.settle(5, 12, tag(0, 2)) == 0 and word.now() == 12
    assert word.settle(100, 1, tag(0, 3)) == 0 and word.now() == 1
    assert word.settle(1, 2**64 - 1, tag(0, 4)) == 0
    assert word.settle(0, 2**64 - 1, tag(0, 5)) == 0 and word.now() == 2**64 - 1


def test_a_change_has_happened_while_its_tag_stands_and_after_it_was_overwritten():
    word = Word()
    word.add(1, 9, tag(1, 7))
    assert word.happened(tag(1, 7)) == 1
    assert word.happened(tag(1, 8)) == 0
    assert word.happened(tag(2, 7)) == 0

    word.add(1, 9, tag(0, 1))

    assert word.happened(tag(1, 7)) == 1
    assert word.happened(tag(1, 8)) == 0


def test_tags_of_owners_that_do_not_exist_are_harmless():
    word = Word()
    word.add(1, 9, 0xFFFE << 48 | 5)

    assert word.add(1, 9, tag(0, 1)) == 0
    assert word.happened(0xFFFE << 48 | 5) == 0


def test_a_word_is_buried_only_at_zero_and_is_not_revived():
    word = Word()
    word.add(1, 9, tag(0, 1))
    assert word.call("bury") == 0
    word.settle(1, 0, tag(0, 2))

    assert word.call("bury") == 1
    assert word.add(1, 9, tag(0, 3)) == -2
    assert word.settle(1, 0, tag(0, 4)) == -2
    assert word.happened(tag(0, 2)) == 1, "it stood there when the word was buried"


def test_the_word_of_a_window_that_is_over_ends_whatever_it_held():
    word = Word()
    word.add(5, 9, tag(1, 4))

    assert word.call("end") == 1 and word.call("end") == 0
    assert word.add(1, 9, tag(0, 1)) == -2
    assert word.call("set", u64(3), u64(tag(0, 2))) == -2
    assert word.happened(tag(1, 4)) == 1, "it was noted before it was overwritten"


def test_set_puts_any_value_in_its_owners_name():
    word = Word()
    word.add(5, 9, tag(1, 4))

    assert word.call("set", u64(77), u64(tag(2, 1))) == 0
    assert word.now() == 77
    assert word.happened(tag(1, 4)) == word.happened(tag(2, 1)) == 1
