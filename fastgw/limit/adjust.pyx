"""Changes to limits from outside a worker: grants, resets, what was rebuilt from the ledger.

For one process per spare owner (the supervisor; the cluster's process), which is nobody's worker
and holds nothing: a change by it has happened or not when it dies, and nothing is left to sweep.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from fastgw.native.bucket cimport fgw_bucket_set
from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.limit cimport fgw_limits, fgw_limits_tag
from fastgw.native.segment cimport fgw_segment_dones, fgw_segment_table
from fastgw.native.table cimport (
    FGW_CELL_CAP, FGW_CELL_PACE, FGW_CELL_SLOTS, FGW_CELL_WINDOW, fgw_cell,
    fgw_table_cell, fgw_table_find, fgw_table_insert, fgw_table_leave, fgw_table_read,
    fgw_table_span)
from fastgw.native.window cimport fgw_window_set
from fastgw.native.word cimport fgw_word_set, fgw_word_settle
from fastgw.shm.segment cimport Segment

from fastgw.errors import ShmError
from fastgw.limit.peek import find
from fastgw.shm.segment import SUPERVISOR

KINDS = {"pace": FGW_CELL_PACE, "slots": FGW_CELL_SLOTS, "cap": FGW_CELL_CAP,
         "window": FGW_CELL_WINDOW}
TRIES = 8  # an entry that is buried meanwhile is looked for again


@cython.final
cdef class Adjust:
    """``key`` is an identity as traces and names carry it: marked, and with its window."""

    cdef:
        Segment _segment
        fgw_limits _limits

    def __cinit__(self, Segment segment not None, owner=SUPERVISOR):
        segment._check_writable()
        self._segment = segment
        self._limits.worker = segment.map.workers + <unsigned>owner
        self._limits.table = fgw_segment_table(&segment.map)
        self._limits.dones = fgw_segment_dones(&segment.map)
        self._limits.slot = segment.owner(self._limits.worker)

    def read(self, key):
        """Its Entry (fastgw.limit.peek), or None."""
        return find(self._segment, key)

    def set(self, key, str kind, value, *, int unit=0, uint64_t window_end_ns=0, wall_ns=None):
        """Makes the cell's value this, whatever it was, and the entry if there is none.

        ``kind`` and ``value`` as `fastgw.limit.peek.Entry` has them: an amount of a cap or of
        slots, the instant at which a pace is full (0: now), (raw, other) of a window (0: nothing
        used). ``window_end_ns``: of a cap, CLOCK_REALTIME. ShmError: the table has no room.
        ValueError: the entry is of another kind.
        """
        cdef uint64_t halves[2]
        cdef uint64_t wall = fgw_clock_wall_ns() if wall_ns is None else wall_ns
        cdef uint16_t span = fgw_table_span(window_end_ns, wall) if kind == "cap" else 0
        cdef uint64_t whole[2]
        cdef uint8_t stands = 0
        cdef fgw_cell *cell
        cdef int gone
        halves[0], halves[1] = value if isinstance(value, tuple) else (value, 0)
        for _ in range(TRIES):
            entry = self._insert(key, KINDS[kind] << 4 | unit & 15, span)
            if fgw_table_read(&self._limits.table, entry, whole, &stands, &span) and (
                    stands >> 4 != KINDS[kind]):
                raise ValueError(f"{key} is no {kind}")
            cell = fgw_table_cell(&self._limits.table, entry)
            if kind == "pace":
                gone = fgw_bucket_set(&cell.bucket, halves[0])
            elif kind == "window":
                gone = fgw_window_set(&cell.window, halves)
            else:
                gone = fgw_word_set(&cell.word, self._limits.dones, halves[0], self._tag())
            if not gone:
                return
            fgw_table_leave(&self._limits.table, entry)
        raise ShmError(f"the entry of {key} cannot be had")

    def add(self, key, delta):
        """Adds to a cap or to slots, whatever the limit; never below 0. Returns the value, or None
        if there is no such entry. ValueError: pace and windows are no amounts."""
        cdef uint64_t whole[2]
        cdef uint64_t halves[2]
        cdef uint64_t less = max(-delta, 0), more = max(delta, 0), value = 0
        cdef uint8_t kind = 0
        cdef uint16_t span
        cdef fgw_cell *cell
        halves[0], halves[1] = key
        cdef int64_t entry = fgw_table_find(&self._limits.table, halves)
        if entry < 0 or not fgw_table_read(&self._limits.table, entry, whole, &kind, &span):
            return None
        if kind >> 4 not in (FGW_CELL_CAP, FGW_CELL_SLOTS):
            raise ValueError(f"{key} counts by time: set it")
        cell = fgw_table_cell(&self._limits.table, entry)
        if fgw_word_settle(&cell.word, self._limits.dones, less, more, self._tag(), &value):
            return None
        return value

    cdef uint64_t _insert(self, key, uint8_t kind, uint16_t span) except? 0:
        cdef uint64_t halves[2]
        cdef int inserted
        halves[0], halves[1] = key
        cdef int64_t entry = fgw_table_insert(&self._limits.table, halves, kind, span, &inserted)
        if entry < 0:
            raise ShmError(f"no room in the limit table for {key}")
        return entry

    cdef uint64_t _tag(self) noexcept:
        return fgw_limits_tag(&self._limits)
