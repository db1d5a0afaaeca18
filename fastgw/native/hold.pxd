# csrc/fgw_hold.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.record cimport fgw_dims, fgw_request_id


cdef extern from "fgw_hold.h" nogil:
    enum fgw_hold_phase:
        FGW_HOLD_FREE
        FGW_HOLD_ADDING
        FGW_HOLD_TAKEN
        FGW_HOLD_SETTLING
        FGW_HOLD_WANTED
        FGW_HOLD_DRAWING

    enum fgw_hold_flag:
        FGW_HOLD_CEILING
        FGW_HOLD_PROGRESS
        FGW_HOLD_SLIDING
        FGW_HOLD_CLUSTER

    struct fgw_hold_limit:
        uint64_t amount[2]
        uint64_t owed_until_ns
        uint64_t identity[2]
        uint64_t capacity
        uint64_t period_ns
        uint32_t entry
        uint8_t unit
        uint8_t cell
        uint8_t enforced
        uint8_t flags

    struct fgw_hold:
        uint8_t attempt
        uint8_t n_limits
        uint8_t sent
        fgw_request_id id
        uint64_t wall_ns
        uint64_t open_wall_ns
        uint64_t deadline_ns
        uint64_t provider_key
        uint64_t close_sequence
        fgw_dims dims
        uint64_t input_high
        uint64_t output_high
        uint64_t input_estimate
        uint64_t cost_held
        uint64_t open_sequence
        fgw_hold_limit limits[8]  # FGW_LIMITS_MAX

    struct fgw_progress_seen:
        uint64_t input_tokens
        uint64_t output_tokens
        uint64_t events
        uint64_t bytes_in
        uint64_t bytes_out
        uint64_t first_byte_ns
        uint64_t earlier_input
        uint64_t earlier_output

    void fgw_hold_begin(fgw_hold *hold, const fgw_request_id *id, uint64_t wall_ns) noexcept
    void fgw_hold_end(fgw_hold *hold) noexcept
    void fgw_hold_opening(
        fgw_hold *hold, uint8_t attempt, uint64_t wall_ns, uint64_t open_sequence) noexcept
    void fgw_hold_open(fgw_hold *hold, uint8_t attempt, uint64_t wall_ns) noexcept
    void fgw_hold_look(fgw_hold *hold, uint64_t ring_head) noexcept
    void fgw_hold_closing(fgw_hold *hold, uint64_t close_sequence) noexcept
    void fgw_hold_closed(fgw_hold *hold) noexcept
    void fgw_hold_progress(
        fgw_hold *hold, uint64_t input_tokens, uint64_t output_tokens, uint64_t events,
        uint64_t bytes_out) noexcept
    void fgw_hold_sent(fgw_hold *hold, uint64_t bytes_in) noexcept
    void fgw_hold_first_byte(fgw_hold *hold, uint64_t now_ns) noexcept
    void fgw_hold_read_progress(const fgw_hold *hold, fgw_progress_seen *seen) noexcept
    int fgw_hold_is_live(const fgw_hold *hold) noexcept
    int fgw_hold_is_open(const fgw_hold *hold) noexcept
    uint64_t fgw_hold_amount(const fgw_hold_limit *limit) noexcept
    uint64_t fgw_hold_settled(const fgw_hold_limit *limit) noexcept
    void fgw_hold_reset(fgw_hold *hold) noexcept
