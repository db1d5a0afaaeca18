# csrc/fgw_ring.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastgw.native.record cimport fgw_record


cdef extern from "fgw_ring.h" nogil:
    const uint64_t FGW_RING_MAGIC
    const int FGW_RING_LAYOUT
    const int FGW_RING_HEADER
    const int FGW_RING_SIZE_MIN
    const int FGW_RING_RECORD_MAX
    const int FGW_RING_SLACK
    const uint32_t FGW_RING_SUPERVISOR

    struct fgw_ring_file:
        pass  # opaque: only C touches the atomic words

    struct fgw_ring:
        fgw_ring_file *file
        uint8_t *area
        uint64_t size
        uint64_t head
        uint64_t tail
        uint64_t reserved
        uint64_t claimed
        uint64_t claimed_bytes

    struct fgw_ring_facts:
        uint64_t ring
        uint64_t size
        uint32_t slot
        uint32_t lane
        uint8_t boot[16]

    enum fgw_ring_lane:
        FGW_RING_MAIN
        FGW_RING_REFUSALS

    enum fgw_ring_counter_id:
        FGW_RING_DROPPED_OPEN
        FGW_RING_REFUSED_OPEN
        FGW_RING_DROPPED_CLOSE
        FGW_RING_DROPPED_REQUEST
        FGW_RING_DROPPED_NAME
        FGW_RING_REFUSALS_SEEN
        FGW_RING_REFUSALS_MERGED
        FGW_RING_COUNTERS

    int fgw_ring_format(void *memory, const fgw_ring_facts *facts) noexcept
    int fgw_ring_open_producer(fgw_ring *ring, void *memory, size_t length) noexcept
    int fgw_ring_open_consumer(fgw_ring *ring, void *memory, size_t length) noexcept
    void fgw_ring_read_facts(const fgw_ring *ring, fgw_ring_facts *facts) noexcept
    int fgw_ring_reserve(fgw_ring *ring, uint64_t bytes, uint64_t also) noexcept
    void fgw_ring_unreserve(fgw_ring *ring, uint64_t bytes) noexcept
    fgw_record *fgw_ring_claim(fgw_ring *ring, uint32_t bytes, uint32_t reserved) noexcept
    void fgw_ring_publish(fgw_ring *ring, uint32_t reserved) noexcept
    int64_t fgw_ring_look(fgw_ring *ring) noexcept
    int64_t fgw_ring_copy(
        const fgw_ring *ring, uint64_t start, uint8_t *out, size_t room, uint64_t *next
    ) noexcept
    int fgw_ring_release(fgw_ring *ring, uint64_t position) noexcept
    int fgw_record_check(const fgw_record *record, size_t available) noexcept
    void fgw_ring_count(fgw_ring *ring, int counter) noexcept
    uint64_t fgw_ring_counter(const fgw_ring *ring, int counter) noexcept
    void *fgw_ring_refusals(const fgw_ring *ring) noexcept
