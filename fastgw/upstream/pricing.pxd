# Prices of models that no candidate names, found while serving.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.price cimport fgw_price


cdef struct PriceSeen:
    uint64_t model               # name hash
    uint32_t row                 # + 1; 0: none fits


cdef class PriceList:
    cdef:
        fgw_price *_prices
        list _patterns
        PriceSeen *_seen

    cdef uint32_t _look(self, const uint8_t *model, size_t length) noexcept

    # The price of a model by its name and the name's hash; NULL: unknown. Valid as long as the
    # list is.
    cdef const fgw_price *find(
        self, uint64_t hash, const uint8_t *model, size_t length) noexcept
