# One connection to a provider: it carries one exchange at a time.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Exchange, Receiver
from fastgw.native.chunk cimport fgw_chunk
from fastgw.native.http1 cimport fgw_head
from fastgw.upstream.provider cimport Provider
from fastgw.wire.link cimport Link, iovec


cdef enum ConnectionState:
    CONNECTING = 0
    IDLE = 1
    AWAIT_HEAD = 2
    BODY_LENGTH = 3
    BODY_CHUNKED = 4
    BODY_CLOSE = 5
    FINISHED = 6


cdef class Connection(Link):
    cdef:
        Provider provider
        Receiver receiver
        Exchange exchange        # whose answer is being read, or None
        object task              # the connect, while it runs
        Connection idle_next     # in the pool: the one that was used before it
        fgw_head head
        fgw_chunk chunk
        uint8_t *partial         # the beginning of a head that came in pieces
        size_t partial_length
        size_t partial_room
        ConnectionState state
        uint64_t remaining       # of a body with content-length
        uint64_t activity_ns     # last byte in either direction
        bint reused              # it has carried an exchange before
        bint keep                # it may carry another after this one
        bint sent                # the whole request left
        bint answered            # a byte of the answer came
        bint counted             # as open; its end is told twice where a FIN comes first
        bint took_leave          # the other side ended it (TLS: by close_notify)

    cdef int connect(self, object loop) except -1
    cdef int begin(self, Exchange x, iovec *pieces, int count) except -1
    cdef int last_words(self) except -1
    cdef int release(self) except -1
    cdef int discard(self) except -1
    cdef int _read_head(self, const uint8_t *bytes, size_t length, size_t *used) except -1
    cdef int _accept_head(self, const uint8_t *bytes, bint more) except -1
    cdef int _read_body(self, uint8_t *bytes, size_t length) except -1
    cdef int _read_chunks(self, uint8_t *bytes, size_t length) except -1
    cdef int _finish(self) except -1
    cdef int _refused(self, int code, object why) except -1
    cdef int _forget(self) except -1
    cdef int _lost(self, int code, object why) except -1
