/* fgw_segment.h - the one piece of memory that all processes of a gateway share.
 *
 * A file on tmpfs, made by the supervisor, mapped by all; offsets in bytes, parts page-aligned:
 *
 *     0        header (4096): magic "FGWSHM\r\n", layout, sizes, boot id, secret of the limit
 *              table, checksum | generation
 *              from 1024: the board of clustered limits  (fgw_cluster.h)
 *     4096     worker slots, 256 each        pid, start time, state | heartbeat, turns | seq
 *              and of FGW_OWNERS_SPARE other owners of words
 *     .        done[], one cache line each   (fgw_word.h)
 *     .        counters, 8192 each           (fgw_counters.h)
 *     .        holds, 896 each, holds_per_worker for each slot   (fgw_hold.h)
 *     .        limit table, groups of 512                        (fgw_table.h)
 *
 * Everything in it but the checksummed part is written by processes that may be killed at any
 * instant, and read as untrusted input: offsets are computed anew by each process from the
 * checked header, and every index is checked against them.
 */
#ifndef FGW_SEGMENT_H
#define FGW_SEGMENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "fgw_cluster.h"
#include "fgw_counters.h"
#include "fgw_hold.h"
#include "fgw_table.h"

#define FGW_SEGMENT_LAYOUT 5 /* to be raised with any change of any struct in here */
#define FGW_SEGMENT_MAGIC UINT64_C(0x0a0d4d4853574746)
#define FGW_WORKERS_MAX 256
#define FGW_HOLDS_MAX 65536
/* Owners of words that are no workers, at the slots `workers` and up: the supervisor (its changes
 * from outside: grants, resets, what is rebuilt) and the cluster's process. They have no holds. */
#define FGW_OWNERS_SPARE 2
#define FGW_GROUPS_MAX (1u << 24)

enum fgw_worker_state {
    FGW_WORKER_NONE = 0, /* slot never used, or swept */
    FGW_WORKER_STARTING = 1,
    FGW_WORKER_READY = 2,
    FGW_WORKER_DRAINING = 3,
    FGW_WORKER_DEAD = 4, /* reaped, to be swept */
};

struct fgw_worker_slot {
    /* Written by the supervisor. */
    _Alignas(FGW_CACHE_LINE) _Atomic uint32_t pid;
    _Atomic uint32_t state;      /* enum fgw_worker_state; READY and DRAINING by the worker */
    _Atomic uint32_t generation; /* as in the request ids of this worker */
    uint32_t reserved0;
    _Atomic uint64_t start_time; /* of the process, clock ticks since boot (/proc/pid/stat) */
    uint8_t reserved1[40];
    /* Written by the worker, every loop turn. */
    _Alignas(FGW_CACHE_LINE) _Atomic uint64_t heartbeat_ns; /* CLOCK_BOOTTIME */
    _Atomic uint64_t turns;
    _Atomic uint64_t policy_version;
    _Atomic uint64_t queue_oldest_ns; /* fgw_worker_queue */
    _Atomic uint64_t queue_keys;
    uint8_t reserved2[24];
    /* Written by the worker, then by whoever sweeps: its last change of a counted word. */
    _Alignas(FGW_CACHE_LINE) _Atomic uint64_t word_seq;
    uint8_t reserved3[120];
};
_Static_assert(sizeof(struct fgw_worker_slot) == 256, "layout is shared between processes");

struct fgw_segment_header {
    uint64_t magic;
    uint32_t layout;
    uint32_t header_size; /* 4096 */
    uint64_t size;        /* of the whole segment */
    uint32_t workers;
    uint32_t holds_per_worker;
    uint32_t groups;
    uint32_t uid;      /* of its maker */
    uint8_t boot[16];  /* kernel's boot id */
    uint64_t made_ns;  /* CLOCK_REALTIME */
    uint32_t slot_size, counters_size, hold_size, group_size;
    uint64_t secret[2]; /* random: where the limit table puts its keys */
    uint64_t reserved[2];
    uint64_t checksum; /* of all above; never changes once made */
    /* Changes while in use. */
    _Alignas(FGW_CACHE_LINE) _Atomic uint32_t generation; /* supervisors that used it, 1, 2, … */
    _Atomic uint32_t supervisor_pid;
    _Atomic uint64_t supervisor_start_time;
};

#define FGW_BOARD_AT 1024
_Static_assert(sizeof(struct fgw_segment_header) <= FGW_BOARD_AT &&
                   FGW_BOARD_AT + sizeof(struct fgw_board) <= 4096, "both in one page");

/* Where the parts are. In private memory; never read back from the segment. */
struct fgw_segment {
    uint8_t *base;
    uint64_t size;
    uint32_t workers, holds_per_worker, groups, reserved;
    uint64_t slots_at, dones_at, counters_at, holds_at, table_at;
    uint64_t secret[2];
};

enum fgw_segment_fault {
    FGW_SEGMENT_SHORT = -1,    /* smaller than it says, or than a header */
    FGW_SEGMENT_FOREIGN = -2,  /* no magic: never finished, or not ours */
    FGW_SEGMENT_OTHER_LAYOUT = -3,
    FGW_SEGMENT_DAMAGED = -4,  /* checksum or sizes do not agree */
    FGW_SEGMENT_OTHER_BOOT = -5,
    FGW_SEGMENT_OTHER_USER = -6,
};

/* Groups for so many live entries: 9 of 14 places are then used on average (56.9 bytes an entry, a
 * million in 56.9 MB), and no key finds both its groups full; there is room for a fifth more that
 * wait for their eviction. */
uint32_t fgw_segment_groups(uint32_t entries);

/* Sizes and offsets. Returns 0, or -1 if a number is 0 or beyond its maximum. */
int fgw_segment_plan(struct fgw_segment *plan, uint32_t workers, uint32_t holds_per_worker,
                     uint32_t groups);

/* Writes the header into zeroed memory of plan->size bytes. `secret`: random bytes. */
void fgw_segment_make(const struct fgw_segment *plan, const uint8_t boot[16],
                      const uint8_t secret[16], uint32_t uid, uint64_t wall_ns);

/* Checks a mapping of `size` bytes and fills `segment`. boot NULL: any boot will do (readers).
 * Returns 0 or enum fgw_segment_fault. */
int fgw_segment_check(struct fgw_segment *segment, uint8_t *base, uint64_t size,
                      const uint8_t *boot, uint32_t uid);

/* Views; NULL out of bounds. */
struct fgw_segment_header *fgw_segment_header(const struct fgw_segment *segment);
struct fgw_worker_slot *fgw_segment_slot(const struct fgw_segment *segment, uint32_t owner);
struct fgw_counters *fgw_segment_counters(const struct fgw_segment *segment, uint32_t worker);
struct fgw_hold *fgw_segment_hold(const struct fgw_segment *segment, uint32_t worker,
                                  uint32_t index);
struct fgw_dones fgw_segment_dones(const struct fgw_segment *segment);
struct fgw_table fgw_segment_table(const struct fgw_segment *segment);
struct fgw_board *fgw_segment_board(const struct fgw_segment *segment);

/* Raises the generation; returns it. Supervisor only. */
uint32_t fgw_segment_adopt(const struct fgw_segment *segment, uint32_t pid, uint64_t start_time);
uint32_t fgw_segment_generation(const struct fgw_segment *segment);

/* The worker's sign of life, once per loop turn: after it, no entry found before is in use. */
static inline void fgw_worker_turn(struct fgw_worker_slot *slot, uint64_t now_ns)
{
    uint64_t turns = atomic_load_explicit(&slot->turns, memory_order_relaxed);
    atomic_store_explicit(&slot->heartbeat_ns, now_ns, memory_order_relaxed);
    atomic_store(&slot->turns, turns + 1);
    /* Or the processor could do the next turn's first look into the table before others see the
     * end of this one, and an entry would be freed that is about to be used. */
    atomic_thread_fence(memory_order_seq_cst);
}

/* What one slot says of itself, read word by word. */
struct fgw_worker_seen {
    uint32_t pid, state, generation;
    uint64_t start_time, heartbeat_ns, turns, policy_version;
};
void fgw_worker_read(const struct fgw_worker_slot *slot, struct fgw_worker_seen *seen);

/* The supervisor gives a slot to a new worker. The slot must have been swept. */
void fgw_worker_claim(struct fgw_worker_slot *slot, uint32_t pid, uint64_t start_time,
                      uint32_t generation);
void fgw_worker_set_state(struct fgw_worker_slot *slot, uint32_t state);
void fgw_worker_set_policy(struct fgw_worker_slot *slot, uint64_t version);

/* A worker's queue of requests that wait for a slot, as other workers see it: when its oldest one
 * began to wait (CLOCK_BOOTTIME; 0: none does), and of each bucket that is waited for the bit
 * 1 << (its key & 63). Showing comes before the worker's next look at those buckets, reading after
 * one's own change of them: so either sees the other. */
void fgw_worker_show_queue(struct fgw_worker_slot *slot, uint64_t oldest_ns, uint64_t keys);
uint64_t fgw_worker_queue(const struct fgw_worker_slot *slot, uint64_t *keys);

#endif
