# READ FIRST: the phases of a request, in order. One Journey per worker.
from libc.stdint cimport uint32_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.own cimport Own
from fastgw.waiting cimport PARKED, WAITS


cdef class Journey(Own):
    cdef uint64_t wall_shift_ns      # rehearsals: how much later than now it is

    cdef int _policy(self, Exchange x) except -1
    cdef int _detect(self, Exchange x) except -1
    cdef int _let_out(self, uint64_t now) except -1
    cdef int _find_route(self, Exchange x) except -1
    cdef int _route(self, Exchange x) except -1
    cdef int _limit(self, Exchange x) except -1
    cdef int _decided(self, Exchange x, int code) except -1
    cdef int _park(self, Exchange x, uint64_t now) except -1
    cdef int _admit(self, Exchange x) except -1
    cdef int _dims(self, Exchange x) except -1
    cdef int _take(self, Exchange x, uint64_t now) except -1
    cdef int _fit(self, Exchange x, uint64_t now) except -1
    cdef int _name_buckets(self, Exchange x, uint32_t inserted) except -1
