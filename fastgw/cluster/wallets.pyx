"""The segment as the lessee sees it: what workers ask for, what is granted, what is spent.

The rules are in csrc/fgw_cluster.h. A wallet is named by the entry of its grant; what is spent
stands in the word beside it, which only workers and the sweeper change.
"""

from typing import NamedTuple

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastgw.native.cluster cimport (
    FGW_GRANT_DEGRADED, FGW_GRANT_DRY, FGW_GRANT_WANTED, FGW_STORE_HELD, FGW_STORE_LOST,
    FGW_STORE_UNKNOWN, fgw_board, fgw_board_beat, fgw_board_epoch, fgw_board_read, fgw_board_say,
    fgw_board_take, fgw_cluster_key, fgw_grant_ask, fgw_grant_low, fgw_grant_meta, fgw_grant_read,
    fgw_grant_release, fgw_grant_set, fgw_grant_spec,
    fgw_grant_window)
from fastgw.native.limit cimport fgw_limit_window_key
from fastgw.native.segment cimport (
    FGW_WORKER_DEAD, FGW_WORKER_NONE, fgw_segment_board, fgw_segment_table, fgw_worker_read,
    fgw_worker_seen)
from fastgw.native.table cimport (
    FGW_CELL_GRANT, FGW_TABLE_WAYS, fgw_cell, fgw_table, fgw_table_cell, fgw_table_find,
    fgw_table_insert, fgw_table_read)
from fastgw.native.word cimport fgw_word_value
from fastgw.shm.segment cimport Segment

from fastgw.errors import ShmError

UNKNOWN, HELD, LOST = FGW_STORE_UNKNOWN, FGW_STORE_HELD, FGW_STORE_LOST
WANTED, DRY, DEGRADED = FGW_GRANT_WANTED, FGW_GRANT_DRY, FGW_GRANT_DEGRADED
EPOCH_MAX = 39


class Seen(NamedTuple):
    """A wallet at one moment. ``key``: the limit's, as in the table. ``low``: an exponent of 2;
    ``window``: the low bits of its number."""

    key: tuple[int, int]
    unit: int
    granted: int
    spent: int
    spec: int
    window: int
    low: int
    flags: int

    @property
    def left(self):
        return self.granted - self.spent


class Said(NamedTuple):
    """The board. Times: ns of CLOCK_BOOTTIME."""

    state: int
    nodes: int
    until_ns: int
    beat_ns: int


@cython.final
cdef class Wallets:
    """One per segment: the lessee writes, anybody may read."""

    cdef:
        Segment _segment
        fgw_table _table
        fgw_board *_board

    def __cinit__(self, Segment segment not None):
        self._segment = segment
        self._table = fgw_segment_table(&segment.map)
        self._board = fgw_segment_board(&segment.map)

    @property
    def incarnation(self):
        """Of the words in this segment: sums of another one went on from another beginning."""
        return self._segment.made_ns

    # --- wallets ---------------------------------------------------------------------------

    def read(self, uint64_t entry):
        """`Seen`, or None if there is no wallet at ``entry``."""
        cdef uint64_t key[2]
        cdef uint8_t kind
        cdef uint16_t span
        cdef uint64_t meta
        if not fgw_table_read(&self._table, entry, key, &kind, &span) or (
                kind >> 4 != FGW_CELL_GRANT):
            return None
        granted = fgw_grant_read(fgw_table_cell(&self._table, entry), &meta)
        fgw_cluster_key(key, key)
        word = fgw_table_find(&self._table, key)
        spent = fgw_word_value(&fgw_table_cell(&self._table, word).word) if word >= 0 else 0
        return Seen((key[0], key[1]), kind & 15, granted, spent, fgw_grant_spec(meta),
                    fgw_grant_window(meta), fgw_grant_low(meta), meta & 255)

    def all(self):
        """The entries of all wallets, in no order."""
        return self.scan(0, self.places)

    def scan(self, uint64_t first, uint64_t number):
        """The entries of those wallets that are among ``number`` places from ``first`` on."""
        cdef uint64_t entry
        cdef uint64_t key[2]
        cdef uint8_t kind
        cdef uint16_t span
        found = []
        for entry in range(first, min(first + number, <uint64_t>self.places)):
            if fgw_table_read(&self._table, entry, key, &kind, &span) and (
                    kind >> 4 == FGW_CELL_GRANT):
                found.append(entry)
        return found

    @property
    def places(self):
        return <uint64_t>self._table.n_groups * FGW_TABLE_WAYS

    @staticmethod
    def neighbour(key, uint64_t start_ns, step_ns):
        """The key of the window ``step_ns`` after (or before) the one that ``key`` is of."""
        cdef uint64_t whole[2]
        whole[0], whole[1] = key
        fgw_limit_window_key(whole, start_ns)  # its own inverse
        fgw_limit_window_key(whole, start_ns + step_ns)
        return whole[0], whole[1]

    def grant(self, uint64_t entry, uint64_t granted, *, uint32_t spec, uint32_t window=0,
              uint32_t low=0, uint32_t flags=0):
        """Sets all of it; nobody has asked then. False: the entry has gone."""
        self._segment._check_writable()
        cdef fgw_cell *cell = fgw_table_cell(&self._table, entry)
        return cell != NULL and bool(
            fgw_grant_set(cell, granted, fgw_grant_meta(spec, window, low, flags)))

    def release(self, uint64_t entry, uint32_t flags=0):
        """Whoever needs more may ask again; ``flags`` say why there was nothing."""
        self._segment._check_writable()
        cdef fgw_cell *cell = fgw_table_cell(&self._table, entry)
        if cell != NULL:
            fgw_grant_release(cell, flags)

    def demands(self):
        """[(entry, need)], taken off the board."""
        cdef uint32_t at = 0, entry
        cdef uint64_t need
        self._segment._check_writable()
        found = []
        while fgw_board_take(self._board, &at, &entry, &need):
            found.append((entry, need))
        return found

    def ask(self, key, uint8_t unit, uint32_t spec, uint64_t need, uint32_t window=0):
        """As a worker does: the grant's entry, inserted if it was not there. True: posted."""
        cdef uint64_t whole[2]
        cdef int inserted
        self._segment._check_writable()
        whole[0], whole[1] = key
        fgw_cluster_key(whole, whole)
        entry = fgw_table_insert(&self._table, whole, <uint8_t>(FGW_CELL_GRANT << 4 | unit & 15),
                                 0, &inserted)
        if entry < 0:
            raise ShmError("the limit table is full")
        return bool(fgw_grant_ask(self._board, fgw_table_cell(&self._table, <uint64_t>entry),
                                  <uint32_t>entry, spec, window, need))

    # --- the board -------------------------------------------------------------------------

    def say(self, *, uint32_t state, uint32_t nodes, uint64_t until_ns):
        self._segment._check_writable()
        fgw_board_say(self._board, state, nodes, until_ns)

    def beat(self, uint64_t now_ns):
        self._segment._check_writable()
        fgw_board_beat(self._board, now_ns)

    def said(self):
        cdef uint32_t state, nodes
        cdef uint64_t until_ns, beat_ns
        fgw_board_read(self._board, &state, &nodes, &until_ns, &beat_ns)
        return Said(state, nodes, until_ns, beat_ns)

    @property
    def epoch(self):
        """Of the store, that this segment's wallets belong to; '' if to none."""
        cdef const char *text = fgw_board_epoch(self._board)
        return text[:EPOCH_MAX].partition(b"\0")[0].decode("ascii", "replace")

    @epoch.setter
    def epoch(self, str name not None):
        self._segment._check_writable()
        encoded = name.encode("ascii")[:EPOCH_MAX]
        cdef char *text = fgw_board_epoch(self._board)
        memset(text, 0, EPOCH_MAX + 1)
        memcpy(text, <const char *>encoded, len(encoded))

    # --- workers ---------------------------------------------------------------------------

    def turns(self):
        """How far each worker's loop is: for `went_on`."""
        cdef fgw_worker_seen seen
        turns = []
        for worker in range(self._segment.map.workers):
            fgw_worker_read(self._segment.slot(worker), &seen)
            # A worker that was reaped is in the middle of nothing.
            gone = seen.state in (FGW_WORKER_NONE, FGW_WORKER_DEAD)
            turns.append(None if gone else (seen.generation, seen.turns))
        return turns

    def went_on(self, before):
        """True once every worker has ended the turn that it was in at ``before``: none of them
        still acts upon what it read then."""
        return all(old is None or old != now
                   for old, now in zip(before, self.turns(), strict=True))
