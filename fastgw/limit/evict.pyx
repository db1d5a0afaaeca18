"""Frees places of the limit table that nobody needs: supervisor only.

A full bucket, an empty slot count and a window that is over are worth no more than no entry at
all, so they may go; but a worker may have found one just before. So an entry is buried first, and
freed only when every worker has passed a turn of its loop since: then whoever comes gets a new
place for the key. What workers sent away, or left half-made when they were killed, goes the same
way.

Only crowded groups are visited: an entry that is evicted and comes back costs a name record.
"""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.segment cimport (
    FGW_OWNERS_SPARE, FGW_WORKER_DEAD, FGW_WORKER_NONE, fgw_segment_dones, fgw_segment_table,
    fgw_worker_read, fgw_worker_seen)
from fastgw.native.table cimport (
    FGW_TABLE_WAYS, fgw_table, fgw_table_bury, fgw_table_crowd, fgw_table_free_buried,
    fgw_table_is_leaving, fgw_table_leave)
from fastgw.shm.segment cimport Segment

# Of 14 places: more than this many in use, and those that can go are freed.
CROWDED = 8
# What one step visits at least, and the steps (a quarter of a second each) of a whole round: in
# ten seconds whatever may go is on its way, however large the table.
GROUPS_MIN, ROUND = 512, 40


def share(groups):
    """How many groups of a table of so many one step visits."""
    return max(GROUPS_MIN, -(-groups // ROUND))


@cython.final
cdef class Evictor:
    """One per segment and supervisor. `step` is to be called a few times a second."""

    cdef:
        Segment _segment
        list _buried      # entries on their way out
        list _turns       # each worker's (generation, turns) when the last of them was buried
        uint32_t _group   # where the next step goes on
        readonly uint64_t freed

    def __cinit__(self, Segment segment not None):
        cdef fgw_table table = fgw_segment_table(&segment.map)
        cdef uint64_t entry
        segment._check_writable()
        self._segment = segment
        self._buried = []
        # What a supervisor that died has left half-way.
        for entry in range(<uint64_t>table.n_groups * FGW_TABLE_WAYS):
            if fgw_table_is_leaving(&table, entry):
                fgw_table_leave(&table, entry)
                self._buried.append(entry)
        self._turns = self._now()

    def step(self, uint64_t now_ns, groups=None, wall_ns=None):
        """Frees what was buried, if every worker has gone on since, and then buries what can go in
        the next ``groups`` groups (a share of the table, if not given). ``wall_ns``:
        CLOCK_REALTIME, now if not given. Returns how many places it freed."""
        cdef uint64_t wall = fgw_clock_wall_ns() if wall_ns is None else wall_ns
        cdef fgw_table table = fgw_segment_table(&self._segment.map)
        freed = 0
        if self._buried:
            if not self._all_went_on():
                return 0
            for entry in self._buried:
                fgw_table_free_buried(&table, entry)
            freed = len(self._buried)
            self.freed += freed
            self._buried = []
        if groups is None:
            groups = share(table.n_groups)
        for _ in range(min(groups, table.n_groups)):
            self._visit(&table, now_ns, wall)
        if self._buried:
            self._turns = self._now()
        return freed

    cdef void _visit(self, const fgw_table *table, uint64_t now_ns, uint64_t wall_ns):
        cdef uint32_t group = self._group
        cdef int place
        cdef uint64_t entry
        self._group = (group + 1) % table.n_groups
        if fgw_table_crowd(table, group) <= CROWDED:
            return
        for place in range(FGW_TABLE_WAYS):
            entry = <uint64_t>group * FGW_TABLE_WAYS + place
            if fgw_table_bury(table, fgw_segment_dones(&self._segment.map), entry, now_ns,
                              wall_ns):
                self._buried.append(entry)

    cdef list _now(self):
        cdef fgw_worker_seen seen
        turns = []
        # Spare owners too: the cluster's process finds entries as workers do.
        for worker in range(self._segment.map.workers + FGW_OWNERS_SPARE):
            fgw_worker_read(self._segment.owner(worker), &seen)
            # A worker that was reaped is in the middle of nothing.
            gone = seen.state in (FGW_WORKER_NONE, FGW_WORKER_DEAD)
            turns.append(None if gone else (seen.generation, seen.turns))
        return turns

    cdef bint _all_went_on(self):
        """A worker that came since has never seen what was buried before it."""
        return all(before is None or before != now
                   for before, now in zip(self._turns, self._now(), strict=True))
