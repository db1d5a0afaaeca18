# An answer that is kept back as a whole, with its head, until it has been looked at.
from libc.stdint cimport uint8_t

from fastgw.native.http1 cimport fgw_head


cdef class Withheld:
    cdef:
        fgw_head head
        bytes source             # what the head's offsets point into
        bytearray _body
        int coding               # of media.Coding
        bint coded               # gzip or deflate

    cdef int add(self, const uint8_t *bytes, size_t length) except -1
    # The body, inflated.
    cdef bytes take(self)


cdef Withheld withhold(const fgw_head *head, const uint8_t *bytes, int coding)
# Whether the answer's head announces text, JSON or nothing at all.
cdef bint is_text(const fgw_head *head, const uint8_t *bytes) noexcept
