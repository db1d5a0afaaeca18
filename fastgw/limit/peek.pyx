"""Reads live buckets without a configuration: for `fastgw limits`, the admin API and tests.

Works on a read-only mapping. What an identity means stands in the ledger's NAME_BUCKET records.
"""

from typing import NamedTuple

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.bucket cimport fgw_bucket_peek, fgw_quota, fgw_quota_init
from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.hold cimport fgw_hold, fgw_hold_amount, fgw_hold_is_live
from fastgw.native.cluster cimport fgw_cluster_key
from fastgw.native.limit cimport fgw_limit_key, fgw_limit_window_key
from fastgw.native.record cimport FGW_LIMITS_MAX
from fastgw.native.segment cimport fgw_segment_hold, fgw_segment_table
from fastgw.native.table cimport (
    FGW_CELL_CAP, FGW_CELL_GRANT, FGW_CELL_PACE, FGW_CELL_SLOTS, FGW_CELL_WALLET,
    FGW_CELL_WINDOW, FGW_TABLE_WAYS, fgw_cell, fgw_table, fgw_table_cell, fgw_table_cell_of,
    fgw_table_find, fgw_table_read)
from fastgw.native.window cimport (
    fgw_window_check, fgw_window_peek, fgw_window_read, fgw_window_rule)
from fastgw.native.word cimport fgw_word_value
from fastgw.shm.segment cimport Segment

KINDS = {FGW_CELL_PACE: "pace", FGW_CELL_SLOTS: "slots", FGW_CELL_CAP: "cap",
         FGW_CELL_WINDOW: "window", FGW_CELL_WALLET: "wallet", FGW_CELL_GRANT: "grant"}


class Entry(NamedTuple):
    """One live cell. ``raw``: the instant (CLOCK_BOOTTIME, ns) at which a pace is full; of slots
    and caps the amount in use. Of a window the two halves are ``raw`` and ``other``."""

    identity: tuple[int, int]
    kind: str
    unit: int
    raw: int
    place: int
    other: int
    span: int


class Level(NamedTuple):
    """In the limit's unit; ``used`` above ``limit`` is debt. ``held``: by running requests, of
    ``used`` (pace does not know)."""

    used: int
    held: int
    limit: int
    reset_ns: int


def shadow(identity):
    """The identity under which a limit that is not enforced counts: its word is its own."""
    cdef uint64_t plain[2]
    cdef uint64_t key[2]
    plain[0], plain[1] = identity
    fgw_limit_key(plain, 0, key)
    return key[0], key[1]


def windowed(identity, uint64_t window_start_ns):
    """The identity under which a cap counts in the calendar window that began then (`bounds`)."""
    cdef uint64_t key[2]
    key[0], key[1] = identity
    fgw_limit_window_key(key, window_start_ns)
    return key[0], key[1]


def granted(identity):
    """The identity of the word that says how much of a limit the cluster granted this node."""
    cdef uint64_t key[2]
    cdef uint64_t other[2]
    key[0], key[1] = identity
    fgw_cluster_key(key, other)
    return other[0], other[1]


def held(Segment segment not None):
    """What running requests hold, by identity: of slots, caps, and of pace what it has taken."""
    cdef uint32_t worker, index, at
    cdef uint64_t amount
    cdef fgw_hold *hold
    found = {}
    for worker in range(segment.map.workers):
        for index in range(segment.map.holds_per_worker):
            hold = fgw_segment_hold(&segment.map, worker, index)
            if not fgw_hold_is_live(hold):
                continue
            for at in range(min(hold.n_limits, FGW_LIMITS_MAX)):
                amount = fgw_hold_amount(&hold.limits[at])
                if amount:
                    key = hold.limits[at].identity[0], hold.limits[at].identity[1]
                    found[key] = found.get(key, 0) + amount
    return found


def entries(Segment segment not None):
    """Every entry in use, in no order."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t index
    found = []
    for index in range(<uint64_t>table.n_groups * FGW_TABLE_WAYS):
        entry = _entry(&table, index)
        if entry is not None:
            found.append(entry)
    return found


def count(Segment segment not None):
    """How many entries are in use."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t index, found = 0
    cdef uint64_t key[2]
    cdef uint8_t kind
    cdef uint16_t span
    for index in range(<uint64_t>table.n_groups * FGW_TABLE_WAYS):
        found += fgw_table_read(&table, index, key, &kind, &span)
    return found


def find(Segment segment not None, identity):
    """The entry of one identity, or None."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t key[2]
    key[0], key[1] = identity
    index = fgw_table_find(&table, key)
    return _entry(&table, <uint64_t>index) if index >= 0 else None


def level(Segment segment not None, entry, capacity, period_ns, uint64_t now_ns, *,
          wall_ns=None, bint sliding=False, holding=None):
    """How full it is by a quota, or None if the entry has gone. ``wall_ns`` and ``sliding``: of
    windows. ``holding``: what `held` says of it. ValueError: no such quota."""
    cdef fgw_window_rule rule
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef fgw_quota quota
    cdef uint64_t used, reset_ns
    cdef uint64_t key[2]
    key[0], key[1] = entry.identity
    cdef fgw_cell *cell = fgw_table_cell_of(&table, entry.place, key)
    if cell == NULL:
        return None
    if entry.kind != "pace":
        if entry.kind == "window":
            if fgw_window_check(capacity, period_ns):
                raise ValueError(f"no window: {capacity} per {period_ns} ns")
            rule.capacity, rule.period_ns, rule.sliding = capacity, period_ns, sliding
            fgw_window_peek(&cell.window, &rule,
                            fgw_clock_wall_ns() if wall_ns is None else wall_ns, &used, &reset_ns)
            return Level(used, holding or 0, capacity, reset_ns)
        used = fgw_word_value(&cell.word)
        known = used if entry.kind == "slots" else min(used, holding or 0)
        return Level(used, known, capacity, 0)
    if fgw_quota_init(&quota, capacity, period_ns):
        raise ValueError(f"no quota: {capacity} per {period_ns} ns")
    fgw_bucket_peek(&cell.bucket, &quota, now_ns, &used, &reset_ns)
    return Level(used, holding or 0, capacity, reset_ns)


cdef _entry(const fgw_table *table, uint64_t index):
    cdef uint64_t key[2]
    cdef uint64_t halves[2]
    cdef uint8_t kind
    cdef uint16_t span
    if not fgw_table_read(table, index, key, &kind, &span):
        return None
    halves[0], halves[1] = fgw_word_value(&fgw_table_cell(table, index).word), 0
    if kind >> 4 == FGW_CELL_WINDOW:
        fgw_window_read(&fgw_table_cell(table, index).window, halves)
    return Entry((key[0], key[1]), KINDS.get(kind >> 4, "unknown"), kind & 15, halves[0], index,
                 halves[1], span)
