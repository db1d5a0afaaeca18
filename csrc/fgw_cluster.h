/* fgw_cluster.h - limits that hold over several nodes: this node's slices of them.
 *
 * A clustered limit is spent from a counted word (fgw_word.h) under its key, up to what the
 * fleet's store has granted to this node. That stands beside it, under the marked key:
 *
 *     | granted (64) | FFFE (16) | spec (12) | low (6) | window (22) | flags (8) |
 *
 * Only the node's lessee (fastgw/cluster) changes `granted`; workers read it and set WANTED. Both
 * words are sums since they began: what may still be spent is granted - word. `low` is a power of
 * two: with less left than that, whoever takes asks for more, so that nobody waits. `window`: the
 * low bits of the window's number, which the mixed key does not tell (fgw_limit.h): calendar
 * windows in quarters of an hour, others in periods. Of a bucket: which life of it this is.
 *
 * What workers ask for stands in the board, in the segment's header page:
 *
 *     demands[256]:  | entry (28) | need (36) |      0: free
 *
 * A worker claims a free place with one CAS, and then sets WANTED, so that nobody else asks: a
 * worker that is killed in between leaves a demand, never a flag without one. A full board sets no
 * flag: the next request asks again. Slices are void once `lease_until_ns` has passed, whoever is
 * alive then: the store may give them to other nodes.
 */
#ifndef FGW_CLUSTER_H
#define FGW_CLUSTER_H

#include <stdatomic.h>
#include <stdint.h>

#include "fgw_table.h"

#define FGW_CLUSTER_MARK UINT64_C(0x636c757374657200)
#define FGW_DEMANDS 256
#define FGW_NEED_BITS 36
#define FGW_NEED_MAX ((UINT64_C(1) << FGW_NEED_BITS) - 1)
#define FGW_CLUSTER_SPECS_MAX 4096
/* A lessee that has not been seen for this long does not answer: its store counts as lost. */
#define FGW_LESSEE_DEAD_NS UINT64_C(2000000000)

enum fgw_store_loss { /* on_store_loss */
    FGW_STORE_LOSS_CLOSED = 0,
    FGW_STORE_LOSS_LOCAL_SHARE = 1,
    FGW_STORE_LOSS_OPEN = 2,
};

enum fgw_store_state {
    FGW_STORE_UNKNOWN = 0, /* the lessee has just begun */
    FGW_STORE_HELD = 1,
    FGW_STORE_LOST = 2,
};

enum fgw_grant_flag {
    FGW_GRANT_WANTED = 1,   /* asked for */
    FGW_GRANT_DRY = 2,      /* the fleet has no more for now */
    FGW_GRANT_DEGRADED = 4, /* granted by this node to itself: the lease does not matter */
};

struct fgw_board {
    _Alignas(FGW_CACHE_LINE) _Atomic uint64_t lease_until_ns; /* CLOCK_BOOTTIME */
    _Atomic uint64_t beat_ns;                                 /* the lessee's sign of life */
    _Atomic uint32_t state;                                   /* enum fgw_store_state */
    _Atomic uint32_t nodes;                                   /* last seen, this one included */
    uint8_t epoch[40]; /* the lessee's own: which epoch of the store it has told everything */
    _Alignas(FGW_CACHE_LINE) _Atomic uint32_t head;
    _Alignas(FGW_CACHE_LINE) _Atomic uint64_t demands[FGW_DEMANDS];
};

/* The key of a limit's grant; its own inverse. */
static inline void fgw_cluster_key(const uint64_t key[2], uint64_t granted[2])
{
    granted[0] = key[0];
    granted[1] = key[1] ^ FGW_CLUSTER_MARK;
}

#define FGW_WINDOW_BITS 22
#define FGW_CALENDAR_STEP_NS (UINT64_C(900) * 1000000000) /* every time zone's days begin at one */

static inline uint64_t fgw_grant_meta(uint32_t spec, uint32_t window, uint32_t low,
                                      uint32_t flags)
{
    return UINT64_C(0xfffe) << 48 | (uint64_t)(spec & 0xfff) << 36 | (uint64_t)(low & 63) << 30 |
           (uint64_t)(window & ((1u << FGW_WINDOW_BITS) - 1)) << 8 | (flags & 255);
}
static inline uint32_t fgw_grant_spec(uint64_t meta) { return (uint32_t)(meta >> 36) & 0xfff; }
static inline uint32_t fgw_grant_low(uint64_t meta) { return (uint32_t)(meta >> 30) & 63; }

static inline uint32_t fgw_grant_window(uint64_t meta)
{
    return (uint32_t)(meta >> 8) & ((1u << FGW_WINDOW_BITS) - 1);
}

/* Reads a grant; *meta 0: nobody has asked yet. Flags and value may be of two moments. */
static inline uint64_t fgw_grant_read(const union fgw_cell *grant, uint64_t *meta)
{
    *meta = atomic_load_explicit(&grant->word.tag, memory_order_acquire);
    return atomic_load_explicit(&grant->word.value, memory_order_acquire);
}

/* 1: the store answers, as far as this node knows. */
int fgw_store_answers(const struct fgw_board *board, uint64_t now_ns);

/* The greatest value that the limit's word may get: what is granted; 0 once the lease is over. */
uint64_t fgw_grant_limit(const struct fgw_board *board, const union fgw_cell *grant,
                         uint64_t now_ns, uint64_t *meta);

/* 1: so little is left, and nobody has asked for more yet. */
static inline int fgw_grant_is_low(uint64_t granted, uint64_t value, uint64_t meta)
{
    uint64_t left = granted > value ? granted - value : 0;
    return !(meta & (FGW_GRANT_WANTED | FGW_GRANT_DEGRADED)) && left >> fgw_grant_low(meta) == 0;
}

/* Asks the lessee for `need` more. Returns 1 if a demand was posted (ring the lessee's bell), 0 if
 * one stands already or the board is full. */
int fgw_grant_ask(struct fgw_board *board, union fgw_cell *grant, uint32_t entry, uint32_t spec,
                  uint32_t window, uint64_t need);

/* The lessee's side. Takes the next demand from place *at on; 0: there is none. */
int fgw_board_take(struct fgw_board *board, uint32_t *at, uint32_t *entry, uint64_t *need);

/* What the board says of the store; written by the lessee only. */
void fgw_board_say(struct fgw_board *board, uint32_t state, uint32_t nodes, uint64_t until_ns);
void fgw_board_beat(struct fgw_board *board, uint64_t now_ns);
void fgw_board_read(const struct fgw_board *board, uint32_t *state, uint32_t *nodes,
                    uint64_t *until_ns, uint64_t *beat_ns);
static inline char *fgw_board_epoch(struct fgw_board *board) { return (char *)board->epoch; }

/* Sets all of a grant at once. 0 if the entry has gone. */
int fgw_grant_set(union fgw_cell *grant, uint64_t granted, uint64_t meta);

/* Clears WANTED, so that whoever needs it asks again; sets `flags`. */
void fgw_grant_release(union fgw_cell *grant, uint32_t flags);

#endif
