# csrc/fgw_rollup.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.record cimport fgw_dims, fgw_record, fgw_request_id, fgw_tokens, fgw_units


cdef extern from "fgw_rollup.h" nogil:
    const uint64_t FGW_MINUTE_NS
    const int FGW_PAGE_BITS

    struct fgw_rollup:
        uint64_t minute
        fgw_dims dims
        uint64_t requests
        uint64_t denied
        uint64_t attempts
        fgw_tokens tokens
        uint64_t input_low
        uint64_t input_high
        uint64_t output_low
        uint64_t output_high
        uint64_t unbounded
        uint64_t cost_nano_usd
        uint64_t cost_unknown
        fgw_units units

    struct fgw_rollups:
        fgw_rollup *rows
        uint32_t *slots
        uint32_t slots_count
        uint32_t rows_max
        uint32_t used
        uint32_t last

    int fgw_rollups_add(fgw_rollups *rollups, const fgw_record *record) noexcept

    void fgw_rollups_reseat(fgw_rollups *rollups) noexcept

    enum fgw_attempt_state:
        FGW_ATTEMPT_OPENED
        FGW_ATTEMPT_CLOSED
        FGW_ATTEMPT_BOTH

    struct fgw_attempt:
        fgw_request_id id
        uint64_t offset
        uint8_t attempt
        uint8_t state

    struct fgw_attempts:
        fgw_attempt *rows
        uint32_t *slots
        uint32_t slots_count
        uint32_t rows_max
        uint32_t used

    int fgw_attempts_note(
        fgw_attempts *attempts, const fgw_record *record, uint64_t offset
    ) noexcept
    void fgw_attempts_reseat(fgw_attempts *attempts) noexcept
    const fgw_attempt *fgw_attempts_find(
        const fgw_attempts *attempts, const fgw_request_id *id, uint8_t attempt
    ) noexcept

    struct fgw_page:
        uint32_t generation
        uint32_t worker
        uint64_t page

    struct fgw_tally:
        uint64_t records
        uint64_t requests
        uint64_t denied
        uint64_t opens
        uint64_t closes
        uint64_t names
        uint64_t counted
        uint64_t wall_first
        uint64_t wall_last

    struct fgw_pages:
        fgw_page *pages
        size_t max
        size_t used

    int fgw_tally_add(
        fgw_tally *tally, const uint8_t *records, size_t length, fgw_pages *pages
    ) noexcept
