"""The mock's own reading of HTTP/1.1 request heads and chunk lines; nothing of the gateway's."""

from libc.stdint cimport int64_t


cdef struct Span:
    # Offset and length in the bytes given; at 0 and length 0: the field was not there.
    Py_ssize_t at
    Py_ssize_t length


cdef struct Head:
    Span method
    Span target
    Span authorization
    Span api_key
    Span x_mock
    Span tag
    Span request_id
    Span attempt
    Span content_encoding
    int64_t content_length      # -1: none given
    bint anthropic              # anthropic-version or x-api-key was there
    bint google                 # x-goog-api-key was there
    bint chunked
    bint expects
    bint closes                 # connection: close, or HTTP/1.0
    bint old                    # HTTP/1.0: cannot read chunks
    int hosts
    Py_ssize_t size             # with the empty line


# Bytes of the head with its empty line; -1 not HTTP, -2 not whole yet.
cdef Py_ssize_t parse_head(const char *text, Py_ssize_t size, Head *head) noexcept nogil

# Reads one chunk-size line: its bytes, with *chunk the size announced; -1 or -2 as above.
cdef Py_ssize_t parse_chunk_line(const char *text, Py_ssize_t size, int64_t *chunk) noexcept nogil
