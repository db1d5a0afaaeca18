# What kind of body an answer's head announces.
from libc.stdint cimport uint8_t

from fastgw.native.dialect cimport fgw_route
from fastgw.native.http1 cimport fgw_head

# `bytes` begin with `word` (lower case), in any case.
cdef bint begins(const uint8_t *bytes, size_t length, const char *word) noexcept
# enum fgw_stream_kind, by content-type; FGW_STREAM_NONE: one document.
# `asked`: the client wants a stream.
cdef int stream_kind(
    const fgw_route *route, const fgw_head *head, const uint8_t *bytes, bint asked
) noexcept
# 0 identity, 1 gzip or deflate, 2 anything else.
cdef int coding_of(const fgw_head *head, const uint8_t *bytes) noexcept

# Whether a stream of this kind can be looked at, and ended, event by event.
cdef bint by_event(int kind) noexcept
