# The request as the provider gets it: written anew, with the operator's key.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Exchange

# Writes the head to `out`; its length, or -1 if there is no room.
cdef Py_ssize_t write_head(Exchange x, uint8_t *out, size_t room, uint64_t body_length) noexcept

# Request ids as text: "%08x-%02x-%010x", 22 bytes or more.
cdef size_t write_id(Exchange x, uint8_t *out) noexcept
