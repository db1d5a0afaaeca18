# From the model a client asks for to the providers that may serve it.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastgw.native.price cimport fgw_price
from fastgw.upstream.provider cimport Provider


cdef class Candidate:
    cdef:
        readonly Provider provider
        readonly bytes model         # as the provider knows it; empty: the client's own word
        readonly uint32_t weight
        bytes answer_line            # "x-fastgw-model: …\r\n", None if `model` is empty
        uint64_t model_hash          # name hash of `model`, 0 if empty
        fgw_price price              # of `model` at this provider
        readonly bint priced         # it is in the price table
        int64_t current


cdef class Route:
    cdef:
        readonly list candidates     # by weight
        readonly list fallback       # in order, after them

    # `passed`: bit i for the i-th of candidates + fallback. In: those not to be chosen. Out: with
    # the one that was. None where no other speaks the dialect.
    cdef Candidate choose(self, uint8_t dialect, uint64_t *passed)


cdef struct RouteSlot:
    uint64_t hash
    uint32_t number                  # of the route + 1; 0: empty


cdef class Routes:
    cdef:
        RouteSlot *_slots
        uint32_t _mask
        list _routes
        readonly dict providers      # id (bytes) -> Provider
        list _defaults                   # by dialect: the route to its first provider
        readonly bint strict

    cdef Route find(self, uint64_t hash, const uint8_t *model, size_t length)
    cdef Route named(self, bytes model)
    cdef Route pinned(self, const uint8_t *provider, size_t length)
    cdef Route default(self, uint8_t dialect)
    cdef Route any_of(self, uint8_t dialect)
