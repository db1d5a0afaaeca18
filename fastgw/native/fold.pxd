# csrc/fgw_fold.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.pack cimport fgw_packer
from fastgw.native.rollup cimport fgw_attempts, fgw_pages, fgw_rollups, fgw_tally


cdef extern from "fgw_fold.h" nogil:
    struct fgw_fold:
        const uint8_t *records
        size_t length
        size_t at
        uint64_t place
        fgw_tally tally
        uint64_t capped
        fgw_pages pages
        fgw_packer packer
        uint8_t *out
        size_t written

    enum fgw_fold_stop:
        FGW_FOLD_END
        FGW_FOLD_ROLLUPS
        FGW_FOLD_ATTEMPTS
        FGW_FOLD_SEEN
        FGW_FOLD_BROKEN

    void fgw_fold_begin(fgw_fold *fold) noexcept
    int fgw_fold_run(
        fgw_fold *fold, fgw_rollups *rollups, fgw_attempts *attempts, size_t *seen
    ) noexcept
