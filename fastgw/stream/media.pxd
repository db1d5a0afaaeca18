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
cdef enum Coding:
    CODING_IDENTITY = 0
    CODING_GZIP = 1
    CODING_DEFLATE = 2
    CODING_BR = 3       # this one and those behind it are not read here
    CODING_ZSTD = 4
    CODING_OTHER = 5    # or several

# A Coding, by content-encoding.
cdef int coding_of(const fgw_head *head, const uint8_t *bytes) noexcept

cdef inline bint inflates(int coding) noexcept:
    return coding == CODING_GZIP or coding == CODING_DEFLATE

# Why a body with this coding, or one that is broken, was not read (enum fgw_unread).
cdef uint8_t unread_of(int coding) noexcept
# What inflates a body that begins with `data`, or its next member.
cdef object inflater_of(object data, int coding)

# Whether a stream of this kind can be looked at, and ended, event by event.
cdef bint by_event(int kind) noexcept
