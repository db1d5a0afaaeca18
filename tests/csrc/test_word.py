"""Counted word: whose change happened can be told after any crash.

Method: a model of the protocol of csrc/fgw_word.h and fgw_limit.c: two processes that each take a
slot twice and give it back, and a sweeper that starts once a process is dead, stepped through
*all* interleavings with a crash of either process after every atomic step, and of the sweeper
itself. It must never admit more than the limit, and never leak. Five ways to get it wrong must
each be caught. Then the C functions themselves, one by one.
"""

import ctypes
from typing import NamedTuple

import pytest

from tests.csrc.shm_native import library, u64

LIMIT, TAKES = 1, 2
FREE, ADDING, TAKEN, SETTLING, WANTED = range(5)


class Process(NamedTuple):
    """One process with one hold. `at`: the next step; a dead one's hold is its sweeper's."""

    at: str = "intend"
    seq: int = 0
    state: int = FREE
    state_seq: int = 0
    seen: tuple = (0, None)
    left: int = TAKES
    dead: bool = False
    happened: bool = False


class World(NamedTuple):
    word: tuple  # (value, tag); a tag is (owner, seq)
    done: tuple
    processes: tuple
    crashes: int


class Broken(AssertionError):
    pass


def noted(done, tag):
    if tag is None:
        return done
    owner, seq = tag
    return tuple(max(d, seq) if at == owner else d for at, d in enumerate(done))


def change(world, me, delta, tag, then, again, mutant):
    """The read / note / swap part, as three atomic steps; `delta` of a full word is refused."""
    p = world.processes[me]
    step = p.at.rpartition(".")[2]
    word, done = world.word, world.done
    if step == "read":
        if delta > 0 and word[0] + delta > LIMIT:
            return world, p._replace(at="refused")
        nxt = again + (".swap" if mutant == "note after" else ".note")
        return world, p._replace(seen=word, at=nxt)
    if step == "note":
        return world._replace(done=noted(done, p.seen[1])), p._replace(at=again + ".swap")
    if word != p.seen and mutant != "no cas":
        return world, p._replace(at=again + ".read")
    world = world._replace(word=(p.seen[0] + delta, tag))
    if mutant == "note after":
        return world, p._replace(at=then + ".late")
    return world, p._replace(at=then)


def live(world, me, mutant):
    """One atomic step of a running process."""
    p = world.processes[me]
    if p.at == "intend":
        return world, p._replace(seq=p.seq + 1, state=ADDING, state_seq=p.seq + 1, at="add.read")
    if p.at.endswith(".late"):
        return (world._replace(done=noted(world.done, p.seen[1])),
                p._replace(at=p.at.removesuffix(".late")))
    if p.at.startswith("add."):
        return change(world, me, 1, (me, p.seq), "taken", "add", mutant)
    if p.at == "taken":
        return world, p._replace(state=TAKEN, at="inside")
    if p.at == "inside":
        return world, p._replace(seq=p.seq + 1, state=SETTLING, state_seq=p.seq + 1,
                                 at="sub.read")
    if p.at.startswith("sub."):
        return change(world, me, -1, (me, p.seq), "freed", "sub", mutant)
    assert p.at in ("freed", "refused")
    return world, p._replace(state=FREE, left=p.left - 1,
                             at="intend" if p.left > 1 else "over")


def sweep(world, me, mutant):
    """One atomic step of the sweeper of a dead process; it begins at "sweep"."""
    p, tag = world.processes[me], (me, world.processes[me].state_seq)
    in_word = world.word[1] == tag
    if p.at == "sweep":
        if p.state in (ADDING, SETTLING):
            return world, p._replace(at="ask first", happened=False)
        return world, p._replace(at="settle")
    if p.at == "ask first":
        found = world.done[me] >= tag[1] if mutant == "done first" else in_word
        return world, p._replace(happened=found, at="ask then")
    if p.at == "ask then":
        found = p.happened or (in_word if mutant == "done first" else world.done[me] >= tag[1])
        if mutant in ("on intent", "surely"):
            found = (mutant == "on intent") == (p.state == ADDING)
        after = (TAKEN if found else FREE) if p.state == ADDING else (FREE if found else WANTED)
        return world, p._replace(state=after, at="settle")
    if p.at == "settle":
        if p.state in (TAKEN, WANTED):
            return world, p._replace(seq=p.seq + 1, state=SETTLING, state_seq=p.seq + 1,
                                     at="sub.read")
        return world, p._replace(at="over")
    if p.at.endswith(".late"):
        return (world._replace(done=noted(world.done, p.seen[1])),
                p._replace(at=p.at.removesuffix(".late")))
    if p.at.startswith("sub."):
        return change(world, me, -1, (me, p.seq), "freed", "sub", mutant)
    return world, p._replace(state=FREE, at="over")


def with_process(world, me, process):
    return world._replace(processes=tuple(process if at == me else p
                                          for at, p in enumerate(world.processes)))


def moves(world, mutant):
    for me, p in enumerate(world.processes):
        if p.at == "over":
            continue
        after, process = (sweep if p.dead else live)(world, me, mutant)
        yield with_process(after, me, process)
        if world.crashes:
            # A process dies, or its sweeper does and is run again from the start.
            died = p._replace(dead=True, at="sweep", seen=(0, None), happened=False)
            if died != p:
                yield with_process(world, me, died)._replace(crashes=world.crashes - 1)


def judge(world):
    inside = sum(p.at == "inside" and not p.dead for p in world.processes)
    if inside > LIMIT:
        raise Broken("more inside than the limit")
    if not 0 <= world.word[0] <= LIMIT:
        raise Broken("the word is not an amount")
    if all(p.at == "over" for p in world.processes) and world.word[0] != 0:
        raise Broken("leaked")


def explore(mutant=None):
    """Visits every reachable world. Broken if one of them is wrong."""
    start = World((0, None), (0, 0), (Process(), Process()), crashes=2)
    seen, todo = {start}, [start]
    while todo:
        for world in moves(todo.pop(), mutant):
            if world not in seen:
                judge(world)
                seen.add(world)
                todo.append(world)
    return len(seen)


def test_every_interleaving_with_crashes_keeps_the_word_right():
    assert explore() > 20_000


@pytest.mark.parametrize("mutant", ["no cas", "on intent", "surely", "done first", "note after"])
def test_each_way_to_get_it_wrong_is_caught(mutant):
    with pytest.raises(Broken):
        explore(mutant)


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
