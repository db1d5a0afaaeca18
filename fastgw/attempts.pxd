# From an admitted request to its answer: attempts, and the answer on its way.

from libc.stdint cimport uint8_t, uint64_t

from fastgw.detect.detector cimport Asked
from fastgw.exchange cimport Exchange
from fastgw.leaving cimport Leaving
from fastgw.native.http1 cimport fgw_head
from fastgw.stream.relay cimport Framing, Relay
from fastgw.upstream.provider cimport Provider
from fastgw.upstream.route cimport Candidate


cdef class Attempts(Leaving):
    cdef int _attempt(self, Exchange x) except -1
    cdef int _turn_to(self, Exchange x, Candidate candidate) except -1
    cdef int _reach(self, Exchange x, Provider provider) except -1
    cdef int _send(self, Exchange x) except -1
    cdef int _draw(self, Exchange x, uint64_t tokens) except -1
    cdef bint _look_at_answer(self, Exchange x, fgw_head *head, const uint8_t *bytes) except -1
    cdef int _track(self, Exchange x, Relay relay) except -1
    cdef int _settle_whole(self, Exchange x) except -1
    cdef int _look(self, Exchange x, Relay relay, Asked asked, const fgw_head *head,
                   const uint8_t *bytes, int coding, int kind) except -1
    cdef bint _tries_another(self, Exchange x, int status) except -1
    cdef bint _push_head(self, Exchange x, const fgw_head *head, const uint8_t *bytes,
                         Framing framing, bint inflated) except -1
    cdef int _pass_withheld(self, Exchange x) except -1
    cdef int _again(self, Exchange x, int code, bint same) except -1
    cdef int _give_up(self, Exchange x, int code) except -1
    cdef Candidate _next(self, Exchange x, bint same)
    cdef int _retry(self, Exchange x, Candidate candidate, int code) except -1
