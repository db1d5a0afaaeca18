#include "fgw_ring.h"

#include <stdatomic.h>
#include <string.h>

/* One cache line for each writer: the producer's stores do not take the consumer's line away. */
struct fgw_ring_file {
    _Alignas(64) uint64_t magic;
    uint32_t layout;
    uint32_t record_version;
    uint64_t ring;
    uint64_t size;
    uint32_t slot;
    uint32_t lane;
    uint8_t boot[16];
    _Alignas(64) _Atomic uint64_t head;
    _Atomic uint64_t reserved; /* for people to see; the producer's own copy decides */
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) _Atomic uint64_t counters[FGW_RING_COUNTERS];
    _Alignas(64) uint8_t refusals[FGW_RING_HEADER - 256];
};
_Static_assert(sizeof(struct fgw_ring_file) == FGW_RING_HEADER, "layout is shared");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock would die with its owner");

struct padding {
    uint32_t size;
    uint8_t kind; /* 0 */
    uint8_t reserved[3];
};

int fgw_ring_format(void *memory, const struct fgw_ring_facts *facts)
{
    struct fgw_ring_file *file = memory;

    if (facts->size < FGW_RING_SIZE_MIN || (facts->size & (facts->size - 1)) != 0) {
        return -1;
    }
    file->layout = FGW_RING_LAYOUT;
    file->record_version = FGW_RECORD_VERSION;
    file->ring = facts->ring;
    file->size = facts->size;
    file->slot = facts->slot;
    file->lane = facts->lane;
    memcpy(file->boot, facts->boot, sizeof(file->boot));
    atomic_thread_fence(memory_order_release);
    file->magic = FGW_RING_MAGIC;
    return 0;
}

static int ring_open(struct fgw_ring *ring, void *memory, size_t length)
{
    struct fgw_ring_file *file = memory;

    if (length < FGW_RING_HEADER + FGW_RING_SIZE_MIN || file->magic != FGW_RING_MAGIC ||
        file->layout != FGW_RING_LAYOUT || file->record_version < 1 ||
        file->record_version > FGW_RECORD_VERSION ||
        file->size < FGW_RING_SIZE_MIN || (file->size & (file->size - 1)) != 0 ||
        file->size > length - FGW_RING_HEADER) {
        return -1;
    }
    memset(ring, 0, sizeof(*ring));
    ring->file = file;
    ring->area = (uint8_t *)memory + FGW_RING_HEADER;
    ring->size = file->size;
    ring->tail = atomic_load_explicit(&file->tail, memory_order_acquire);
    ring->head = atomic_load_explicit(&file->head, memory_order_acquire);
    if (((ring->head | ring->tail) & 7) != 0 || ring->head - ring->tail > ring->size) {
        return -1;
    }
    return 0;
}

int fgw_ring_open_producer(struct fgw_ring *ring, void *memory, size_t length)
{
    if (ring_open(ring, memory, length) != 0) {
        return -1;
    }
    /* What a dead predecessor had set aside died with its attempts: the sweep closes those. */
    atomic_store_explicit(&ring->file->reserved, 0, memory_order_relaxed);
    /* An older build's ring may hold its records; from here on there are ours as well. */
    ring->file->record_version = FGW_RECORD_VERSION;
    return 0;
}

int fgw_ring_open_consumer(struct fgw_ring *ring, void *memory, size_t length)
{
    return ring_open(ring, memory, length);
}

void fgw_ring_read_facts(const struct fgw_ring *ring, struct fgw_ring_facts *facts)
{
    facts->ring = ring->file->ring;
    facts->size = ring->size;
    facts->slot = ring->file->slot;
    facts->lane = ring->file->lane;
    memcpy(facts->boot, ring->file->boot, sizeof(facts->boot));
}

/* Room for `bytes` that nobody has set aside, with the slack left whole. */
static int has_room(struct fgw_ring *ring, uint64_t bytes)
{
    uint64_t wanted = ring->reserved + bytes + FGW_RING_SLACK;

    if (ring->head - ring->tail + wanted <= ring->size) {
        return 1;
    }
    /* The consumer's line is fetched only when the old look is not enough. Acquire: its copies out
     * of the room we are about to write are done. */
    ring->tail = atomic_load_explicit(&ring->file->tail, memory_order_acquire);
    return ring->head - ring->tail + wanted <= ring->size;
}

static void show_reserved(struct fgw_ring *ring)
{
    atomic_store_explicit(&ring->file->reserved, ring->reserved, memory_order_relaxed);
}

int fgw_ring_reserve(struct fgw_ring *ring, uint64_t bytes, uint64_t also)
{
    if (!has_room(ring, bytes + also)) {
        return -1;
    }
    ring->reserved += bytes;
    show_reserved(ring);
    return 0;
}

void fgw_ring_unreserve(struct fgw_ring *ring, uint64_t bytes)
{
    ring->reserved -= bytes <= ring->reserved ? bytes : ring->reserved;
    show_reserved(ring);
}

struct fgw_record *fgw_ring_claim(struct fgw_ring *ring, uint32_t bytes, uint32_t reserved)
{
    uint64_t at, to_end;

    if (bytes > FGW_RING_RECORD_MAX || (bytes & 7) != 0 || bytes < sizeof(struct fgw_record)) {
        return NULL;
    }
    if (reserved < bytes && !has_room(ring, bytes)) {
        return NULL;
    }
    at = ring->head & (ring->size - 1);
    to_end = ring->size - at;
    ring->claimed = ring->head;
    ring->claimed_bytes = bytes;
    if (to_end < bytes) { /* a record never wraps: pad to the end, go on at the front */
        struct padding padding = {.size = (uint32_t)to_end};

        memcpy(ring->area + at, &padding, sizeof(padding));
        ring->claimed += to_end;
        at = 0;
    }
    return (struct fgw_record *)(void *)(ring->area + at);
}

void fgw_ring_publish(struct fgw_ring *ring, uint32_t reserved)
{
    struct fgw_record *record =
        (struct fgw_record *)(void *)(ring->area + (ring->claimed & (ring->size - 1)));

    record->size = (uint32_t)ring->claimed_bytes;
    record->sequence = ring->claimed;
    ring->head = ring->claimed + ring->claimed_bytes;
    atomic_store_explicit(&ring->file->head, ring->head, memory_order_release);
    if (reserved != 0) {
        fgw_ring_unreserve(ring, reserved);
    }
}

int64_t fgw_ring_look(struct fgw_ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->file->head, memory_order_acquire);

    if ((head & 7) != 0 || head < ring->head || head - ring->tail > ring->size) {
        return -1;
    }
    ring->head = head;
    return (int64_t)(head - ring->tail);
}

int fgw_record_check(const struct fgw_record *record, size_t available)
{
    const struct fgw_record_request *request = (const void *)record;
    const struct fgw_record_open *open = (const void *)record;
    const struct fgw_record_held *held = (const void *)record;
    const struct fgw_record_name *name = (const void *)record;
    size_t size;

    if (available < sizeof(*record) || record->size > available || (record->size & 7) != 0 ||
        record->size < sizeof(*record) || record->version < 1 ||
        record->version > FGW_RECORD_VERSION) {
        return -1;
    }
    size = record->size;
    switch (record->kind) {
    case FGW_RECORD_REQUEST:
        return size >= sizeof(*request) && request->n_rules <= FGW_RULES_MAX &&
                       request->n_limits <= FGW_LIMITS_MAX &&
                       size == sizeof(*request) +
                                   request->n_rules * sizeof(struct fgw_rule_trace) +
                                   request->n_limits * sizeof(struct fgw_limit_trace)
                   ? 0
                   : -1;
    case FGW_RECORD_OPEN:
        return size >= offsetof(struct fgw_record_open, held) && open->n_held <= FGW_LIMITS_MAX &&
                       size == offsetof(struct fgw_record_open, held) +
                                   open->n_held * sizeof(struct fgw_held)
                   ? 0
                   : -1;
    case FGW_RECORD_CLOSE:
        return size == sizeof(struct fgw_record_close) ||
                       (record->version < 3 && size == FGW_CLOSE_BYTES_2) ||
                       (record->version == 1 && size == FGW_CLOSE_BYTES_1)
                   ? 0
                   : -1;
    case FGW_RECORD_NAME:
        return size >= sizeof(*name) &&
                       size == sizeof(*name) + ((name->length + (size_t)7) & ~(size_t)7)
                   ? 0
                   : -1;
    case FGW_RECORD_REFUSED:
        return size == sizeof(struct fgw_record_refused) ? 0 : -1;
    case FGW_RECORD_GRANT:
        return size == sizeof(struct fgw_record_grant) ? 0 : -1;
    case FGW_RECORD_HELD:
        return size >= offsetof(struct fgw_record_held, held) && held->n_held <= FGW_LIMITS_MAX &&
                       size == offsetof(struct fgw_record_held, held) +
                                   held->n_held * sizeof(struct fgw_held)
                   ? 0
                   : -1;
    default:
        return -1;
    }
}

/* What is copied at once: its lines come from another core, and it is judged while they are near.
 * Of longer pieces libc asks the microcode, which takes its time to begin. */
#define PIECE 2048

/* A stretch of a lap, from a position up to head or to the end of the lap. */
struct stretch {
    const uint8_t *from;
    uint8_t *out;
    size_t length;
    size_t room;   /* so much of it fits */
    size_t copied; /* so far */
};

/* Copies on until there are `wanted` bytes. -1: they do not fit. */
static inline int have(struct stretch *stretch, size_t wanted)
{
    if (wanted > stretch->room)
        return -1;
    while (stretch->copied < wanted) {
        const size_t left = stretch->room - stretch->copied;
        const size_t piece = left < PIECE ? left : PIECE;

        memcpy(stretch->out + stretch->copied, stretch->from + stretch->copied, piece);
        stretch->copied += piece;
    }
    return 0;
}

enum judged { ALL_GOOD, PADDING, NO_ROOM, DAMAGED };

/* Copies and judges; the producer may still scribble, so the copy is. `to_end` bytes there are up
 * to the end of the lap. Returns bytes of good records, and what stopped it. */
static size_t judge(struct stretch *stretch, uint64_t to_end, uint64_t position,
                    enum judged *why)
{
    size_t good = 0;

    *why = ALL_GOOD;
    while (good < stretch->length) {
        const struct fgw_record *record = (const void *)(stretch->out + good);

        *why = NO_ROOM;
        if (have(stretch, good + sizeof(struct padding)) != 0)
            break;
        if (record->kind == 0) {
            *why = record->size == to_end - good && stretch->length == to_end ? PADDING : DAMAGED;
            break;
        }
        *why = DAMAGED;
        if (record->size > stretch->length - good || record->size < sizeof(*record) ||
            record->size > FGW_RING_RECORD_MAX)
            break;
        *why = NO_ROOM;
        if (have(stretch, good + record->size) != 0)
            break;
        *why = DAMAGED;
        if (record->sequence != position + good || fgw_record_check(record, record->size) != 0)
            break;
        *why = ALL_GOOD;
        good += record->size;
    }
    return good;
}

int64_t fgw_ring_copy(const struct fgw_ring *ring, uint64_t from, uint8_t *out, size_t room,
                      uint64_t *next)
{
    size_t written = 0;

    *next = from;
    if (from < ring->tail || from > ring->head || (from & 7) != 0) {
        return -1;
    }
    while (*next < ring->head) {
        const uint64_t at = *next & (ring->size - 1);
        const uint64_t to_end = ring->size - at;
        struct stretch lap = {.from = ring->area + at, .out = out + written};
        enum judged why;
        size_t good;

        lap.length = ring->head - *next < to_end ? ring->head - *next : to_end;
        lap.room = lap.length < room - written ? lap.length : room - written;
        good = judge(&lap, to_end, *next, &why);
        written += good;
        *next += why == PADDING ? to_end : good;
        if (why == DAMAGED)
            return written == 0 ? -1 : (int64_t)written;
        if (why == NO_ROOM)
            break;
    }
    return (int64_t)written;
}

int fgw_ring_release(struct fgw_ring *ring, uint64_t position)
{
    if (position < ring->tail || position > ring->head || (position & 7) != 0) {
        return -1;
    }
    ring->tail = position;
    atomic_store_explicit(&ring->file->tail, position, memory_order_release);
    return 0;
}

void fgw_ring_count(struct fgw_ring *ring, int counter)
{
    _Atomic uint64_t *word;

    if (counter < 0 || counter >= FGW_RING_COUNTERS) {
        return;
    }
    /* One writer: no locked instruction needed. */
    word = &ring->file->counters[counter];
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

uint64_t fgw_ring_counter(const struct fgw_ring *ring, int counter)
{
    if (counter < 0 || counter >= FGW_RING_COUNTERS) {
        return 0;
    }
    return atomic_load_explicit(&ring->file->counters[counter], memory_order_relaxed);
}

void *fgw_ring_refusals(const struct fgw_ring *ring)
{
    return ring->file->refusals;
}
