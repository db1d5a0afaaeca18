# Clients that go before their answer has ended: it is cut off, or read on without them.

from libc.stdint cimport uint64_t

from fastgw.ending cimport Endings
from fastgw.exchange cimport Exchange
from fastgw.shm.segment cimport Segment
from fastgw.stream.relay cimport Relay


cdef class Leaving(Endings):
    cdef int _belong(self, Segment segment, int slot) except -1
    cdef bint _begin_drain(self, Exchange x) except -1
    cdef uint64_t _tokens_read(self, Exchange x) noexcept
    cdef int _read_on(self, Exchange x) except -1
    cdef int _drain_answer(self, Exchange x, Relay relay) except -1
    cdef int _drain_bytes(self, Exchange x, size_t length) except -1
    cdef int _drained(self, Exchange x, Relay relay) except -1
