"""Phase ROUTE: what a model costs at one provider, by patterns over its name."""

cimport cython
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastgw.native.glob cimport fgw_glob_match
from fastgw.native.price cimport fgw_price_cost
from fastgw.native.record cimport fgw_tokens

cdef enum:
    SEEN_MAX = 256    # names whose row is known; a power of two. Any other costs one look at all


@cython.final
cdef class PriceList:
    """``rows``: (glob pattern of a model's name, its price as ``usage.prices.Price.pack`` has
    it); the first that fits holds."""

    def __cinit__(self, rows):
        cdef Py_ssize_t at
        cdef bytes packed
        self._patterns = [pattern.encode() for pattern, _ in rows]
        self._prices = <fgw_price *>calloc(len(self._patterns) + 1, sizeof(fgw_price))
        self._seen = <PriceSeen *>calloc(SEEN_MAX, sizeof(PriceSeen))
        if self._prices == NULL or self._seen == NULL:
            raise MemoryError()
        for at, (_, price) in enumerate(rows):
            packed = price
            if <size_t>len(packed) != sizeof(fgw_price):
                raise ValueError(f"a price has {sizeof(fgw_price)} bytes, not {len(packed)}")
            memcpy(&self._prices[at], <const char *>packed, sizeof(fgw_price))

    def __dealloc__(self):
        free(self._prices)
        free(self._seen)

    cdef const fgw_price *find(
        self, uint64_t hash, const uint8_t *model, size_t length
    ) noexcept:
        cdef PriceSeen *seen = &self._seen[hash & (SEEN_MAX - 1)]
        if seen.model != hash or hash == 0:
            seen.model = hash
            seen.row = self._look(model, length)
        return &self._prices[seen.row - 1] if seen.row else NULL

    cdef uint32_t _look(self, const uint8_t *model, size_t length) noexcept:
        cdef bytes pattern
        cdef uint32_t row = 0
        for pattern in self._patterns:
            row += 1
            if fgw_glob_match(<const uint8_t *>pattern, <size_t>len(pattern), model, length) == 1:
                return row
        return 0

    def cost(self, str model, uint8_t tier, tokens):
        """(nano-dollars, version of the price) of ``tokens``, a number for each class as
        ``fgw_tokens`` has them; None: it has no price."""
        cdef bytes packed = self.of(model)
        cdef const fgw_price *price = <const fgw_price *><const char *>packed
        cdef fgw_tokens used
        (used.input, used.cached_input, used.cache_write, used.cache_write_1h, used.output,
         used.reasoning, used.audio_input, used.audio_output) = tokens
        cdef int64_t nano = fgw_price_cost(price, tier, &used, NULL, 0) if packed else -1
        return (nano, price.version) if nano >= 0 else None

    def of(self, str model):
        """The packed price of a model; b"" where it is unknown."""
        cdef bytes name = model.encode()
        cdef uint32_t row = self._look(<const uint8_t *>name, <size_t>len(name))
        return (<const char *>&self._prices[row - 1])[:sizeof(fgw_price)] if row else b""
