"""Phase STREAM: what kind of body an answer's head announces."""

import zlib

from libc.string cimport memcmp, strlen

from fastgw.native.dialect cimport (
    FGW_DIALECT_BEDROCK,
    FGW_DIALECT_COHERE,
    FGW_DIALECT_GEMINI,
    FGW_DIALECT_OLLAMA,
    FGW_ROUTE_STREAM,
)
from fastgw.native.dialect_meter cimport (
    FGW_STREAM_ARRAY,
    FGW_STREAM_FRAMES,
    FGW_STREAM_NDJSON,
    FGW_STREAM_NONE,
    FGW_STREAM_SSE,
)
from fastgw.native.record cimport (
    FGW_UNREAD_BR,
    FGW_UNREAD_BROKEN,
    FGW_UNREAD_OTHER,
    FGW_UNREAD_ZSTD,
)
from fastgw.native.http1 cimport FGW_H_CONTENT_ENCODING, FGW_H_CONTENT_TYPE, fgw_http1_find


cdef bint begins(const uint8_t *bytes, size_t length, const char *word) noexcept:
    """``bytes`` begin with ``word`` (lower case), in any case."""
    cdef size_t i
    cdef size_t size = strlen(word)
    cdef uint8_t c
    if length < size:
        return False
    for i in range(size):
        c = bytes[i]
        if 65 <= c <= 90:
            c |= 0x20
        if c != <uint8_t>word[i]:
            return False
    return True


cdef int own_kind(const fgw_route *route) noexcept:
    """How this API writes a stream."""
    if route.dialect == FGW_DIALECT_OLLAMA:
        return FGW_STREAM_NDJSON
    return FGW_STREAM_FRAMES if route.dialect == FGW_DIALECT_BEDROCK else FGW_STREAM_SSE


cdef int stream_kind(
    const fgw_route *route, const fgw_head *head, const uint8_t *bytes, bint asked
) noexcept:
    cdef int at = fgw_http1_find(head, FGW_H_CONTENT_TYPE)
    cdef const uint8_t *value
    cdef size_t length
    if at < 0:
        return own_kind(route) if asked else FGW_STREAM_NONE
    value = bytes + head.headers[at].value_off
    length = head.headers[at].value_len
    if (
        length == 16 and memcmp(value, <const char *>b"application/json", 16) == 0
        and route.dialect != FGW_DIALECT_GEMINI
    ):
        return FGW_STREAM_NONE  # nearly always, and what the words below come to
    if begins(value, length, b"text/event-stream"):
        return FGW_STREAM_SSE
    if asked and (
        length == 0 or begins(value, length, b"text/plain")
        or begins(value, length, b"application/octet-stream")
    ):
        return own_kind(route)  # official SDKs do not look at it, either
    if not begins(value, length, b"application/"):
        return FGW_STREAM_NONE
    value += 12
    length -= 12
    if begins(value, length, b"json"):
        # Google streams one array where nobody has asked for events.
        if route.dialect == FGW_DIALECT_GEMINI and route.flags & FGW_ROUTE_STREAM:
            return FGW_STREAM_ARRAY
        return FGW_STREAM_NONE
    if route.dialect in (FGW_DIALECT_OLLAMA, FGW_DIALECT_COHERE) and (
        begins(value, length, b"x-ndjson") or begins(value, length, b"stream+json")
    ):
        return FGW_STREAM_NDJSON
    if route.dialect == FGW_DIALECT_BEDROCK and begins(value, length, b"vnd.amazon.eventstream"):
        return FGW_STREAM_FRAMES
    return FGW_STREAM_NONE


cdef bint by_event(int kind) noexcept:
    return kind == FGW_STREAM_SSE or kind == FGW_STREAM_NDJSON


cdef int coding_of(const fgw_head *head, const uint8_t *bytes) noexcept:
    cdef int at = fgw_http1_find(head, FGW_H_CONTENT_ENCODING)
    cdef const uint8_t *value
    cdef size_t length
    if at < 0:
        return CODING_IDENTITY
    value = bytes + head.headers[at].value_off
    length = head.headers[at].value_len
    if length == 0 or (length == 8 and begins(value, length, b"identity")):
        return CODING_IDENTITY
    if (length == 4 and begins(value, length, b"gzip")) or (
        length == 6 and begins(value, length, b"x-gzip")
    ):
        return CODING_GZIP
    if length == 7 and begins(value, length, b"deflate"):
        return CODING_DEFLATE
    if length == 2 and begins(value, length, b"br"):
        return CODING_BR
    return CODING_ZSTD if length == 4 and begins(value, length, b"zstd") else CODING_OTHER


cdef uint8_t unread_of(int coding) noexcept:
    if coding == CODING_BR:
        return FGW_UNREAD_BR
    if coding == CODING_ZSTD:
        return FGW_UNREAD_ZSTD
    return FGW_UNREAD_OTHER if coding == CODING_OTHER else FGW_UNREAD_BROKEN


cdef object inflater_of(object data, int coding):
    """`deflate` is zlib's format (RFC 9110 section 8.4.1.2), but some send it bare, which browsers
    read as well. The first byte tells: the lower half of zlib's is 8, where a bare one has the
    kind of a block (stored, and padding that nobody sends); gzip's 1f is no kind of block."""
    cdef uint8_t first = data[0]
    cdef bint bare = coding == CODING_DEFLATE and first & 15 != 8 and first != 0x1F
    return zlib.decompressobj(-15 if bare else 47)
