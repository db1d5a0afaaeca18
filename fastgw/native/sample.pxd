# csrc/fgw_sample.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint16_t, uint64_t

cdef extern from "fgw_sample.h" nogil:
    struct fgw_sample:
        uint64_t at
        uint16_t length
        uint8_t *bytes

    void fgw_sample_start(fgw_sample *sample) noexcept
    void fgw_sample_hear(fgw_sample *sample, const uint8_t *bytes, size_t length) noexcept
