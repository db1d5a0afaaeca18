# What kind of body an answer's head announces.
from libc.stdint cimport uint8_t

from fastgw.native.http1 cimport fgw_head

# `bytes` begin with `word` (lower case), in any case.
cdef bint begins(const uint8_t *bytes, size_t length, const char *word) noexcept
# text/event-stream, whatever parameters follow.
cdef bint is_event_stream(const fgw_head *head, const uint8_t *bytes) noexcept
# 0 identity, 1 gzip or deflate, 2 anything else.
cdef int coding_of(const fgw_head *head, const uint8_t *bytes) noexcept
