# What pace and caps take of a request, and how a request is made to fit what a cap has left.
from libc.stdint cimport uint64_t

from fastgw.exchange cimport Exchange
from fastgw.limit.limits cimport Limits


cdef enum Fit:
    FIT_SMALLER = 0              # output_max was lowered to what is left
    FIT_ALREADY = 1              # caps have room for it as it is
    FIT_NOTHING = 2              # not even for one token of each answer


cdef class Ceilings:
    cdef:
        Limits limits
        bytes marks              # what bounds each limit of the plan: enum Mark
        readonly bint capped     # some limit is a cap
        bint priced              # some limit counts money

    # What may be held for this request at all. 0, or the FGW code of a refusal: a cap that denies
    # what has no bound. May close candidates without a price, and choose another.
    cdef int bound(self, Exchange x) except -1

    # Fills expected, ceiling, bounded, by output_bound, input_bound and the candidates left.
    cdef int amounts(self, Exchange x) except -1

    # After a refusal: makes output_max as large as the caps have room for, and the amounts with
    # it.
    cdef Fit shrink(self, Exchange x, uint64_t now_ns) except? FIT_NOTHING

    cdef int limit_output(self, Exchange x, uint64_t each) except -1
    cdef int _price(self, Exchange x, int denied) except -1
    cdef bint _writes(self, Exchange x) noexcept
