# native/index.pxd: csrc/fgw_index.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.policy cimport fgw_value


cdef extern from "fgw_index.h" nogil:
    const uint32_t FGW_INDEX_NO_RULE

    struct fgw_index_part:
        uint16_t fact
        uint16_t kind
        uint32_t length

    struct fgw_index:
        uint32_t n_rules
        uint32_t n_facts

    struct fgw_index_walk:
        uint32_t n_rows

    uint64_t fgw_index_key(const fgw_index_part *part, const uint8_t *bytes, size_t length,
                           int64_t number) noexcept
    uint64_t fgw_index_hash(const uint64_t *keys, size_t count) noexcept
    int fgw_index_verify(const void *block, size_t size) noexcept
    void fgw_index_start(const fgw_index *index, const fgw_value *facts,
                         fgw_index_walk *walk) noexcept
    uint32_t fgw_index_next(fgw_index_walk *walk) noexcept
