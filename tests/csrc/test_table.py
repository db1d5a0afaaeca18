"""Table: keys to cells, each key in one place, whoever inserts and however far he came.

Method: one process here (the race is in test_limit.py): groups are filled, entries left half-made
as a killed worker leaves them, buried, and freed.
"""

import ctypes
import random

import pytest

from tests.csrc.shm_native import library, u64

GROUP, WAYS, FULL, NONE = 512, 14, -1, -1
PACE, SLOTS, CAP = 1, 2, 3


class Table(ctypes.Structure):
    _fields_ = [("groups", ctypes.c_void_p), ("n_groups", ctypes.c_uint32)]

    class Dones(ctypes.Structure):
        _fields_ = [("of", ctypes.c_void_p), ("n", ctypes.c_uint32)]

    def __init__(self, n_groups):
        self.memory = ctypes.create_string_buffer(GROUP * (n_groups + 1))
        base = -(-ctypes.addressof(self.memory) // GROUP) * GROUP
        super().__init__(base, n_groups)
        self.offset = base - ctypes.addressof(self.memory)
        self.lib, self.inserted = library(), 0

    def insert(self, key, kind=PACE << 4):
        flag = ctypes.c_int(7)
        entry = self.lib.fgw_table_insert(ctypes.byref(self), pair(key), kind, 0,
                                          ctypes.byref(flag))
        self.inserted = flag.value
        return entry

    def find(self, key):
        return self.lib.fgw_table_find(ctypes.byref(self), pair(key))

    def read(self, entry):
        key, kind, span = pair((0, 0)), ctypes.c_uint8(), ctypes.c_uint16()
        said = self.lib.fgw_table_read(ctypes.byref(self), u64(entry), key, ctypes.byref(kind),
                                       ctypes.byref(span))
        return (tuple(key), kind.value) if said else None

    def cell(self, entry):
        at = self.lib.fgw_table_cell(ctypes.byref(self), u64(entry))
        return (ctypes.c_uint64 * 2).from_address(at) if at else None

    def bury(self, entry, now=10):
        return self.lib.fgw_table_bury(ctypes.byref(self), self.Dones(None, 0), u64(entry),
                                       u64(now), u64(now))

    def call(self, name, entry):
        return getattr(self.lib, f"fgw_table_{name}")(ctypes.byref(self), u64(entry))

    def poke(self, offset, raw):
        self.memory[self.offset + offset:self.offset + offset + len(raw)] = raw


def pair(key):
    return (ctypes.c_uint64 * 2)(*key)


def keys(n, seed=3):
    dice = random.Random(seed)
    return [(dice.getrandbits(64), dice.getrandbits(64)) for _ in range(n)]


def test_what_is_inserted_is_found_and_only_once_new():
    table = Table(64)
    for key in keys(200):
        assert table.find(key) == NONE
        entry = table.insert(key)
        assert table.inserted == 1
        assert (table.insert(key), table.inserted) == (entry, 0)
        assert table.find(key) == entry
        assert table.read(entry) == (key, PACE << 4)
    assert sum(table.read(entry) is not None for entry in range(64 * WAYS)) == 200


def test_a_full_group_says_so_and_keeps_what_it_has():
    table = Table(1)
    first = keys(WAYS)
    entries = [table.insert(key) for key in first]

    assert sorted(entries) == list(range(WAYS))
    assert table.insert((1, 1)) == FULL
    assert [table.find(key) for key in first] == entries


def test_keys_of_one_tag_share_a_group():
    table = Table(1)
    same_tag = [(low, 254 * 5) for low in range(1, 10)]

    entries = [table.insert(key) for key in same_tag]

    assert len(set(entries)) == 9
    assert [table.find(key) for key in same_tag] == entries


def test_the_key_of_zeroes_is_no_key():
    assert Table(1).insert((0, 0)) == FULL


def test_a_tag_that_a_killed_worker_claimed_is_filled_by_the_next_of_that_tag():
    table = Table(1)
    table.poke(3, bytes([2 + 7]))  # place 3, claimed for a key that never came

    assert table.insert((5, 8)) == 0
    assert table.insert((5, 7)) == 3
    assert table.find((5, 7)) == 3


def test_a_kind_that_a_killed_worker_did_not_write_is_written_by_the_next():
    table = Table(1)
    entry = table.insert((5, 7), 0)
    assert table.read(entry) == ((5, 7), 0)

    table.insert((5, 7), SLOTS << 4 | 5)

    assert table.read(entry) == ((5, 7), SLOTS << 4 | 5)


def test_entries_out_of_bounds_are_nothing():
    table = Table(2)
    for entry in (2 * WAYS, 2**32, 2**64 - 1):
        assert table.cell(entry) is None and table.read(entry) is None
        assert table.bury(entry) == 0 and table.call("is_leaving", entry) == 0
        table.call("free_buried", entry)


@pytest.mark.parametrize("kind, cell", [
    (PACE, (11, 0)), (SLOTS, (1, 0)), (CAP, (0, 0)), (0, (0, 0))])
def test_what_is_in_use_is_not_buried(kind, cell):
    table = Table(1)
    entry = table.insert((5, 7), kind << 4)
    table.cell(entry)[:] = cell

    assert table.bury(entry, now=10) == 0
    assert table.find((5, 7)) == entry


@pytest.mark.parametrize("kind, cell", [(PACE, (10, 0)), (SLOTS, (0, 1 << 48 | 9))])
def test_what_is_as_zeroed_is_buried_and_its_place_freed(kind, cell):
    table = Table(1)
    entry = table.insert((5, 7), kind << 4)
    table.cell(entry)[:] = cell

    assert table.bury(entry, now=10) == 1
    assert table.find((5, 7)) == NONE and table.call("is_leaving", entry) == 1
    again = table.insert((5, 7), kind << 4)
    assert again != entry and table.inserted == 1, "a new place: the old one may be in use yet"
    table.call("free_buried", entry)

    assert tuple(table.cell(entry)) == (0, 0) and table.call("is_leaving", entry) == 0
    assert table.find((5, 7)) == again
    assert table.insert((5, 9), PACE << 4) == entry


def test_a_worker_that_meets_a_buried_cell_helps_it_out():
    """The supervisor may die between burying the cell and tagging it."""
    table = Table(1)
    entry = table.insert((5, 7))
    table.cell(entry)[0] = 2**64 - 1
    assert table.find((5, 7)) == entry and table.call("is_leaving", entry) == 1

    table.call("leave", entry)

    assert table.find((5, 7)) == NONE
    table.call("leave", table.insert((6, 7)))
    assert table.find((6, 7)) != NONE, "what is not buried stays"
