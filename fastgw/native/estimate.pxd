# csrc/fgw_estimate.h, name for name. No logic lives here.
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "fgw_estimate.h" nogil:
    struct fgw_estimate:
        uint64_t model
        uint32_t inputs
        uint32_t outputs

    struct fgw_estimates:
        pass

    const fgw_estimate *fgw_estimates_find(const fgw_estimates *table, uint64_t model) noexcept
    fgw_estimate *fgw_estimates_place(fgw_estimates *table, uint64_t model) noexcept
    uint64_t fgw_estimate_input(
        const fgw_estimate *known, uint64_t guess, uint64_t pictures) noexcept
    uint64_t fgw_estimate_output(const fgw_estimate *known) noexcept
    void fgw_estimate_learn_input(
        fgw_estimate *place, uint64_t guess, uint64_t pictures, uint64_t tokens) noexcept
    void fgw_estimate_learn_output(
        fgw_estimate *place, uint64_t tokens, uint64_t limit) noexcept
