"""Table in a model: a key that has two groups to live in lives in one place at most, for ever.

Method: processes that insert the same key, and one that inserts another key of the same tag, each
free to choose either group as if it saw other crowds; an evictor that buries any place, sends away
what is coming and frees places; a reader. They are stepped through *all* interleavings, each read
of a header and of a key and each swap a step of its own, with a crash of a process after every
step. Headers have no version here: that no place is freed under an insertion is enough. Of every
state of the two groups that can be reached, everybody may be gone: then a process that comes alone
must end with the key in one place. Eight ways to get it wrong must each be caught.
"""

from typing import NamedTuple

import pytest

FREE, LEAVING, COMING, LIVE = range(4)  # LIVE: the tag of both keys
K, X = "K", "X"
HOME, OTHER = 0, 1


class Case(NamedTuple):
    """Who runs. `inserters`: the key of each and whether its home is the second group. `evictions`
    and `crashes`: at most so many."""

    inserters: tuple = ((K, False), (K, False))
    reader: bool = False
    evictions: int = 0
    crashes: int = 0
    places: int = 2


class Place(NamedTuple):
    tag: int = FREE
    key: str | None = None
    dead: bool = False  # its cell is buried


class Process(NamedTuple):
    """One insertion, or (key "") one reading. `seen`: the two headers; `found`: places of interest
    (empty at home, coming, coming and empty; -1: none); `place`: what it goes on to use."""

    key: str
    swapped: bool = False
    at: str = "start"
    next: int = 0
    seen: tuple = ((), ())
    found: tuple = (-1, -1, -1)
    place: tuple = ()
    missed: bool = True  # of a reader: there was an instant without a live key

    @property
    def busy(self):
        return self.at not in ("start", "over")


class World(NamedTuple):
    groups: tuple
    processes: tuple
    evictor: tuple  # ("idle",), ("tag", group, place), ("wait", group, place, who), ("free", …)
    evictions: int
    crashes: int


class Broken(AssertionError):
    pass


def side(p, which):
    """The index of the process's home or other group."""
    return which ^ p.swapped


def header(world, group):
    return tuple(place.tag for place in world.groups[group])


def put(world, group, at, **change):
    places = list(world.groups[group])
    places[at] = places[at]._replace(**change)
    groups = list(world.groups)
    groups[group] = tuple(places)
    return world._replace(groups=tuple(groups))


def anew(p):
    return p._replace(at="home", next=0, seen=((), ()), found=(-1, -1, -1), place=())


def tagged(tags, tag, first):
    """The next place with this tag, or None."""
    return next((at for at in range(first, len(tags)) if tags[at] == tag), None)


# The keys under which tag of which header are read, and what follows.
KEYS = {"home keys": (HOME, LIVE), "other keys": (OTHER, LIVE), "coming keys": (OTHER, COMING)}


def onward(p, mutant):
    """The next step that touches memory: a key that is to be read, a look, or the decision."""
    first, second = (HOME, OTHER) if mutant != "other first" else (OTHER, HOME)
    after = {"home keys": "look 2" if first == HOME else "decide", "other keys": "coming keys",
             "coming keys": "decide" if second == OTHER else "look 2"}
    while p.at in KEYS and tagged(p.seen[KEYS[p.at][0]], KEYS[p.at][1], p.next) is None:
        p = p._replace(at=after[p.at], next=0)
    if mutant == "fill without a look" and p.at == "look 2" and p.found[0] >= 0:
        return p._replace(at="decide")
    return p


def look(world, p, mutant):
    first, second = (HOME, OTHER) if mutant != "other first" else (OTHER, HOME)
    which = second if p.at == "look 2" else first
    seen = list(p.seen)
    seen[which] = header(world, side(p, which))
    return onward(p._replace(at="home keys" if which == HOME else "other keys",
                             seen=tuple(seen)), mutant)


def read_key(world, p, mutant):
    which, tag = KEYS[p.at]
    at = tagged(p.seen[which], tag, p.next)
    there, found = world.groups[side(p, which)][at].key, list(p.found)
    if there == p.key and tag == LIVE:
        return use(p, side(p, which), at)
    if there == p.key:
        found[1] = at
    elif there is None and p.at != "other keys":
        found[0 if which == HOME else 2] = at
    return onward(p._replace(found=tuple(found), next=at + 1), mutant)


def swap(world, p, which, at, tag):
    """CAS of a header as it was seen: the world after it, or None."""
    group = side(p, which)
    return put(world, group, at, tag=tag) if header(world, group) == p.seen[which] else None


def use(p, group, at):
    return p._replace(at="use", place=(group, at), seen=(), found=(), next=0)


def decide(world, p, mutant):
    """The step after the looks; yields (world, process)."""
    empty, coming, coming_empty = p.found
    if empty >= 0 and coming >= 0 and mutant != "fill beside coming":
        yield swap(world, p, OTHER, coming, LEAVING) or world, anew(p)
    elif empty >= 0:
        group = side(p, HOME)
        there = world.groups[group][empty].key
        if there is None:
            yield put(world, group, empty, key=p.key), use(p, group, empty)
        elif there == p.key:
            yield world, use(p, group, empty)
        else:
            yield world, anew(p)
    elif coming >= 0:
        same = header(world, side(p, HOME)) == p.seen[HOME] or mutant == "no second look"
        yield world, p._replace(at="admit") if same else anew(p)
    else:
        yield from choose(world, p, coming_empty, mutant)


def choose(world, p, coming_empty, mutant):
    """Either group, as the crowds that it saw may have been."""
    place = tagged(p.seen[HOME], FREE, 0)
    if mutant == "claim without cas":
        p = p._replace(seen=(header(world, side(p, HOME)), p.seen[OTHER]))
        place = tagged(p.seen[HOME], FREE, 0)
    if place is not None:
        yield swap(world, p, HOME, place, LIVE) or world, anew(p)
    group = side(p, OTHER)
    if coming_empty >= 0:
        free = world.groups[group][coming_empty].key is None
        yield (put(world, group, coming_empty, key=p.key) if free else world), anew(p)
        return
    place = tagged(p.seen[OTHER], FREE, 0)
    if place is not None:
        after = swap(world, p, OTHER, place, COMING)
        if after is not None and mutant == "live at once":
            yield put(after, group, place, tag=LIVE, key=p.key), use(p, group, place)
        else:
            yield after or world, anew(p)


def insert(world, p, mutant):
    """One atomic step of an insertion; yields (world, process)."""
    if p.at in ("start", "home", "look 2"):
        yield world, look(world, p if p.at == "look 2" else anew(p), mutant)
    elif p.at in KEYS:
        yield world, read_key(world, p, mutant)
    elif p.at == "decide":
        yield from decide(world, p, mutant)
    elif p.at == "admit":
        group, at = side(p, OTHER), p.found[1]
        went = (put(world, group, at, tag=LIVE) if mutant == "admit without cas"
                else swap(world, p, OTHER, at, LIVE))
        yield (went, use(p, group, at)) if went else (world, anew(p))
    elif p.at == "use":
        group, at = p.place
        place = world.groups[group][at]
        if place.key != p.key:
            raise Broken("uses a place of another key")
        if place.dead:
            yield put(world, group, at, tag=LEAVING), anew(p)
        else:
            yield world, p._replace(at="over", place=())


def read(world, p):
    """One step of a reader, who sees a header half by half: a place each."""
    group, at = divmod(p.next, len(world.groups[0]))
    if group == 2:
        if not p.missed:
            raise Broken("missed a key that stood all the time")
        return p._replace(at="over")
    place = world.groups[group][at]
    if place.tag == LIVE and place.key == K:
        return p._replace(at="over")
    return p._replace(at="reading", next=p.next + 1)


def evict(world, mutant):
    """The evictor's next steps; yields worlds."""
    what, *where = world.evictor
    if what == "idle" and world.evictions:
        left = world.evictions - 1
        for group, places in enumerate(world.groups):
            for at, place in enumerate(places):
                if place.tag == LIVE and place.key and not place.dead:
                    yield put(world, group, at, dead=True)._replace(
                        evictor=("tag", group, at), evictions=left)
                elif place.tag in (COMING, LEAVING):
                    yield put(world, group, at, tag=LEAVING)._replace(
                        evictor=("tag", group, at), evictions=left)
    elif what == "tag":
        group, at = where
        busy = tuple(who for who, p in enumerate(world.processes) if p.busy)
        yield put(world, group, at, tag=LEAVING)._replace(evictor=("wait", group, at, busy))
    elif what == "wait":
        group, at, who = where
        if mutant == "naive evict" or not any(world.processes[one].busy for one in who):
            yield put(world, group, at, key=None, dead=False)._replace(
                evictor=("free", group, at))
    elif what == "free":
        yield put(world, *where, tag=FREE)._replace(evictor=("idle",))


def moves(world, mutant):
    yield from evict(world, mutant)
    for me, p in enumerate(world.processes):
        if p.at == "over":
            continue
        if p.key:
            nexts = list(insert(world, p, mutant))
        else:
            start = p._replace(missed=not alive(world)) if p.at == "start" else p
            nexts = [(world, read(world, start))]
        if world.crashes and p.busy:
            nexts.append((world._replace(crashes=world.crashes - 1),
                          Process(p.key, p.swapped, "over", missed=True)))
        for after, process in nexts:
            processes = [process if at == me else one for at, one in enumerate(after.processes)]
            if world.evictor == ("idle",):  # then nobody knows them by their numbers
                processes.sort(key=hash)
            yield after._replace(processes=tuple(processes))


def alive(world, key=K):
    return sum(place.tag == LIVE and place.key == key and not place.dead
               for places in world.groups for place in places)


def judge(world):
    """The world, with what its readers have missed noted. Broken if a key lives twice."""
    if alive(world) > 1 or alive(world, X) > 1:
        raise Broken("one key in two places")
    if not alive(world):
        return world._replace(processes=tuple(
            p._replace(missed=True) if p.at == "reading" else p for p in world.processes))
    return world


def come_alone(groups):
    """Everybody is gone; one process inserts the key, whichever way it may choose."""
    buried = [(group, at) for group, places in enumerate(groups)
              for at, place in enumerate(places) if place.dead and place.tag == LIVE]
    world = World(groups, (Process(K),), ("idle",), 0, 0)
    for where in buried:  # a supervisor that starts anew finishes what the last one began
        world = put(world, *where, tag=LEAVING)
    todo, seen = [world], {world}
    while todo:
        world = todo.pop()
        if world.processes[0].at == "over" and alive(world) != 1:
            raise Broken("came alone, and the key is not there once")
        for after in moves(world, None):
            if judge(after) not in seen:
                seen.add(after)
                todo.append(after)


def explore(case, mutant=None):
    """Visits every reachable world. Broken if one of them is wrong."""
    processes = tuple(Process(*one) for one in case.inserters) + (Process(""),) * case.reader
    start = World(((Place(),) * case.places,) * 2, processes, ("idle",), case.evictions,
                  case.crashes)
    seen, todo, left = {start}, [start], set()
    while todo:
        for world in moves(todo.pop(), mutant):
            world = judge(world)
            if world not in seen:
                seen.add(world)
                todo.append(world)
                left.add(world.groups)
                if all(p.at == "over" for p in world.processes) and (
                        not case.evictions and not case.crashes and alive(world) != 1):
                    raise Broken("inserted, and not there")
    if mutant is None:
        for groups in left:
            come_alone(groups)
    return len(seen)


TWO = ((K, False), (K, False))
READ = Case(TWO, reader=True)
THREE = Case((*TWO, (K, False)))
SAME_HOME = Case((*TWO, (X, False)))
OTHER_HOME = Case((*TWO, (X, True)))
EVICTED = Case(TWO, evictions=2, crashes=1)


@pytest.mark.parametrize("case, worlds", [
    (READ, 2_000), (THREE, 3_000), (SAME_HOME, 40_000), (OTHER_HOME, 60_000), (EVICTED, 20_000)],
    ids=["a reader", "three", "another key at home", "another key elsewhere", "an evictor"])
def test_in_every_interleaving_with_crashes_a_key_has_one_place(case, worlds):
    assert explore(case) > worlds


@pytest.mark.parametrize("case, mutant", [
    *((READ, mutant) for mutant in (
        "fill without a look", "fill beside coming", "live at once", "admit without cas")),
    *((THREE, mutant) for mutant in ("other first", "no second look", "claim without cas")),
    (EVICTED, "naive evict")])
def test_each_way_to_get_it_wrong_is_caught(case, mutant):
    with pytest.raises(Broken):
        explore(case, mutant)
