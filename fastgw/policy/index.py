"""The rule index: from what the rules ask of facts to one block of bytes (csrc/fgw_index.h).

A rule comes as *terms*, one of which must hold for it to match, each a set of atoms all of which
must hold (``policy/atoms.py`` takes them out of its expressions). The builder decides under which
keys each term stands; what it leaves out is tested by the rule's own program afterwards.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastgw.policy.candidates import key, slot_hash

# enum fgw_index_kind; a RANGE is no key: it stands in a tree.
TEXT, NUMBER, PREFIX, HAS, NETWORK, RANGE = 1, 2, 3, 4, 5, 6
KIND_NAMES = {TEXT: "==", NUMBER: "==", PREFIX: "startsWith", HAS: "has", NETWORK: "cidr",
              RANGE: "range"}
LEAST, MOST = -(1 << 63), (1 << 63) - 1

PARTS_MAX, PROBES_MAX, TREES_MAX, ABSENT_MAX, DEPTH_MAX = 128, 96, 4, 8, 20
PROBES_OF_RULES = 64  # the rest is for rules whose own probe would be too rare
LONG_ROW = 32  # in a longer row a rule had better stand in a tree, if it has an interval
MAGIC, HEADER = 0x31584449, struct.Struct("<4I6HI2II7I")


class Atom(NamedTuple):
    """One test of one fact: TEXT, PREFIX (bytes), NUMBER (int), HAS (None), NETWORK (its 4 or 16
    bytes, bits), RANGE (least, most)."""

    kind: int
    fact: int
    value: Any = None


Part = tuple[int, int, int]  # fact, kind, length
Term = frozenset[Atom]


@dataclass(frozen=True, slots=True)
class Entry:
    """One term of one rule, ready to be put somewhere: its keys by part, and its intervals."""

    rule: int
    parts: tuple[Part, ...]
    values: tuple[object, ...]  # of each part
    ranges: tuple[tuple[int, int, int], ...]  # fact, least, most


@dataclass(frozen=True, slots=True)
class Tallies:
    """What people want to know of an index."""

    always: int = 0  # rules that every request is tested against
    probes: int = 0
    slots: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    block: bytes
    tallies: Tallies


def part_of(atom: Atom) -> Part:
    length = 0
    if atom.kind == PREFIX:
        length = len(atom.value)
    elif atom.kind == NETWORK:
        address, bits = atom.value
        length = len(address) | bits << 8
    return atom.fact, atom.kind, length


def entry_of(rule: int, term: Iterable[Atom]) -> Entry | None:
    """None: no request can fulfil the term. Of one fact only the strongest test is kept."""
    keys: dict[int, Atom] = {}
    ranges: dict[int, tuple[int, int]] = {}
    for atom in sorted(term, key=_strength):
        if atom.kind == RANGE:
            least, most = atom.value
            old = ranges.get(atom.fact, (LEAST, MOST))
            ranges[atom.fact] = max(least, old[0]), min(most, old[1])
            continue
        if atom.fact not in keys:
            keys[atom.fact] = atom
        elif not _agree(keys[atom.fact], atom):
            return None
    for fact, (least, most) in list(ranges.items()):
        other = keys.get(fact)
        if other and other.kind == NUMBER:
            least, most = max(least, other.value), min(most, other.value)
            del ranges[fact]
        if least > most:
            return None
    placed = sorted((part_of(atom), atom.value) for atom in keys.values())
    return Entry(rule, tuple(part for part, _ in placed), tuple(value for _, value in placed),
                 tuple((fact, *both) for fact, both in sorted(ranges.items())))


def _strength(atom: Atom) -> tuple[int, int]:
    """Smaller says more about a fact: equal, then a long prefix or network, then that it is."""
    if atom.kind in (TEXT, NUMBER):
        return 0, 0
    if atom.kind in (PREFIX, NETWORK):
        return 1, -part_of(atom)[2]
    return 2, 0


def _agree(strong: Atom, weak: Atom) -> bool:
    """Whether both can hold, as far as that is easy to say."""
    if strong.kind == weak.kind and strong.kind in (TEXT, NUMBER):
        return strong.value == weak.value
    if weak.kind == PREFIX and strong.kind in (TEXT, PREFIX):
        return strong.value.startswith(weak.value)
    return True


class Builder:
    """Collects rows for one policy."""

    def __init__(self, n_rules: int, n_facts: int) -> None:
        self.n_rules, self.n_facts = n_rules, n_facts
        self.always: set[int] = set()
        self.by_fact: defaultdict[int, list[int]] = defaultdict(list)  # for absent facts
        self.probes: list[tuple[Part, ...]] = []
        self.rows: dict[tuple[tuple[Part, ...], tuple[object, ...]], list[Entry]] = {}
        self.intervals: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        self.hashed: dict[tuple[Part, object], int] = {}  # a key is asked for by many rules

    def add(self, entries: list[Entry]) -> None:
        entries = self._place_ranges(entries)
        self._choose_probes(entries)
        for entry in entries:
            probe = self._probe_of(entry)
            if not probe:
                self.always.add(entry.rule)
                continue
            values = entry.values
            if probe != entry.parts:
                by_part = dict(zip(entry.parts, values, strict=True))
                values = tuple(by_part[part] for part in probe)
            self.rows.setdefault((probe, values), []).append(entry)
        self._split_long_rows()

    def _place_ranges(self, entries: list[Entry]) -> list[Entry]:
        """Puts entries that have nothing but intervals into a tree; returns the others."""
        popular = Counter(fact for entry in entries if not entry.parts
                          for fact, _, _ in entry.ranges)
        facts = {fact for fact, _ in popular.most_common(TREES_MAX)}
        left = []
        for entry in entries:
            ranges = [found for found in entry.ranges if found[0] in facts]
            if entry.parts or not ranges:
                left.append(entry)
            else:
                self._add_range(entry.rule, ranges)
        return left

    def _add_range(self, rule: int, ranges: list[tuple[int, int, int]]) -> None:
        fact, least, most = min(ranges, key=lambda found: found[2] - found[1])
        self.intervals[fact].append((least, most, rule))

    def _choose_probes(self, entries: list[Entry]) -> None:
        """The most common sets of parts have a probe of their own."""
        common = Counter(entry.parts for entry in entries if entry.parts)
        chosen: list[tuple[Part, ...]] = []
        parts: set[Part] = set()
        for probe, _ in common.most_common(PROBES_OF_RULES):
            if len(parts | set(probe)) <= PARTS_MAX:
                parts |= set(probe)
                chosen.append(probe)
        self.popular = Counter(part for entry in entries for part in entry.parts)
        self.probes, self.known, self.parts = chosen, set(chosen), parts

    def _probe_of(self, entry: Entry) -> tuple[Part, ...]:
        """Its own, or the largest that it has all parts of, or the part that most have."""
        own = set(entry.parts)
        if entry.parts in self.known:
            return entry.parts
        best = max((probe for probe in self.probes if own.issuperset(probe)), key=len, default=())
        if best or not own:
            return best
        part = max(own, key=lambda one: (self.popular[one], one))
        if len(self.probes) >= PROBES_MAX or len(self.parts | {part}) > PARTS_MAX:
            return ()
        self.probes.append((part,))
        self.known.add((part,))
        self.parts.add(part)
        return (part,)

    def _split_long_rows(self) -> None:
        """Rules that share all keys, but differ by an interval, go into its tree."""
        facts = set(self.intervals)
        for place, row in list(self.rows.items()):
            if len(row) <= LONG_ROW:
                continue
            kept = []
            for entry in row:
                narrow = [found for found in entry.ranges if LEAST < found[1] and found[2] < MOST
                          and (found[0] in facts or len(facts) < TREES_MAX)]
                if narrow:
                    self._add_range(entry.rule, narrow)
                    facts = set(self.intervals)
                else:
                    kept.append(entry)
            if kept:
                self.rows[place] = kept
            else:
                del self.rows[place]

    def hash_of(self, probe: tuple[Part, ...], values: tuple[object, ...]) -> int:
        return slot_hash(self._key(part, value) for part, value in zip(probe, values, strict=True))

    def _key(self, part: Part, value: object) -> int:
        found = self.hashed.get((part, value))
        if found is None:
            number, content = 0, b""
            if isinstance(value, int):
                number = int(value)
            elif isinstance(value, tuple):
                content = value[0]
            elif isinstance(value, bytes):
                content = value
            found = self.hashed[part, value] = key(*part, content, number)
        return found

    def absent_rows(self) -> dict[int, list[int]]:
        """The first rules that stand under each fact, and have no value where it is absent."""
        found: defaultdict[int, set[int]] = defaultdict(set)
        for (probe, _), row in self.rows.items():
            for fact, kind, _ in probe:
                if kind != HAS:
                    found[fact].update(entry.rule for entry in row[:ABSENT_MAX])
        for fact, intervals in self.intervals.items():
            found[fact].update(sorted(rule for _, _, rule in intervals)[:ABSENT_MAX])
        return {fact: sorted(rules)[:ABSENT_MAX] for fact, rules in found.items()}


class Block:
    """Lays the sections out, one after the other."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.out = bytearray(HEADER.size)

    def row(self, rules: Iterable[int]) -> tuple[int, int]:
        """Where these rule numbers stand: at, count."""
        ordered = sorted(set(rules))
        if len(ordered) < 2:
            return (ordered[0], 1) if ordered else (0, 0)
        self.numbers += ordered
        return len(self.numbers) - len(ordered), len(ordered)

    def section(self, packed: bytes) -> int:
        at = len(self.out)
        self.out += packed + bytes(-len(packed) % 8)
        return at


def build(rules: Sequence[Iterable[Term] | None], n_facts: int) -> Built:
    """The index of ``rules``: of each its terms, or None where nothing is known of it."""
    builder, entries = Builder(len(rules), n_facts), []
    for number, terms in enumerate(rules):
        of_rule = None if terms is None else [entry_of(number, term) for term in terms]
        if of_rule is None or any(e and not e.parts and not e.ranges for e in of_rule):
            builder.always.add(number)
        else:
            entries += [entry for entry in of_rule if entry]
    builder.add(entries)
    return _write(builder)


def _write(builder: Builder) -> Built:
    block = Block()
    used = sorted({probe for probe, _ in builder.rows})
    parts = sorted({part for probe in used for part in probe})
    place = {part: i for i, part in enumerate(parts)}
    members: list[int] = []
    probes = []
    for probe in used:
        probes.append(struct.pack("<2H", len(members), len(probe)))
        members += [place[part] for part in probe]
    parts_at = block.section(b"".join(struct.pack("<2HI", *part) for part in parts))
    probes_at = block.section(b"".join(probes))
    members_at = block.section(struct.pack(f"<{len(members)}H", *members))
    trees_at = block.section(bytes(24 * len(builder.intervals)))
    absent = builder.absent_rows()
    absent_at = block.section(b"".join(
        struct.pack("<2I", *block.row(absent.get(fact, ()))) for fact in range(builder.n_facts)))
    n_slots, packed = _slots(builder, block)
    slots_at = block.section(packed)
    trees = [_tree(block, fact, builder.intervals[fact]) for fact in sorted(builder.intervals)]
    always = block.row(builder.always)
    rules_at = block.section(struct.pack(f"<{len(block.numbers)}I", *block.numbers))
    block.out[trees_at:trees_at + 24 * len(trees)] = b"".join(trees)
    HEADER.pack_into(
        block.out, 0, MAGIC, len(block.out), builder.n_rules, builder.n_facts, len(parts),
        len(used), len(members), len(trees), builder.n_facts, 0, n_slots, *always,
        len(block.numbers), parts_at, probes_at, members_at, trees_at, absent_at, slots_at,
        rules_at)
    return Built(bytes(block.out), Tallies(len(builder.always), len(used), len(builder.rows)))


def _slots(builder: Builder, block: Block) -> tuple[int, bytes]:
    """The table, at most half full. Rows of one hash are one: a walk cannot tell them apart."""
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for (probe, values), row in builder.rows.items():
        rows[builder.hash_of(probe, values)] += [entry.rule for entry in row]
    n_slots = 1 << max(1, (2 * len(rows)).bit_length())
    table = bytearray(16 * n_slots)
    for hashed, rules in rows.items():
        slot = hashed % n_slots
        while table[16 * slot + 12:16 * slot + 16] != bytes(4):
            slot = (slot + 1) % n_slots
        struct.pack_into("<Q2I", table, 16 * slot, hashed, *block.row(rules))
    return n_slots, bytes(table)


def _tree(block: Block, fact: int, intervals: list[tuple[int, int, int]]) -> bytes:
    """A segment tree: each interval in the few nodes that make it up."""
    borders = sorted({border for least, most, _ in intervals for border in (least, most + 1)
                      if LEAST < border <= MOST})
    leaves = 1 << len(borders).bit_length()
    if leaves > 1 << (DEPTH_MAX - 1):
        raise ValueError(f"{len(borders)} different bounds of one fact; 2^19 - 1 is the most")
    place = {border: i + 1 for i, border in enumerate(borders)}
    nodes: defaultdict[int, list[int]] = defaultdict(list)
    for least, most, rule in intervals:
        left = leaves + place.get(least, 0)
        right = leaves + (place[most + 1] if most < MOST else len(borders) + 1)
        while left < right:
            if left & 1:
                nodes[left].append(rule)
                left += 1
            if right & 1:
                right -= 1
                nodes[right].append(rule)
            left, right = left // 2, right // 2
    borders_at = block.section(struct.pack(f"<{len(borders)}q", *borders))
    rows_at = block.section(b"".join(
        struct.pack("<2I", *block.row(nodes.get(node, ()))) for node in range(2 * leaves)))
    return struct.pack("<2H5I", fact, 0, len(borders), leaves, borders_at, rows_at, 0)
