"""Table: keys to cells, each key in one place, whoever inserts and however far he came.

Method: one process here (races are in test_limit.py, all interleavings in test_table_model.py):
groups are filled, entries left half-made as a killed worker leaves them, buried, and freed.
table_kill.c lets processes die after any swap, table_steps.c takes the kernel's insertions through
random orders of their steps, table_million.c fills a table to the last.
"""

import ctypes
import random
import subprocess

import pytest

from tests.csrc.shm_native import ROOT, SOURCES, STRICT, library, program, run, u64

GROUP, WAYS, FULL, NONE = 512, 14, -1, -1
PACE, SLOTS, CAP = 1, 2, 3
LEAVING, COMING = 1, 2
HOME_FIRST = 10  # so many places of a home are taken whatever the other group's crowd
SEED = 20261121


class Table(ctypes.Structure):
    _fields_ = [("groups", ctypes.c_void_p), ("secret", ctypes.c_uint64 * 2),
                ("n_groups", ctypes.c_uint32)]

    class Dones(ctypes.Structure):
        _fields_ = [("of", ctypes.c_void_p), ("n", ctypes.c_uint32)]

    def __init__(self, n_groups, secret=(41, 43)):
        self.memory = ctypes.create_string_buffer(GROUP * (n_groups + 1))
        base = -(-ctypes.addressof(self.memory) // GROUP) * GROUP
        super().__init__(base, secret, n_groups)
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

    def groups_of(self, key):
        """(home, other), as fgw_table.c scatters keys."""
        product = (key[0] ^ self.secret[0]) * (key[1] ^ self.secret[1])
        high, low = divmod((product ^ product >> 64) & 2**64 - 1, 2**32)
        home = high * self.n_groups >> 32
        others = self.n_groups - 1
        return home, (home + 1 + (low * others >> 32)) % self.n_groups if others else home

    def tags(self, group):
        at = self.offset + group * GROUP
        return list(self.memory[at:at + WAYS])

    def poke(self, offset, raw):
        self.memory[self.offset + offset:self.offset + offset + len(raw)] = raw


def pair(key):
    return (ctypes.c_uint64 * 2)(*key)


def keys_of(table, home, other, n):
    """So many keys with these two groups."""
    return [key for key in keys(n * table.n_groups**2 * 2)
            if table.groups_of(key) == (home, other)][:n]


def tag_of(key):
    return 3 + ((key[1] & 0xFFFF) * 253 >> 16)


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


@pytest.mark.parametrize("groups", [1, 2])
def test_a_full_table_says_so_and_keeps_what_it_has(groups):
    table = Table(groups)
    first = keys(groups * WAYS)
    entries = [table.insert(key) for key in first]

    assert sorted(entries) == list(range(groups * WAYS))
    assert table.insert((1, 1)) == FULL
    assert [table.find(key) for key in first] == entries


def test_a_key_goes_home_first_and_then_to_the_less_crowded_of_its_groups():
    table = Table(5)
    these = keys_of(table, 3, 1, 2 * WAYS)

    went = [table.insert(key) // WAYS for key in these]

    assert went[:HOME_FIRST] == [3] * HOME_FIRST
    assert went[HOME_FIRST:2 * HOME_FIRST] == [1] * HOME_FIRST
    assert sorted(went) == [1] * WAYS + [3] * WAYS
    assert went[2 * HOME_FIRST:] == [3, 1] * (WAYS - HOME_FIRST), "in turns: both grow alike"
    assert [table.insert(key) // WAYS for key in these] == went, "and stays there"
    assert table.insert(keys_of(table, 3, 1, 2 * WAYS + 1)[-1]) == FULL
    assert table.insert(keys_of(table, 3, 2, 1)[0]) // WAYS == 2, "another pair has room"


def test_the_secret_decides_where_a_key_lives():
    tables = [Table(997, secret) for secret in keys(60)]

    homes = {table.insert((5, 7)) // WAYS for table in tables}

    assert len(homes) > 50 and homes == {table.groups_of((5, 7))[0] for table in tables}


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
    table.poke(3, bytes([tag_of((5, 7777))]))  # place 3, claimed for a key that never came

    assert table.insert((5, 8888)) == 0
    assert table.insert((5, 7777)) == 3
    assert table.find((5, 7777)) == 3


def crowded(home=0, other=1):
    """A table where the next key of these groups goes to the other, and that key."""
    table = Table(2)
    *before, key = keys_of(table, home, other, HOME_FIRST + 1)
    for one in before:
        table.insert(one)
    return table, key


def leave_coming(table, key, place, group=1):
    """As a worker does that is killed before what it brings goes live."""
    table.poke(group * GROUP + place, bytes([COMING]))
    if key is not None:
        table.poke(group * GROUP + 16 + 16 * place, bytes(pair(key)))


def test_a_place_that_a_killed_worker_claimed_for_what_comes_is_filled_by_the_next():
    table, key = crowded()
    leave_coming(table, None, 5)

    assert (table.insert(key), table.inserted) == (WAYS + 5, 1)
    assert table.find(key) == WAYS + 5 and table.tags(1)[5] == tag_of(key)


def test_what_is_coming_is_nobodys_until_the_next_inserter_goes_on_with_it():
    table, key = crowded()
    leave_coming(table, key, 5)

    assert table.find(key) == NONE and table.read(WAYS + 5) is None
    assert (table.insert(key), table.inserted) == (WAYS + 5, 1)
    assert (table.insert(key), table.inserted) == (WAYS + 5, 0)
    assert table.read(WAYS + 5) == (key, PACE << 4)


def test_home_wins_where_it_has_a_place_that_waits_for_this_tag():
    table, key = crowded()
    leave_coming(table, key, 5)
    table.poke(12, bytes([tag_of(key)]))

    assert (table.insert(key), table.inserted) == (12, 1)
    assert table.tags(1)[5] == LEAVING and table.find(key) == 12


@pytest.mark.parametrize("key", [None, (5, 7)])
def test_the_evictor_takes_what_is_coming_and_never_arrives(key):
    table = Table(2)
    leave_coming(table, key, 5)

    assert table.bury(WAYS + 5) == 1 and table.tags(1)[5] == LEAVING
    assert table.bury(WAYS + 5) == 1, "and what others sent away"
    table.call("free_buried", WAYS + 5)

    assert table.tags(1)[5] == 0 and table.bury(WAYS + 5) == 0
    assert bytes(table.memory[table.offset:table.offset + 2 * GROUP]).strip(b"\0") in (
        b"", b"\2", b"\3")  # versions


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


def test_a_million_keys_live_in_57_megabytes_while_others_come_and_go():
    said = run(program("table_million.c"), 1_000_000, 1_000_000, SEED)

    assert said["refused"] == said["lost"] == 0
    assert said["most"] < WAYS, "the fullest group still has room"
    assert said["table"] < 57_000_000 and said["segment"] < 64 << 20


STEPS = "-Wl,--wrap=fgw_swap16,--wrap=fgw_read16"
DEATHS = "-Wl,--wrap=fgw_swap16"


def test_in_any_order_of_steps_a_key_has_one_place():
    said = run(program("table_steps.c", STEPS), 60_000, SEED)

    assert said["sent_away"] > 100 and said["given_up"] > 3_000, "too tame to show anything"


@pytest.mark.parametrize("right, wrong", [
    pytest.param("if (empty >= 0 && coming >= 0)", "if (0)", id="fills beside what is coming"),
    pytest.param("if (in->home.header.whole != home.whole)", "if (0)", id="admits unseen"),
    pytest.param("if (!set_tag(&in->other, place, in->tag))",
                 "((_Atomic uint8_t *)in->other.group->header)[place] = in->tag; if (0)",
                 id="admits without CAS"),
    pytest.param("    look(&in->home);\n    int place",
                 "    look(&in->other);\n    look(&in->home);\n#define look(side)\n    int place",
                 id="looks home last"),
])
def test_the_steps_catch(tmp_path, right, wrong):
    text = (ROOT / "csrc/fgw_table.c").read_text()
    assert text.count(right) == 1
    (tmp_path / "fgw_table.c").write_text(text.replace(right, wrong))
    sources = [tmp_path / path.name if path.stem == "fgw_table" else path for path in SOURCES]
    subprocess.run(["gcc", *STRICT, "-w", "-Wno-error", STEPS, "-o", tmp_path / "steps",
                    ROOT / "tests/csrc/table_steps.c", *sources], check=True)

    done = subprocess.run([tmp_path / "steps", "1000000", str(SEED)], capture_output=True,
                          text=True, timeout=120)

    assert done.returncode == 1 and "not so" in done.stderr, done.stdout + done.stderr


def test_whoever_dies_while_inserting_each_key_has_one_place_and_none_is_lost():
    said = run(program("table_kill.c", DEATHS), 500, SEED)

    assert said["died"] > 1000
    assert said["claimed"] > 50 and said["coming"] > 10, "too few died half-way to show anything"


def test_whoever_inserts_without_cas_is_caught():
    done = subprocess.run([program("table_kill.c", DEATHS, "-DFGW_MUTANT_NO_CAS"), "2000",
                           str(SEED)], capture_output=True, text=True, timeout=120)

    assert done.returncode == 1 and "not so" in done.stderr
