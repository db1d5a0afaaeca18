"""Phase LIMIT: all collected limits together, or none; settled to the truth when the request ends.

    hold = limits.hold_acquire(&id, wall)              who runs
    refused = limits.take(effects, &expected, &ceiling, now, wall, hold, traces, &inserted)
    ...                                                progress words, as events pass
    limits.draw(hold, &more, now)                      a cap's next slice
    limits.settle(hold, &actual, now)                  what it really used
    limits.hold_release(hold)

The words are in the segment, so that all workers spend from the same; what a killed worker has
taken is in its holds, for the sweeper. The rules are in csrc/fgw_limit.h.
"""

cimport cython
from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from posix.unistd cimport write

from fastgw.native.bucket cimport fgw_quota_init
from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.hold cimport (
    FGW_HOLD_CEILING, fgw_hold, fgw_hold_amount, fgw_hold_begin, fgw_hold_end, fgw_hold_is_live,
    fgw_hold_limit)
from fastgw.native.limit cimport (
    FGW_ALGORITHM_CAP, FGW_ALGORITHM_CONCURRENCY, FGW_ALGORITHM_FIXED_WINDOW,
    FGW_ALGORITHM_SLIDING_WINDOW, FGW_ALGORITHM_TOKEN_BUCKET, fgw_limit_spec, fgw_limits_draw,
    fgw_limits_fit, fgw_limits_held, fgw_limits_intend, fgw_limits_room, fgw_limits_settle,
    fgw_limits_take)
from fastgw.native.policy cimport fgw_amounts, fgw_effects
from fastgw.native.record cimport (
    FGW_UNIT_COST, FGW_UNIT_INPUT_TOKENS, FGW_UNIT_OUTPUT_TOKENS, FGW_UNIT_REQUESTS,
    FGW_LIMIT_UNDONE, FGW_TRACE_RANG, FGW_TRACE_WAITS, FGW_UNIT_SLOTS, FGW_UNIT_TOKENS,
    fgw_limit_trace, fgw_request_id)
from fastgw.native.segment cimport (
    fgw_segment, fgw_segment_board, fgw_segment_dones, fgw_segment_hold, fgw_segment_slot,
    fgw_segment_table)
from fastgw.native.window cimport fgw_window_check
from fastgw.shm.segment cimport Segment

from fastgw.errors import ShmError
from fastgw.limit.windows import bounds

UNITS = {
    "requests": FGW_UNIT_REQUESTS,
    "tokens": FGW_UNIT_TOKENS,
    "input_tokens": FGW_UNIT_INPUT_TOKENS,
    "output_tokens": FGW_UNIT_OUTPUT_TOKENS,
    "cost": FGW_UNIT_COST,
    "slots": FGW_UNIT_SLOTS,
}
ALGORITHMS = {
    "token_bucket": FGW_ALGORITHM_TOKEN_BUCKET,
    "concurrency": FGW_ALGORITHM_CONCURRENCY,
    "cap": FGW_ALGORITHM_CAP,
    "fixed_window": FGW_ALGORITHM_FIXED_WINDOW,
    "sliding_window": FGW_ALGORITHM_SLIDING_WINDOW,
}
STORE_LOSS = {"closed": 0, "local_share": 1, "open": 2}
LOST = {"ceiling": 0, "progress": 1}

cdef enum:
    SUMMED_MAX = 8 * 4096    # holds that a refusal may look at: half a millisecond


@cython.final
cdef class Holds:
    """The arena of one worker, which must have been swept: every hold in it is free."""

    def __cinit__(self, Segment segment not None, uint32_t worker):
        cdef uint32_t index
        segment._check_writable()
        segment.slot(worker)
        self.segment = segment
        self.worker = worker
        self.size = segment.map.holds_per_worker
        self._stack = <uint32_t *>malloc(self.size * sizeof(uint32_t))
        if self._stack == NULL:
            raise MemoryError()
        for index in range(self.size):
            if fgw_hold_is_live(fgw_segment_hold(&segment.map, worker, index)):
                raise ShmError(f"worker {worker}: its arena has not been swept")
            self._stack[index] = self.size - 1 - index
        self.free = self.size

    def __dealloc__(self):
        free(self._stack)

    cdef fgw_hold *acquire(self, const fgw_request_id *id, uint64_t wall_ns) noexcept nogil:
        if self.free == 0:
            return NULL
        self.free -= 1
        cdef fgw_hold *hold = fgw_segment_hold(
            &self.segment.map, self.worker, self._stack[self.free])
        fgw_hold_begin(hold, id, wall_ns)
        return hold

    cdef void release(self, fgw_hold *hold) noexcept nogil:
        cdef fgw_hold *first = fgw_segment_hold(&self.segment.map, self.worker, 0)
        fgw_hold_end(hold)
        self._stack[self.free] = <uint32_t>(hold - first)
        self.free += 1


@cython.final
cdef class Limits:
    """The limits of one policy version, in the order that demands name them by."""

    def __cinit__(self, specs, Holds holds not None, wall_ns=None, int bell=-1):
        """``specs``: {unit, algorithm, capacity, period_ns, rule, enforced, window, time_zone,
        on_worker_lost, cluster, on_store_loss} each; unit and algorithm by name or number, rule
        the hash of the limit's name. ``wall_ns``: CLOCK_REALTIME, for the calendar windows.
        ``bell``: a descriptor that wakes the cluster's lessee, -1: there is none.
        ValueError: a quota that cannot be kept, such as a bucket's capacity above period_ns."""
        self.holds = holds
        self._specs = <fgw_limit_spec *>calloc(len(specs) + 1, sizeof(fgw_limit_spec))
        if self._specs == NULL:
            raise MemoryError()
        for at, spec in enumerate(specs):
            _fill(&self._specs[<Py_ssize_t>at], spec)
        self._calendar = [
            (at, spec["window"], spec.get("time_zone") or "UTC") for at, spec in enumerate(specs)
            if spec.get("window", "total") not in ("", "total")]
        self._limits.specs = self._specs
        self._limits.n_specs = <uint32_t>len(specs)
        self._limits.worker = holds.worker
        self._limits.table = fgw_segment_table(&holds.segment.map)
        self._limits.dones = fgw_segment_dones(&holds.segment.map)
        self._limits.slot = fgw_segment_slot(&holds.segment.map, holds.worker)
        self._limits.board = fgw_segment_board(&holds.segment.map)
        self.may_sum = True
        self.bell = bell
        self.roll(fgw_clock_wall_ns() if wall_ns is None else wall_ns)

    def __dealloc__(self):
        free(self._specs)

    def __len__(self):
        return self._limits.n_specs

    cpdef int roll(self, uint64_t wall_ns) except -1:
        """Lets the calendar caps count in the windows of this instant. A request stays with the
        window that it was admitted in."""
        cdef uint64_t start, end, soonest = <uint64_t>-1
        for at, window, zone in self._calendar:
            start, end = bounds(window, zone, wall_ns)
            self._specs[<Py_ssize_t>at].window_start_ns = start
            self._specs[<Py_ssize_t>at].window_end_ns = end
            soonest = min(soonest, end)
        self.next_roll_ns = soonest
        return 0

    cdef int take(
            self, const fgw_effects *effects, const fgw_amounts *expected,
            const fgw_amounts *ceiling, uint64_t now_ns, uint64_t wall_ns, fgw_hold *hold,
            fgw_limit_trace *traces, uint32_t *inserted) noexcept nogil:
        cdef int refused = fgw_limits_take(
            &self._limits, effects.demands, effects.n_demands, expected, ceiling, now_ns, wall_ns,
            hold, traces, inserted)
        if self.bell >= 0:
            self._ring(traces, effects.n_demands)
        return refused

    cdef void _ring(self, const fgw_limit_trace *traces, uint32_t n) noexcept nogil:
        """Wakes the cluster's lessee where a demand was posted."""
        cdef uint64_t one = 1
        cdef uint32_t i
        for i in range(n):
            if traces[i].flags & FGW_TRACE_RANG:
                # A full eventfd wakes as well, and the lessee looks by itself ten times a second.
                write(self.bell, &one, sizeof(one))
                return

    cdef bint waits(self, const fgw_limit_trace *traces, uint32_t n) noexcept nogil:
        """A refusal that is only for want of a slice which the lessee was asked for."""
        cdef uint32_t i
        cdef bint found = False
        for i in range(n):
            if not traces[i].enforced or traces[i].verdict == FGW_LIMIT_UNDONE:
                continue
            if not traces[i].flags & FGW_TRACE_WAITS:
                return False
            found = True
        return found

    cdef void do_without(self, bint alone) noexcept nogil:
        """True: the next takes decide as if the cluster's store were lost."""
        self._limits.alone = alone

    cdef void room(
            self, const fgw_effects *effects, uint64_t now_ns, uint64_t wall_ns,
            uint64_t *room) noexcept nogil:
        fgw_limits_room(&self._limits, effects.demands, effects.n_demands, now_ns, wall_ns, room)

    cdef int draw(self, fgw_hold *hold, const fgw_amounts *more, uint64_t now_ns) noexcept nogil:
        return fgw_limits_draw(&self._limits, hold, more, now_ns)

    cdef bint fit(
            self, const fgw_effects *effects, const fgw_amounts *expected,
            const fgw_amounts *ceiling, uint64_t now_ns, uint64_t wall_ns) noexcept nogil:
        return fgw_limits_fit(&self._limits, effects.demands, effects.n_demands, expected,
                              ceiling, now_ns, wall_ns)

    cdef uint64_t edge(
            self, const fgw_hold *hold, uint64_t input_high, uint64_t output_high) noexcept nogil:
        cdef uint64_t edge = UINT64_MAX
        cdef uint64_t pays
        cdef const fgw_hold_limit *limit
        cdef int i
        for i in range(hold.n_limits):
            limit = &hold.limits[i]
            if not limit.flags & FGW_HOLD_CEILING or not limit.enforced:
                continue
            if limit.unit == FGW_UNIT_OUTPUT_TOKENS:
                pays = fgw_hold_amount(limit)
            elif limit.unit == FGW_UNIT_TOKENS:
                pays = fgw_hold_amount(limit)
                pays -= pays if pays < input_high else input_high
            elif limit.unit == FGW_UNIT_COST:
                pays = output_high
            else:
                continue
            if pays < edge:
                edge = pays
        return edge

    cdef void sum_held(self, fgw_limit_trace *traces, uint32_t n) noexcept nogil:
        cdef fgw_segment *map = &self.holds.segment.map
        if self.may_sum and <uint64_t>map.workers * map.holds_per_worker <= SUMMED_MAX:
            self.may_sum = False
            fgw_limits_held(map, traces, n)

    cdef void intend(self, fgw_hold *hold, const fgw_amounts *actual) noexcept nogil:
        fgw_limits_intend(hold, actual)

    cdef void settle(
            self, fgw_hold *hold, const fgw_amounts *actual, uint64_t now_ns) noexcept nogil:
        fgw_limits_settle(&self._limits, hold, actual, now_ns)

    cdef fgw_hold *hold_acquire(
            self, const fgw_request_id *id, uint64_t wall_ns) noexcept nogil:
        return self.holds.acquire(id, wall_ns)

    cdef void hold_release(self, fgw_hold *hold) noexcept nogil:
        self.holds.release(hold)


cdef int _fill(fgw_limit_spec *spec, wanted) except -1:
    unit, algorithm = wanted["unit"], wanted.get("algorithm", "token_bucket")
    spec.unit = UNITS[unit] if isinstance(unit, str) else unit
    spec.algorithm = ALGORITHMS[algorithm] if isinstance(algorithm, str) else algorithm
    spec.rule = wanted.get("rule", 0)
    spec.enforced = bool(wanted.get("enforced", True))
    spec.holds = spec.algorithm == FGW_ALGORITHM_CAP
    spec.lost = LOST[wanted.get("on_worker_lost") or "ceiling"]
    # Slots are of one node: a request that runs somewhere else is no load here.
    spec.cluster = bool(wanted.get("cluster")) and spec.algorithm != FGW_ALGORITHM_CONCURRENCY
    spec.store_loss = STORE_LOSS[wanted.get("on_store_loss") or "closed"]
    # Concurrency and caps have no period; the longest keeps the same check on its capacity.
    counted = spec.algorithm in (FGW_ALGORITHM_CAP, FGW_ALGORITHM_CONCURRENCY)
    period = 1 << 61 if counted else wanted["period_ns"]
    if not (0 < wanted["capacity"] < 1 << 62 and 0 < period < 1 << 62):
        raise ValueError(f"no quota of {wanted['capacity']} per {period} ns can be kept")
    if not counted and spec.algorithm != FGW_ALGORITHM_TOKEN_BUCKET:
        if fgw_window_check(wanted["capacity"], period):
            raise ValueError(f"no window of {wanted['capacity']} per {period} ns can be kept")
        spec.quota.capacity, spec.quota.period_ns = wanted["capacity"], period
    elif fgw_quota_init(&spec.quota, wanted["capacity"], period):
        raise ValueError(f"{wanted['capacity']} per {period} ns: more than one unit per ns")
    return 0
