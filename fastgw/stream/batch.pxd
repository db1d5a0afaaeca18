# What one callback sends to one client, gathered for a single writev.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.wire.link cimport Link, iovec


cdef enum:
    PIECES_MAX = 240         # below IOV_MAX; a fuller batch is sent early
    LINE_BYTES = 20          # room for one chunk-size line
    BATCH_HEAD_BYTES = 65536
    JOIN_BYTES = 2048        # behind a head, that are copied to it


cdef class Batch:
    cdef:
        iovec pieces[256]
        int count
        int open_chunk       # index of the piece that will hold its size line, or -1
        size_t open_bytes    # what stands in that chunk so far
        int lines
        uint8_t line[256 * 20]
        uint8_t *head        # where a head is written before its body is known
        list keep            # bytes objects that pieces point into

    cdef void push(self, const uint8_t *bytes, size_t length) noexcept
    cdef void push_chunked(self, const uint8_t *bytes, size_t length) noexcept
    cdef void close_chunk(self) noexcept
    cdef void replace_chunks(self, const uint8_t *raw, size_t length) noexcept
    cdef bint is_full(self) noexcept
    cdef void _join(self) noexcept
    cdef void forget(self)
    cdef int flush(self, Link client) except -1
