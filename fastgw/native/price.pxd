# csrc/fgw_price.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastgw.native.record cimport fgw_tokens


cdef extern from "fgw_price.h" nogil:
    const uint64_t FGW_PRICE_UNKNOWN

    enum fgw_price_flag:
        FGW_PRICE_OLD_LIMIT_NAME

    struct fgw_price:
        uint32_t version
        uint8_t tiers
        uint8_t flags
        uint64_t output_max
        uint64_t window

    int64_t fgw_price_cost(const fgw_price *price, const fgw_tokens *tokens) noexcept
    int64_t fgw_price_ceiling(
        const fgw_price *price, uint64_t input, uint64_t output, bint writes) noexcept
    uint64_t fgw_price_output_within(
        const fgw_price *price, uint64_t input, uint64_t room_nano, bint writes) noexcept
    uint64_t fgw_price_micro(int64_t nano_usd) noexcept
