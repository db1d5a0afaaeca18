# csrc/fgw_writing.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "fgw_writing.h" nogil:
    enum fgw_writing:
        FGW_WRITINGS

    struct fgw_writing_count:
        uint64_t letters

    struct fgw_ratios:
        uint32_t *by_count
        uint32_t *by_bytes

    void fgw_writing_hear(
        fgw_writing_count *count, const uint8_t *bytes, size_t length
    ) noexcept
    fgw_writing fgw_writing_of(const fgw_writing_count *count) noexcept
    uint64_t fgw_writing_tokens(
        const fgw_ratios *ratios, fgw_writing writing, uint64_t tokens, uint64_t heard,
        uint64_t total
    ) noexcept
