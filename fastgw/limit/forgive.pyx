"""What somebody has used is forgiven, some of it or all: for grants and resets, by the supervisor.

Only what is used goes: amounts that running requests hold are theirs, and will be settled to the
truth when they end. So a word never falls below what is held, and nothing is given back twice.
"""

from typing import NamedTuple

from libc.stdint cimport uint64_t

from fastgw.native.bucket cimport fgw_bucket_refund, fgw_quota, fgw_quota_init
from fastgw.native.segment cimport fgw_segment_table
from fastgw.native.table cimport fgw_cell, fgw_table, fgw_table_cell_of
from fastgw.native.window cimport fgw_window_check, fgw_window_refund, fgw_window_rule
from fastgw.shm.segment cimport Segment

from fastgw.errors import ShmError
from fastgw.limit import peek

TRIES = 16  # to see what is held standing still for a moment


class Forgiven(NamedTuple):
    """In the limit's unit, held amounts included."""

    before: int
    after: int


def forgive(Segment segment not None, adjust, identity, amount, *, capacity, period_ns,
            bint sliding, uint64_t now_ns, uint64_t wall_ns):
    """Lowers what the word of ``identity`` says is used by ``amount`` (None: all of it).

    ``capacity``, ``period_ns``, ``sliding``: the limit in force. ShmError: no such word, or it is
    one of slots, which only end with their requests, or of a fleet's bucket, which is spent from
    slices.
    """
    entry = adjust.read(identity)
    if entry is None:
        raise ShmError("that bucket is not in use any more")
    if entry.kind == "slots":
        raise ShmError("slots are held by running requests, and free again when those end")
    if entry.kind not in ("cap", "pace", "window"):
        raise ShmError("that bucket is the fleet's, and time repays it")
    if entry.kind == "cap":
        return _cap(segment, adjust, identity, amount)
    before = _used(segment, entry, capacity, period_ns, sliding, now_ns, wall_ns)
    units = before if amount is None else min(amount, before)
    if entry.kind == "pace":
        _pace(segment, entry, units, capacity, period_ns, now_ns)
    elif units >= before:
        adjust.set(identity, "window", 0)
    else:
        _window(segment, entry, units, capacity, period_ns, sliding, wall_ns)
    after = _used(segment, entry, capacity, period_ns, sliding, now_ns, wall_ns)
    return Forgiven(before, after)


def _cap(segment, adjust, identity, amount):
    most = 0
    for _ in range(TRIES):
        seen = peek.held(segment).get(identity, 0)
        entry = adjust.read(identity)
        if entry is None:
            raise ShmError("that bucket is not in use any more")
        held = peek.held(segment).get(identity, 0)
        most = max(most, seen, held)
        if seen == held:
            break
    else:
        held = most  # requests come and go all the time: what was seen at most stays
    spent = max(0, entry.raw - held)
    units = spent if amount is None else min(amount, spent)
    after = adjust.add(identity, -units) if units else entry.raw
    if after is None:
        raise ShmError("that bucket is not in use any more")
    return Forgiven(after + units, after)


def _used(segment, entry, capacity, period_ns, sliding, now_ns, wall_ns):
    level = peek.level(segment, entry, capacity, period_ns, now_ns, wall_ns=wall_ns,
                       sliding=sliding)
    return 0 if level is None else level.used


cdef int _pace(Segment segment, entry, uint64_t units, uint64_t capacity, uint64_t period_ns,
               uint64_t now_ns) except -1:
    cdef fgw_quota quota
    cdef fgw_cell *cell = _cell(segment, entry)
    if cell != NULL and not fgw_quota_init(&quota, capacity, period_ns):
        # Owed for ever: nothing of it has been repaid by time but what the bucket knows itself.
        fgw_bucket_refund(&cell.bucket, &quota, units, <uint64_t>1 << 62, now_ns)
    return 0


cdef int _window(Segment segment, entry, uint64_t units, uint64_t capacity, uint64_t period_ns,
                 bint sliding, uint64_t wall_ns) except -1:
    """From the window that runs; what an earlier one left in sight goes by itself."""
    cdef fgw_window_rule rule
    cdef fgw_cell *cell = _cell(segment, entry)
    if cell == NULL or fgw_window_check(capacity, period_ns):
        return 0
    rule.capacity, rule.period_ns, rule.sliding = capacity, period_ns, sliding
    fgw_window_refund(&cell.window, &rule, units, wall_ns // period_ns * period_ns)
    return 0


cdef fgw_cell *_cell(Segment segment, entry):
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t key[2]
    key[0], key[1] = entry.identity
    return fgw_table_cell_of(&table, entry.place, key)
