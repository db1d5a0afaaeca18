/* fgw_limit_state.h - what fgw_limit.c (taking) and fgw_limit_settle.c share; for these two only.
 *
 * The state word of a hold's limit is drawn in fgw_hold.h.
 */
#ifndef FGW_LIMIT_STATE_H
#define FGW_LIMIT_STATE_H

#include <stdatomic.h>

#include "fgw_limit.h"

/* A buried word is looked for again this often: more than one burial in between is rare. */
#define FGW_RELOCATE_MAX 8

static inline uint64_t fgw_state_of(uint64_t seq, unsigned which, unsigned phase)
{
    return seq << 8 | which << 4 | phase;
}
static inline unsigned fgw_phase_of(uint64_t state) { return (unsigned)(state & 15); }
static inline unsigned fgw_which_of(uint64_t state) { return (unsigned)(state >> 4 & 1); }

static inline uint64_t fgw_state_read(const struct fgw_hold_limit *limit)
{
    return atomic_load_explicit(&limit->state, memory_order_acquire);
}

static inline void fgw_state_set(struct fgw_hold_limit *limit, uint64_t state)
{
    atomic_store_explicit(&limit->state, state, memory_order_release);
}

/* Cells without owner tags, which time heals. */
static inline int fgw_is_pace(const struct fgw_hold_limit *limit)
{
    return limit->cell == FGW_CELL_PACE || limit->cell == FGW_CELL_WINDOW;
}

/* Stored before the change is made, so that a number never comes twice. */
static inline uint64_t fgw_next_seq(const struct fgw_limits *limits)
{
    uint64_t seq = atomic_load_explicit(&limits->slot->word_seq, memory_order_relaxed) + 1;
    atomic_store_explicit(&limits->slot->word_seq, seq, memory_order_release);
    return seq & FGW_WORD_SEQ_MAX;
}

/* Of a limit in a cluster: what this node was granted, at most the limit. */
static inline uint64_t fgw_limit_bound(const struct fgw_limits *limits, const uint64_t key[2],
                                       uint64_t capacity)
{
    uint64_t granted_key[2], granted = 0;
    fgw_cluster_key(key, granted_key);
    int64_t entry = fgw_table_find(&limits->table, granted_key);
    if (entry >= 0)
        granted = fgw_word_value(&fgw_table_cell(&limits->table, (uint64_t)entry)->word);
    return granted < capacity ? granted : capacity;
}

/* Settles to `target`, whatever phase it is in; nothing if it is settled. */
void fgw_limit_settle_one(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                          uint64_t target, uint64_t now_ns);

#endif
