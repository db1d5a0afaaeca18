# What a request is: dialect and operation, whose key, and what its body asks for.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.identity.keys cimport KeyTable
from fastgw.native.json cimport fgw_json


# Each returns 0, or the code (codes.pxd) of the refusal.
cdef int find_route(Exchange x) noexcept
cdef int authenticate(Exchange x, KeyTable keys)
cdef int identify(Exchange x, fgw_json *scan) noexcept
# What the body says after it was changed; no estimate or bound is made anew.
cdef int identify_again(Exchange x, fgw_json *scan) noexcept

# The value of a field, by id: its length, 0 if absent.
cdef size_t field(Exchange x, uint8_t id, const uint8_t **value) noexcept
