# csrc/fgw_segment.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.cluster cimport fgw_board
from fastgw.native.counters cimport fgw_counters
from fastgw.native.hold cimport fgw_hold
from fastgw.native.table cimport fgw_table
from fastgw.native.word cimport fgw_dones


cdef extern from "fgw_segment.h" nogil:
    const int FGW_SEGMENT_LAYOUT
    const uint32_t FGW_WORKERS_MAX
    const uint32_t FGW_HOLDS_MAX
    const uint32_t FGW_OWNERS_SPARE
    const uint32_t FGW_GROUPS_MAX

    enum fgw_worker_state:
        FGW_WORKER_NONE
        FGW_WORKER_STARTING
        FGW_WORKER_READY
        FGW_WORKER_DRAINING
        FGW_WORKER_DEAD

    struct fgw_worker_slot:
        pass  # opaque: read it with fgw_worker_read

    struct fgw_segment_header:
        uint32_t layout
        uint64_t size
        uint8_t boot[16]
        uint64_t made_ns

    struct fgw_segment:
        uint8_t *base
        uint64_t size
        uint32_t workers
        uint32_t holds_per_worker
        uint32_t groups
        uint64_t slots_at
        uint64_t dones_at
        uint64_t counters_at
        uint64_t holds_at
        uint64_t table_at

    enum fgw_segment_fault:
        FGW_SEGMENT_SHORT
        FGW_SEGMENT_FOREIGN
        FGW_SEGMENT_OTHER_LAYOUT
        FGW_SEGMENT_DAMAGED
        FGW_SEGMENT_OTHER_BOOT
        FGW_SEGMENT_OTHER_USER

    struct fgw_worker_seen:
        uint32_t pid
        uint32_t state
        uint32_t generation
        uint64_t start_time
        uint64_t heartbeat_ns
        uint64_t turns
        uint64_t policy_version

    uint32_t fgw_segment_groups(uint32_t entries) noexcept
    int fgw_segment_plan(
        fgw_segment *plan, uint32_t workers, uint32_t holds_per_worker, uint32_t groups) noexcept
    void fgw_segment_make(
        const fgw_segment *plan, const uint8_t *boot, const uint8_t *secret, uint32_t uid,
        uint64_t wall_ns) noexcept
    int fgw_segment_check(
        fgw_segment *segment, uint8_t *base, uint64_t size, const uint8_t *boot,
        uint32_t uid) noexcept
    fgw_segment_header *fgw_segment_header_of "fgw_segment_header"(
        const fgw_segment *segment) noexcept
    fgw_worker_slot *fgw_segment_slot(const fgw_segment *segment, uint32_t owner) noexcept
    fgw_counters *fgw_segment_counters(const fgw_segment *segment, uint32_t worker) noexcept
    fgw_hold *fgw_segment_hold(
        const fgw_segment *segment, uint32_t worker, uint32_t index) noexcept
    fgw_dones fgw_segment_dones(const fgw_segment *segment) noexcept
    fgw_table fgw_segment_table(const fgw_segment *segment) noexcept
    fgw_board *fgw_segment_board(const fgw_segment *segment) noexcept
    uint32_t fgw_segment_adopt(
        const fgw_segment *segment, uint32_t pid, uint64_t start_time) noexcept
    uint32_t fgw_segment_generation(const fgw_segment *segment) noexcept
    void fgw_worker_turn(fgw_worker_slot *slot, uint64_t now_ns) noexcept
    void fgw_worker_read(const fgw_worker_slot *slot, fgw_worker_seen *seen) noexcept
    void fgw_worker_claim(
        fgw_worker_slot *slot, uint32_t pid, uint64_t start_time, uint32_t generation) noexcept
    void fgw_worker_set_state(fgw_worker_slot *slot, uint32_t state) noexcept
    void fgw_worker_set_policy(fgw_worker_slot *slot, uint64_t version) noexcept
    void fgw_worker_show_queue(
        fgw_worker_slot *slot, uint64_t oldest_ns, uint64_t keys) noexcept
    uint64_t fgw_worker_queue(const fgw_worker_slot *slot, uint64_t *keys) noexcept
