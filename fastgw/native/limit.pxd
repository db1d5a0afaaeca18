# csrc/fgw_limit.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.bucket cimport fgw_quota
from fastgw.native.cluster cimport fgw_board
from fastgw.native.hold cimport fgw_hold
from fastgw.native.policy cimport fgw_amounts, fgw_demand
from fastgw.native.record cimport fgw_limit_trace
from fastgw.native.segment cimport fgw_segment, fgw_worker_slot
from fastgw.native.table cimport fgw_table
from fastgw.native.word cimport fgw_dones


cdef extern from "fgw_limit.h" nogil:
    enum fgw_algorithm:
        FGW_ALGORITHM_TOKEN_BUCKET
        FGW_ALGORITHM_CONCURRENCY
        FGW_ALGORITHM_CAP
        FGW_ALGORITHM_FIXED_WINDOW
        FGW_ALGORITHM_SLIDING_WINDOW

    struct fgw_limit_spec:
        fgw_quota quota
        uint64_t rule
        uint8_t unit
        uint8_t algorithm
        uint8_t enforced
        uint8_t holds
        uint8_t lost
        uint8_t cluster
        uint8_t store_loss
        uint64_t window_start_ns
        uint64_t window_end_ns

    struct fgw_limits:
        const fgw_limit_spec *specs
        uint32_t n_specs
        uint32_t worker
        fgw_table table
        fgw_dones dones
        fgw_worker_slot *slot
        fgw_board *board
        uint8_t alone

    void fgw_limit_key(const uint64_t *identity, int enforced, uint64_t *key) noexcept
    void fgw_limit_window_key(uint64_t *key, uint64_t window_start_ns) noexcept
    int fgw_limits_take(
        const fgw_limits *limits, const fgw_demand *demands, uint32_t n_demands,
        const fgw_amounts *expected, const fgw_amounts *ceiling, uint64_t now_ns,
        uint64_t wall_ns, fgw_hold *hold, fgw_limit_trace *traces, uint32_t *inserted) noexcept
    void fgw_limits_room(
        const fgw_limits *limits, const fgw_demand *demands, uint32_t n_demands, uint64_t now_ns,
        uint64_t wall_ns, uint64_t *room) noexcept
    int fgw_limits_draw(
        const fgw_limits *limits, fgw_hold *hold, const fgw_amounts *more,
        uint64_t now_ns) noexcept
    void fgw_limits_intend(fgw_hold *hold, const fgw_amounts *actual) noexcept
    void fgw_limits_settle(
        const fgw_limits *limits, fgw_hold *hold, const fgw_amounts *actual,
        uint64_t now_ns) noexcept
    void fgw_limits_held(
        const fgw_segment *segment, fgw_limit_trace *traces, uint32_t n) noexcept
    uint64_t fgw_limits_tag(const fgw_limits *limits) noexcept
    void fgw_limits_used(const fgw_hold *hold, fgw_amounts *used) noexcept
    void fgw_limits_resolve(const fgw_limits *limits, fgw_hold *hold) noexcept
    void fgw_limits_sweep(const fgw_limits *limits, fgw_hold *hold, uint64_t now_ns) noexcept
    int fgw_limits_fit(
        const fgw_limits *limits, const fgw_demand *demands, uint32_t n_demands,
        const fgw_amounts *expected, const fgw_amounts *ceiling, uint64_t now_ns,
        uint64_t wall_ns) noexcept
