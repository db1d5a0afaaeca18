"""What a dead worker held is given back, and its open attempts are closed.

The supervisor sweeps a slot after it has reaped the worker (or found it gone), and before it gives
the slot to another. The sweeper goes on as the dead owner: it may itself die at any point and be
run again.
"""

from typing import NamedTuple

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.hold cimport (
    fgw_hold, fgw_hold_closed, fgw_hold_end, fgw_hold_is_live, fgw_hold_is_open, fgw_hold_limit,
    fgw_hold_look, fgw_hold_read_progress, fgw_hold_settled, fgw_progress_seen)
from fastgw.native.bucket cimport fgw_bucket_restore
from fastgw.native.limit cimport fgw_limits, fgw_limits_resolve, fgw_limits_sweep
from fastgw.native.record cimport (
    FGW_BASIS_CERTAIN, FGW_BASIS_LEARNED,
    FGW_FATE_WORKER_LOST, FGW_HELD_SETTLED, FGW_LIMITS_MAX, FGW_PROVENANCE_ESTIMATED,
    FGW_PROVENANCE_PROVIDER, FGW_RECORD_CLOSE, FGW_RECORD_HELD, FGW_RECORD_VERSION,
    FGW_UNIT_INPUT_TOKENS, FGW_UNIT_OUTPUT_TOKENS, FGW_UNIT_TOKENS, fgw_record_close,
    fgw_record_held)
from fastgw.native.segment cimport (
    FGW_WORKER_DEAD, FGW_WORKER_NONE, fgw_segment_dones, fgw_segment_hold, fgw_segment_slot,
    fgw_segment_table, fgw_worker_show_queue)
from fastgw.native.table cimport (
    FGW_CELL_CAP, FGW_CELL_PACE, FGW_CELL_WINDOW, FGW_TABLE_WAYS, fgw_cell, fgw_table,
    fgw_table_cell, fgw_table_insert, fgw_table_read)
from fastgw.native.window cimport fgw_window_read, fgw_window_restore
from fastgw.native.word cimport fgw_word_value
from fastgw.shm.segment cimport Segment

from fastgw.errors import Code
from fastgw.limit.adjust import Adjust


class Swept(NamedTuple):
    """How many requests were running, and how many of their attempts were open."""

    holds: int
    attempts: int


@cython.final
cdef class LostAttempt:
    """An attempt whose worker died before its CLOSE; what is known of it."""

    cdef:
        fgw_record_close _close
        fgw_record_held _held
        readonly object id              # (generation, worker, sequence)
        readonly int attempt
        readonly uint64_t provider_key
        readonly uint64_t input_low     # tokens: what was used lies in [low, high]
        readonly uint64_t input_high
        readonly uint64_t output_low
        readonly uint64_t output_high
        readonly uint64_t events
        readonly uint64_t bytes_in
        readonly uint64_t bytes_out
        readonly uint64_t open_wall_ns
        # The ring sequences that the worker's own OPEN and CLOSE were to get; 0: surely posted,
        # and not got so far.
        readonly uint64_t open_sequence
        readonly uint64_t close_sequence

    def needs_close(self, ring_head):
        """Whether `record` must be posted: the worker's ring, which got as far as ``ring_head``
        (0: there is none any more), has its OPEN and not its CLOSE."""
        opened = ring_head == 0 or self.open_sequence < ring_head
        return opened and not 0 < self.close_sequence < ring_head

    def held(self):
        """The HELD record of what its caps were settled to, to be posted before `record`, so that
        the ledger charges just that; empty: it had none."""
        return (<uint8_t *>&self._held)[:self._held.head.size]

    def record(self):
        """The CLOSE record, fate WORKER_LOST, whole but for the ring's sequence."""
        return (<uint8_t *>&self._close)[:sizeof(fgw_record_close)]


cdef LostAttempt _lost(const fgw_hold *hold, uint64_t wall_ns):
    cdef LostAttempt lost = LostAttempt.__new__(LostAttempt)
    cdef fgw_progress_seen seen
    fgw_hold_read_progress(hold, &seen)
    known = seen.input_tokens != 0
    lost.id = (hold.id.generation, hold.id.worker, hold.id.sequence)
    lost.attempt = hold.attempt
    lost.provider_key = hold.provider_key
    lost.input_low = seen.input_tokens
    lost.input_high = seen.input_tokens if known else hold.input_high
    lost.output_low = seen.output_tokens
    lost.output_high = max(hold.output_high, seen.output_tokens)
    lost.events = seen.events
    lost.bytes_in = seen.bytes_in
    lost.bytes_out = seen.bytes_out
    lost.open_wall_ns = hold.open_wall_ns
    lost.open_sequence = hold.open_sequence
    lost.close_sequence = hold.close_sequence
    _fill(&lost._close, lost, hold, wall_ns, known)
    _fill_held(&lost._held, lost, hold, &seen, wall_ns)
    return lost


cdef void _fill_held(fgw_record_held *record, LostAttempt lost, const fgw_hold *hold,
                     const fgw_progress_seen *seen, uint64_t wall_ns):
    cdef const fgw_hold_limit *limit
    cdef uint64_t amount, earlier
    cdef int i, n = 0
    memset(record, 0, sizeof(fgw_record_held))
    for i in range(min(<int>hold.n_limits, <int>FGW_LIMITS_MAX)):
        limit = &hold.limits[i]
        if limit.cell != FGW_CELL_CAP:
            continue
        amount, earlier = fgw_hold_settled(limit), 0
        if limit.unit in (FGW_UNIT_INPUT_TOKENS, FGW_UNIT_TOKENS):
            earlier += seen.earlier_input
        if limit.unit in (FGW_UNIT_OUTPUT_TOKENS, FGW_UNIT_TOKENS):
            earlier += seen.earlier_output
        record.held[n].identity[0] = limit.identity[0]
        record.held[n].identity[1] = limit.identity[1]
        # What attempts before this one used was charged with theirs.
        record.held[n].amount = amount - min(amount, earlier)
        n += 1
    if n == 0:
        return
    record.head.size = <uint32_t>(<char *>&record.held[n] - <char *>record)
    record.head.kind = FGW_RECORD_HELD
    record.head.version = FGW_RECORD_VERSION
    record.head.flags = FGW_HELD_SETTLED
    record.head.id = hold.id
    record.head.wall_ns = wall_ns
    record.output_high = lost.output_high
    record.attempt = hold.attempt
    record.n_held = <uint8_t>n


cdef void _fill(fgw_record_close *close, LostAttempt lost, const fgw_hold *hold,
                uint64_t wall_ns, bint known):
    memset(close, 0, sizeof(fgw_record_close))
    close.head.size = sizeof(fgw_record_close)
    close.head.kind = FGW_RECORD_CLOSE
    close.head.version = FGW_RECORD_VERSION
    close.head.id = hold.id
    close.head.wall_ns = wall_ns
    close.dims = hold.dims
    close.input_low, close.input_high = lost.input_low, lost.input_high
    close.output_low, close.output_high = lost.output_low, lost.output_high
    # The point: what was delivered, and the input as estimated if it was sent, and no more is
    # known of it: as the limits are settled (fgw_limits_used).
    if known:
        close.tokens.input = lost.input_low
    elif hold.sent:
        close.tokens.input = min(hold.input_estimate, lost.input_high)
    close.tokens.output = lost.output_low
    close.cost_nano_usd = -1
    close.code = Code.WORKER_LOST
    close.fate = FGW_FATE_WORKER_LOST
    close.provenance = FGW_PROVENANCE_ESTIMATED
    close.input_provenance = FGW_PROVENANCE_PROVIDER if known else FGW_PROVENANCE_ESTIMATED
    close.output_provenance = FGW_PROVENANCE_ESTIMATED
    close.input_basis = 0 if known else <uint8_t>FGW_BASIS_LEARNED
    close.output_basis = FGW_BASIS_CERTAIN
    close.attempt = hold.attempt
    close.final = 1
    close.events = <uint32_t>min(lost.events, 0xFFFFFFFF)
    close.bytes_in, close.bytes_out = lost.bytes_in, lost.bytes_out
    close.started_ns = hold.open_wall_ns


def sweep(Segment segment not None, Py_ssize_t worker, uint64_t now_ns, callback, wall_ns=None,
          uint64_t ring_head=0):
    """Settles every hold of a worker that is surely gone, and frees its slot.

    ``callback(LostAttempt)`` is called per open attempt, after its limits are settled and before
    its hold is freed: if it raises, the rest stays, for the next sweep. A sweep that is cut short
    in between calls again for that one attempt (the ledger keeps one CLOSE per id and attempt).
    Post its record only if `LostAttempt.needs_close`. ``ring_head``: how far the worker's ring got
    (0: there is none any more): what is not in it was not asked. Sweeping a swept slot does
    nothing.
    """
    cdef fgw_limits limits
    cdef fgw_hold *hold
    cdef uint32_t index
    cdef uint64_t ended_ns = fgw_clock_wall_ns() if wall_ns is None else wall_ns
    segment._check_writable()
    segment.slot(worker)
    segment.set_state(worker, FGW_WORKER_DEAD)
    memset(&limits, 0, sizeof(limits))
    limits.worker = <uint32_t>worker
    limits.table = fgw_segment_table(&segment.map)
    limits.dones = fgw_segment_dones(&segment.map)
    limits.slot = fgw_segment_slot(&segment.map, <uint32_t>worker)
    # First of all what it was in the middle of (csrc/fgw_limit.h says why).
    for index in range(segment.map.holds_per_worker):
        hold = fgw_segment_hold(&segment.map, <uint32_t>worker, index)
        if fgw_hold_is_live(hold):
            fgw_limits_resolve(&limits, hold)
    holds = attempts = 0
    for index in range(segment.map.holds_per_worker):
        hold = fgw_segment_hold(&segment.map, <uint32_t>worker, index)
        if not fgw_hold_is_live(hold):
            continue
        holds += 1
        if ring_head:
            fgw_hold_look(hold, ring_head)
        fgw_limits_sweep(&limits, hold, now_ns)
        if fgw_hold_is_open(hold):
            attempts += 1
            callback(_lost(hold, ended_ns))
            fgw_hold_closed(hold)
        fgw_hold_end(hold)
    segment.reset_gauges(worker)
    fgw_worker_show_queue(limits.slot, 0, 0)  # who waited in it is gone: nobody is to wake it
    segment.set_state(worker, FGW_WORKER_NONE)
    return Swept(holds, attempts)


def carry_over(Segment older not None, Segment newer not None):
    """Copies every bucket, window and cap of a segment that was replaced (Segment.replaced), after
    its slots are swept: what was spent stays spent. Returns how many; the rest found no room."""
    cdef fgw_table here = fgw_segment_table(&older.map), there = fgw_segment_table(&newer.map)
    cdef uint64_t key[2]
    cdef uint64_t halves[2]
    cdef uint8_t kind
    cdef uint16_t span
    cdef int inserted
    cdef fgw_cell *cell
    cdef fgw_cell *old
    newer._check_writable()
    adjust = Adjust(newer)
    carried = 0
    for entry in range(<uint64_t>here.n_groups * FGW_TABLE_WAYS):
        if (not fgw_table_read(&here, entry, key, &kind, &span)
                or kind >> 4 not in (FGW_CELL_PACE, FGW_CELL_WINDOW, FGW_CELL_CAP)):
            continue
        cell = fgw_table_cell(
            &there, <uint64_t>fgw_table_insert(&there, key, kind, span, &inserted))
        if cell == NULL:
            continue
        old = fgw_table_cell(&here, entry)
        if kind >> 4 == FGW_CELL_PACE:
            fgw_bucket_restore(&cell.bucket, fgw_word_value(&old.word))
        elif kind >> 4 == FGW_CELL_WINDOW:
            fgw_window_read(&old.window, halves)
            fgw_window_restore(&cell.window, halves)
        else:
            adjust.set((key[0], key[1]), "cap", fgw_word_value(&old.word), unit=kind & 15)
        carried += 1
    return carried
