# native/demand.pxd: csrc/fgw_demand.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.policy cimport fgw_value


cdef extern from "fgw_demand.h" nogil:
    enum:
        FGW_DEMAND_PREFIX_MAX
        FGW_DEMAND_VALUES_MAX

    int fgw_demand_key(
        const uint8_t *prefix, size_t prefix_length, const fgw_value *values, uint32_t n_values,
        uint32_t addresses, uint64_t *identity, uint8_t *text, size_t capacity) noexcept
    struct fgw_known_keys:
        pass

    struct fgw_known_names:
        pass

    uint32_t fgw_value_text(const fgw_value *value, uint8_t *out, uint32_t capacity) noexcept
    uint64_t fgw_name_hash(const uint8_t *text, size_t length) noexcept
    uint64_t fgw_name_recall(
        fgw_known_names *known, const uint8_t *text, size_t length) noexcept
