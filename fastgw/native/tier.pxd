# csrc/fgw_tier.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t


cdef extern from "fgw_tier.h" nogil:
    const int FGW_TIER_UNTOLD
    const int FGW_TIER_WORD_MAX
    unsigned int FGW_TIER_BIT(unsigned int tier) noexcept

    enum fgw_tier_place:
        FGW_TIER_SERVICE
        FGW_TIER_SPEED
        FGW_TIER_PLACE
        FGW_TIER_PLACES

    struct fgw_tier_said:
        uint8_t *told

    void fgw_tier_say(fgw_tier_said *said, fgw_tier_place place, const char *word,
                      size_t length) noexcept
    uint8_t fgw_tier_of(const fgw_tier_said *said) noexcept
