# csrc/fgw_word.h, name for name. No logic lives here.
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "fgw_word.h" nogil:
    const int FGW_WORD_SHORT
    const int FGW_WORD_GONE

    struct fgw_word:
        pass  # opaque: only C touches the atomic pair

    struct fgw_done:
        pass

    struct fgw_dones:
        fgw_done *of
        uint32_t n

    uint64_t fgw_word_tag(uint32_t slot, uint64_t seq) noexcept
    int fgw_word_add(
        fgw_word *word, fgw_dones dones, uint64_t amount, uint64_t limit, uint64_t tag,
        uint64_t *value) noexcept
    int fgw_word_settle(
        fgw_word *word, fgw_dones dones, uint64_t before, uint64_t after, uint64_t tag,
        uint64_t *value) noexcept
    int fgw_word_happened(const fgw_word *word, fgw_dones dones, uint64_t tag) noexcept
    uint64_t fgw_word_value(const fgw_word *word) noexcept
    int fgw_word_bury(fgw_word *word, fgw_dones dones) noexcept
    int fgw_word_end(fgw_word *word, fgw_dones dones) noexcept
    int fgw_word_set(fgw_word *word, fgw_dones dones, uint64_t value, uint64_t tag) noexcept
