# One client connection: bytes to exchanges, one after another.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Client, Exchange, Receiver
from fastgw.native.chunk cimport fgw_chunk


cdef enum DownstreamState:
    READ_HEAD = 0     # between exchanges, or inside a head
    READ_BODY = 1
    IN_JOURNEY = 2    # the request is whole; the journey has it
    LINGER = 3        # answered without reading everything: drop what still comes, then close
    CLOSED = 4


cdef class Downstream(Client):
    cdef:
        Receiver journey
        object listener
        Exchange exchange
        uint8_t *bytes
        size_t used           # bytes in the buffer
        size_t room
        size_t taken          # of them, by the current exchange
        size_t body_need      # content-length bodies: taken when whole
        size_t raw_at         # chunked bodies: where undecoded bytes begin
        fgw_chunk chunk
        DownstreamState state
        bint advancing
        bint crowded          # one connection too many: refused at its first request
        bint whole            # the current request was read to its end
        bint dropped          # pipelined bytes were thrown away
        bint ended            # the client has sent FIN, and may still read (half_close)
        size_t stalled_at     # bytes that waited when the deadline was last set
        uint64_t lingered
        uint64_t phase_ns     # when the current wait began

    cdef int _need(self, size_t room) except -1
    cdef int _advance(self) except -1
    cdef int _head(self) except -1
    cdef int _body(self) except -1
    cdef int _begin_body(self) except -1
    cdef int _chunked_body(self) except -1
    cdef int _drop_buffer(self) except -1
    cdef int finished(self, Exchange x, bint keep_alive) except -1
    cdef int refused(self, Exchange x) except -1
    cdef int _stop(self) except -1
    cdef int _refuse(self, int code) except -1
    cdef int linger(self) except -1
