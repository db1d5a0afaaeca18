# csrc/fgw_refusals.h, name for name. No logic lives here.
from libc.stdint cimport uint64_t

from fastgw.native.record cimport fgw_record_request
from fastgw.native.ring cimport fgw_ring


cdef extern from "fgw_refusals.h" nogil:
    const int FGW_REFUSALS_ROWS
    const int FGW_REFUSALS_PER_KEY
    const int FGW_REFUSALS_NO_KEY

    struct fgw_refusals:
        pass  # shared with the worker's successor; only C touches it

    struct fgw_pacer:
        pass

    int fgw_pacer_take(fgw_pacer *pacer, uint64_t account, uint64_t now_ns) noexcept
    int fgw_refusals_sample(fgw_refusals *counts, const fgw_record_request *refused) noexcept
    int fgw_refusals_add(fgw_refusals *counts, const fgw_record_request *refused) noexcept
    int fgw_refusals_flush(fgw_refusals *counts, fgw_ring *ring, uint64_t wall_ns) noexcept
    void fgw_refusals_recover(fgw_refusals *counts, const fgw_ring *ring) noexcept
