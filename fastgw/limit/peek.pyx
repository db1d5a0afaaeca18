"""Reads live buckets without a configuration: for `fastgw limits`, the admin API and tests.

Works on a read-only mapping. What an identity means stands in the ledger's NAME_BUCKET records.
"""

from typing import NamedTuple

from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.bucket cimport fgw_bucket_peek, fgw_quota, fgw_quota_init
from fastgw.native.limit cimport fgw_limit_key
from fastgw.native.segment cimport fgw_segment_table
from fastgw.native.table cimport (
    FGW_CELL_CAP, FGW_CELL_PACE, FGW_CELL_SLOTS, FGW_TABLE_WAYS, fgw_cell, fgw_table,
    fgw_table_cell, fgw_table_cell_of, fgw_table_find, fgw_table_read)
from fastgw.native.word cimport fgw_word_value
from fastgw.shm.segment cimport Segment

KINDS = {FGW_CELL_PACE: "pace", FGW_CELL_SLOTS: "slots", FGW_CELL_CAP: "cap"}


class Entry(NamedTuple):
    """One live word. ``raw``: the instant (CLOCK_BOOTTIME, ns) at which a pace is full; else the
    amount in use."""

    identity: tuple[int, int]
    kind: str
    unit: int
    raw: int
    place: int


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


def entries(Segment segment not None):
    """Every entry in use, in no order."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    found = []
    for index in range(<uint64_t>table.n_groups * FGW_TABLE_WAYS):
        entry = _entry(&table, index)
        if entry is not None:
            found.append(entry)
    return found


def find(Segment segment not None, identity):
    """The entry of one identity, or None."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t key[2]
    key[0], key[1] = identity
    index = fgw_table_find(&table, key)
    return _entry(&table, <uint64_t>index) if index >= 0 else None


def level(Segment segment not None, entry, capacity, period_ns, uint64_t now_ns):
    """How full it is by a quota, or None if the entry has gone. ValueError: no such quota."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef fgw_quota quota
    cdef uint64_t used, reset_ns
    cdef uint64_t key[2]
    key[0], key[1] = entry.identity
    cdef fgw_cell *cell = fgw_table_cell_of(&table, entry.place, key)
    if cell == NULL:
        return None
    if entry.kind != "pace":
        used = fgw_word_value(&cell.word)
        return Level(used, used, capacity, 0)
    if fgw_quota_init(&quota, capacity, period_ns):
        raise ValueError(f"no quota: {capacity} per {period_ns} ns")
    fgw_bucket_peek(&cell.bucket, &quota, now_ns, &used, &reset_ns)
    return Level(used, 0, capacity, reset_ns)


cdef _entry(const fgw_table *table, uint64_t index):
    cdef uint64_t key[2]
    cdef uint8_t kind
    if not fgw_table_read(table, index, key, &kind):
        return None
    raw = fgw_word_value(&fgw_table_cell(table, index).word)
    return Entry((key[0], key[1]), KINDS.get(kind >> 4, "unknown"), kind & 15, raw, index)
