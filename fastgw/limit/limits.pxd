cimport cython
from libc.stdint cimport uint32_t, uint64_t

from fastgw.native.hold cimport fgw_hold
from fastgw.native.limit cimport fgw_limit_spec, fgw_limits
from fastgw.native.policy cimport fgw_amounts, fgw_effects
from fastgw.native.record cimport fgw_limit_trace, fgw_request_id
from fastgw.shm.segment cimport Segment


@cython.final
cdef class Holds:
    """One worker's arena: which of its holds are free. One per worker, over all reloads."""

    cdef:
        Segment segment
        readonly uint32_t worker
        readonly uint32_t free    # how many
        readonly uint32_t size
        uint32_t *_stack          # indices of the free ones, the warmest on top

    # NULL: none is free (FGW code and counter are the caller's). The hold is live and empty.
    cdef fgw_hold *acquire(self, const fgw_request_id *id, uint64_t wall_ns) noexcept nogil

    # The hold's limits must be settled and its attempt closed.
    cdef void release(self, fgw_hold *hold) noexcept nogil


@cython.final
cdef class Limits:
    """One policy's limits in one worker. A reload makes a new one over the same Holds."""

    cdef:
        fgw_limits _limits
        fgw_limit_spec *_specs
        readonly Holds holds
        readonly uint64_t next_roll_ns  # CLOCK_REALTIME: when the next calendar window begins
        readonly int bell               # wakes the cluster's lessee; -1: there is none
        bint may_sum                    # the next refusal may look at all holds
        list _calendar                  # (spec's number, window, time zone) of each to be rolled

    # Once wall_ns >= next_roll_ns, before anything else of that instant.
    cpdef int roll(self, uint64_t wall_ns) except -1

    # 0: all taken; 1: refused. traces[effects.n_demands] are filled either way. Bit i of
    # *inserted: demand i's bucket is new, post its name under traces[i].identity.
    cdef int take(
        self, const fgw_effects *effects, const fgw_amounts *expected, const fgw_amounts *ceiling,
        uint64_t now_ns, uint64_t wall_ns, fgw_hold *hold, fgw_limit_trace *traces,
        uint32_t *inserted) noexcept nogil

    cdef void _ring(self, const fgw_limit_trace *traces, uint32_t n) noexcept nogil

    # After a refusal: 1 if it is only for want of a slice that is on its way from the cluster.
    cdef bint waits(self, const fgw_limit_trace *traces, uint32_t n) noexcept nogil

    # Whether to decide as if the cluster's store were lost: it was waited for in vain.
    cdef void do_without(self, bint alone) noexcept nogil

    # The least room left among the enforced caps, by unit; UINT64_MAX: none. Reads only.
    cdef void room(
        self, const fgw_effects *effects, uint64_t now_ns, uint64_t wall_ns,
        uint64_t *room) noexcept nogil

    # Sums what is held of these limits, if `may_sum` says so (the owner's timer sets it anew), and
    # not where there are too many holds to look at.
    cdef void sum_held(self, fgw_limit_trace *traces, uint32_t n) noexcept nogil

    # Would a request with these effects be admitted now? Reads only.
    cdef bint fit(
        self, const fgw_effects *effects, const fgw_amounts *expected, const fgw_amounts *ceiling,
        uint64_t now_ns, uint64_t wall_ns) noexcept nogil

    # Takes more for every cap of the hold, or nothing: 0 drawn, 1 refused.
    cdef int draw(self, fgw_hold *hold, const fgw_amounts *more, uint64_t now_ns) noexcept nogil

    # Output tokens that the hold's enforced caps pay for, all answers together, if the input is at
    # most `input_high`; UINT64_MAX: it has no cap that output counts in. A cap in cost was priced
    # for `output_high` of them.
    cdef uint64_t edge(
        self, const fgw_hold *hold, uint64_t input_high, uint64_t output_high) noexcept nogil

    # Just before the last CLOSE is posted, with what `settle` will be given: a death in between
    # leaves the caps of this hold to be settled to it.
    cdef void intend(self, fgw_hold *hold, const fgw_amounts *actual) noexcept nogil

    # Once per hold is enough, twice is harmless. All amounts 0: the request costs nothing.
    cdef void settle(
        self, fgw_hold *hold, const fgw_amounts *actual, uint64_t now_ns) noexcept nogil

    cdef fgw_hold *hold_acquire(
        self, const fgw_request_id *id, uint64_t wall_ns) noexcept nogil
    cdef void hold_release(self, fgw_hold *hold) noexcept nogil
