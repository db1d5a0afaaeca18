# csrc/fgw_price.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastgw.native.record cimport fgw_tokens, fgw_units


cdef extern from "fgw_price.h" nogil:
    const uint64_t FGW_PRICE_UNKNOWN

    enum fgw_price_flag:
        FGW_PRICE_OLD_LIMIT_NAME
        FGW_PRICE_SEARCHED_ONCE

    struct fgw_price:
        uint32_t version
        uint8_t rows
        uint8_t flags
        uint8_t pictures
        uint64_t output_max
        uint64_t window

    bint fgw_price_has(const fgw_price *price, uint8_t tier) noexcept
    int64_t fgw_price_cost(
        const fgw_price *price, uint8_t tier, const fgw_tokens *tokens, const fgw_units *units,
        uint64_t picture) noexcept
    int64_t fgw_price_ceiling(
        const fgw_price *price, unsigned int tiers, uint64_t input, uint64_t output,
        uint64_t searches, bint writes) noexcept
    uint64_t fgw_price_output_within(
        const fgw_price *price, unsigned int tiers, uint64_t input, uint64_t searches,
        uint64_t room_nano, bint writes) noexcept
    uint64_t fgw_price_kind(const char *quality, size_t quality_bytes, const char *size,
                            size_t size_bytes) noexcept
    uint64_t fgw_price_micro(int64_t nano_usd) noexcept
