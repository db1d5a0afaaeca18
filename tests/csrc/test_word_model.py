"""Counted word in a model: whose change happened can be told after any crash, also of a draw and
of a window that is evicted meanwhile.

Method: two processes that each take, draw more and give all back, a sweeper that starts once a
process is dead, and an evictor that ends the window at any instant and gives its place to another
key, stepped through *all* interleavings with a crash of either process after every atomic step,
and of the sweeper itself. Never more than the limit may be held, nothing may leak, and no word of
another key may be touched. Nine ways to get it wrong must each be caught.
"""

from typing import NamedTuple

import pytest

FREE, ADDING, TAKEN, SETTLING, WANTED, DRAWING = range(6)
MINE, DEAD, OTHERS = range(3)  # whose word it is: the limit's, a buried one, another key's by now


class Case(NamedTuple):
    """What the processes do. `draw`: each takes one more while it is inside."""

    limit: int
    takes: int
    draw: bool
    evict: bool
    crashes: int


PLAIN = Case(limit=1, takes=2, draw=False, evict=False, crashes=2)
DRAWN = Case(limit=3, takes=1, draw=True, evict=False, crashes=2)
EVICTED = Case(limit=3, takes=1, draw=True, evict=True, crashes=1)


class Process(NamedTuple):
    """One process with one hold. `at`: the next step; a dead one's hold is its sweeper's."""

    left: int
    at: str = "intend"
    seq: int = 0
    state: int = FREE
    state_seq: int = 0
    held: int = 0
    target: int = 0
    seen: tuple = (0, None)
    dead: bool = False
    happened: bool = False


class World(NamedTuple):
    word: tuple  # (value, tag); a tag is (owner, seq)
    whose: int
    evictor: str
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


def begin(p, state, target, at):
    return p._replace(seq=p.seq + 1, state=state, state_seq=p.seq + 1, target=target, at=at)


def change(world, me, case, mutant):
    """Find, read, note and swap, as four atomic steps of what `at` names: add, draw or sub."""
    p = world.processes[me]
    what, _, step = p.at.partition(".")
    delta = p.target - p.held
    gone = {"add": "refused", "draw": "drawn", "sub": "freed"}[what]  # its window is over
    if step == "find":
        return world, p._replace(at=f"{what}.read" if world.whose == MINE else gone)
    if step == "read":
        if world.whose == DEAD:
            return world, p._replace(at=gone)
        if delta > 0 and world.word[0] + delta > case.limit:
            return world, p._replace(at="refused" if what == "add" else "undrawn")
        return world, p._replace(seen=world.word,
                                 at=what + (".swap" if mutant == "note after" else ".note"))
    if step == "note":
        return (world._replace(done=noted(world.done, p.seen[1])), p._replace(at=what + ".swap"))
    after = {"add": "taken", "draw": "drawn", "sub": "freed"}[what]
    if step == "late":
        return (world._replace(done=noted(world.done, p.seen[1])), p._replace(at=after))
    if (world.word != p.seen or world.whose == DEAD) and mutant != "no cas":
        return world, p._replace(at=what + ".read")
    if world.whose == OTHERS:
        raise Broken("changed a word of another key")
    world = world._replace(word=(p.seen[0] + delta, (me, p.seq)))
    return world, p._replace(at=what + ".late" if mutant == "note after" else after)


def live(world, me, case, mutant):
    """One atomic step of a running process."""
    p = world.processes[me]
    if p.at == "intend":
        return world, begin(p, ADDING, 1, "add.find")
    if "." in p.at:
        return change(world, me, case, mutant)
    if p.at in ("taken", "drawn"):
        return world, p._replace(state=TAKEN, held=p.target,
                                 at="inside" if p.at == "taken" and case.draw else "last")
    if p.at == "undrawn":
        return world, p._replace(state=TAKEN, at="last")
    if p.at == "inside":
        return world, begin(p, DRAWING, p.held + 1, "draw.find")
    if p.at == "last":  # its CLOSE is posted next: whoever sweeps settles to just that
        return world, p._replace(state=WANTED, target=0, at="closed")
    if p.at == "closed":
        return world, begin(p, SETTLING, 0, "sub.find")
    assert p.at in ("freed", "refused")
    return world, p._replace(state=FREE, held=0, left=p.left - 1,
                             at="intend" if p.left > 1 else "over")


def found_out(p, found):
    """The hold's state, once the sweeper knows whether the last change has happened."""
    if p.state == SETTLING:
        return p._replace(state=FREE if found else WANTED)
    if found:
        return p._replace(state=TAKEN, held=p.target)
    return p._replace(state=FREE if p.state == ADDING else TAKEN)


def sweep(world, me, case, mutant):
    """One atomic step of the sweeper of a dead process; it begins at "sweep"."""
    p, tag = world.processes[me], (me, world.processes[me].state_seq)
    in_word = world.word[1] == tag
    if p.at == "sweep":
        open_ended = p.state in (ADDING, SETTLING, DRAWING)
        return world, p._replace(at="ask first" if open_ended else "settle", happened=False)
    if p.at == "ask first":
        found = world.done[me] >= tag[1] if mutant == "done first" else in_word
        return world, p._replace(happened=found, at="ask then")
    if p.at == "ask then":
        found = p.happened or (in_word if mutant == "done first" else world.done[me] >= tag[1])
        if mutant in ("on intent", "surely"):
            found = (mutant == "on intent") == (p.state == ADDING)
        if p.state == DRAWING and mutant in ("draw on intent", "draw surely"):
            found = mutant == "draw on intent"
        after = found_out(p, found)
        if p.state == DRAWING and mutant == "draw as take" and not found:
            after = p._replace(state=FREE)
        return world, after._replace(at="settle")
    if p.at == "settle":
        if p.state in (TAKEN, WANTED):
            return world, begin(p, SETTLING, 0, "sub.find")
        return world, p._replace(at="over")
    if "." in p.at:
        return change(world, me, case, mutant)
    return world, p._replace(state=FREE, held=0, at="over")


def evictions(world, mutant):
    """The evictor's next step, if it has one: note, bury (one CAS: the word must be as noted),
    wait until nobody is in the middle of a change, give the place to another key."""
    if world.evictor == "idle":
        yield world._replace(done=noted(world.done, world.word[1]),
                             evictor=("bury", world.word))
    elif isinstance(world.evictor, tuple):
        if world.word == world.evictor[1]:
            yield world._replace(word=(0, None), whose=DEAD, evictor="wait")
        else:
            yield world._replace(evictor="idle")
    elif world.evictor == "wait":
        busy = any("." in p.at and not p.at.endswith("find") for p in world.processes)
        if not busy or mutant == "naive evict":
            yield world._replace(word=(0, None), whose=OTHERS, evictor="over")


def with_process(world, me, process):
    return world._replace(processes=tuple(process if at == me else p
                                          for at, p in enumerate(world.processes)))


def moves(world, case, mutant):
    if case.evict:
        yield from evictions(world, mutant)
    for me, p in enumerate(world.processes):
        if p.at == "over":
            continue
        after, process = (sweep if p.dead else live)(world, me, case, mutant)
        yield with_process(after, me, process)
        if world.crashes:
            # A process dies, or its sweeper does and is run again from the start.
            died = p._replace(dead=True, at="sweep", seen=(0, None), happened=False)
            if died != p:
                yield with_process(world, me, died)._replace(crashes=world.crashes - 1)


def judge(world, case):
    surely = sum(p.held for p in world.processes
                 if p.state in (TAKEN, DRAWING, WANTED) and p.at != "sweep" and not p.dead)
    if world.whose == MINE and surely > case.limit:
        raise Broken("more held than the limit")
    if not 0 <= world.word[0] <= case.limit:
        raise Broken("the word is not an amount")
    if all(p.at == "over" for p in world.processes) and world.word[0] != 0:
        raise Broken("leaked")


def explore(case, mutant=None):
    """Visits every reachable world. Broken if one of them is wrong."""
    start = World((0, None), MINE, "idle", (0, 0), (Process(case.takes),) * 2, case.crashes)
    seen, todo = {start}, [start]
    while todo:
        for world in moves(todo.pop(), case, mutant):
            if world not in seen:
                judge(world, case)
                seen.add(world)
                todo.append(world)
    return len(seen)


@pytest.mark.parametrize("case", [PLAIN, DRAWN, EVICTED], ids=["take", "draw", "evict"])
def test_every_interleaving_with_crashes_keeps_the_word_right(case):
    assert explore(case) > 20_000


@pytest.mark.parametrize("case, mutant", [
    *((PLAIN, mutant) for mutant in ("no cas", "on intent", "surely", "done first", "note after")),
    *((DRAWN, mutant) for mutant in ("draw on intent", "draw surely", "draw as take")),
    (EVICTED, "naive evict")])
def test_each_way_to_get_it_wrong_is_caught(case, mutant):
    with pytest.raises(Broken):
        explore(case, mutant)
