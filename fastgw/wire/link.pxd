# One connection, seen from the gateway: receive into a buffer, send slices, shut, why closed.
# The same interface serves plain TCP (direct send on the descriptor) and TLS (through uvloop).
from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.wheel cimport fgw_timer


cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len


cdef enum:
    RECV_BYTES = 65536   # one read; what a stalled client can add to a worker's memory
    BLOCK_BYTES = 4096   # the first buffer of a request; most fit
    BLOCKS_KEPT = 64     # of those that nobody uses, by a worker

cdef enum Sent:
    SENT_ALL = 0         # the socket took every byte
    SENT_QUEUED = 1      # the rest waits in the transport; on_writable() follows
    SENT_CLOSED = -2     # nothing goes out on this link any more


cdef class Scratch:
    """The receive buffer that all links of a worker share while they hold no bytes, and blocks
    for those that do: malloc keeps none of this size at hand."""
    cdef uint8_t *bytes
    cdef size_t size
    cdef uint8_t *blocks[BLOCKS_KEPT]
    cdef int n_blocks

    # A block of BLOCK_BYTES from malloc, so that it may be grown or freed; NULL: no memory.
    cdef uint8_t *take_block(self) noexcept nogil
    cdef void give_block(self, uint8_t *block) noexcept nogil


cdef class Link:
    cdef:
        object transport
        Scratch scratch
        int fd               # -1: send through the transport (TLS, or not connected)
        bint is_open         # between connection_made and close or loss
        bint blocked         # the transport's queue is not empty
        bint reading
        uint64_t bytes_sent  # accepted by the socket
        uint64_t bytes_queued
        uint8_t *read_at     # where the next bytes go; NULL: the scratch
        size_t read_room
        fgw_timer timer      # its one time-out, whichever runs now; owner is this object

    cdef ssize_t _hand_over(self, iovec *pieces, int count, size_t total) noexcept nogil
    cdef int send(self, iovec *pieces, int count) except -1
    cdef int send_bytes(self, const uint8_t *bytes, size_t length) except -1
    cdef int pause_read(self) except -1
    cdef int resume_read(self) except -1
    cdef int shut_write(self) except -1
    cdef int close(self) except -1
    cdef int abort(self) except -1
    cdef int reset(self) except -1
    cdef size_t untaken(self) except? 0

    # What the owner of the link implements.
    cdef int on_open(self) except -1
    cdef int on_bytes(self, uint8_t *bytes, size_t length) except -1
    cdef int on_writable(self) except -1
    cdef int on_blocked(self) except -1
    cdef int on_eof(self) except -1
    cdef int on_closed(self, object why) except -1
    cdef int on_timer(self, uint64_t now_ns) except -1
    cdef int on_failure(self, object exception) except -1
