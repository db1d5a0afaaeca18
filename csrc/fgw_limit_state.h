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

/* The window that a limit counts in now: of calendar caps as rolled, of clustered windows by the
 * clock; 0, 0: none. */
static inline void fgw_limit_window(const struct fgw_limit_spec *spec, uint64_t wall_ns,
                                    uint64_t *start_ns, uint64_t *end_ns)
{
    *start_ns = spec->window_start_ns;
    *end_ns = spec->window_end_ns;
    if (spec->cluster && (spec->algorithm == FGW_ALGORITHM_FIXED_WINDOW ||
                                   spec->algorithm == FGW_ALGORITHM_SLIDING_WINDOW)) {
        *start_ns = wall_ns - wall_ns % spec->quota.period_ns;
        *end_ns = *start_ns + spec->quota.period_ns;
    }
}

/* A clustered limit's grant, as one take sees it. */
struct fgw_lease {
    union fgw_cell *grant; /* NULL: the table is full */
    uint32_t entry;
    uint32_t window; /* low bits of its number */
    uint64_t granted;
    uint64_t meta;
};

/* Finds the grant, or inserts it. */
void fgw_lease_find(const struct fgw_limits *limits, const struct fgw_limit_spec *spec,
                    const uint64_t key[2], uint64_t wall_ns, struct fgw_lease *slice);

/* Reads how far the limit's word may go now. */
uint64_t fgw_lease_bound(const struct fgw_limits *limits, struct fgw_lease *slice,
                         uint64_t now_ns);

/* 1: on_store_loss is open, and the store does not answer. */
int fgw_lease_is_open(const struct fgw_limits *limits, const struct fgw_limit_spec *spec,
                      uint64_t now_ns);

/* After a take: asks for more in good time. */
void fgw_lease_taken(const struct fgw_limits *limits, uint32_t spec, struct fgw_lease *slice,
                     uint64_t value, struct fgw_limit_trace *trace);

/* The slice lacks `need`: asks for it, and says in the trace what to wait for. */
void fgw_lease_short(const struct fgw_limits *limits, uint32_t spec, struct fgw_lease *slice,
                     uint64_t need, uint64_t now_ns, uint64_t wall_ns,
                     struct fgw_limit_trace *trace);

/* Of a hold's limit in a cluster: how far its word may go; asks for `need` where that is not
 * enough. */
uint64_t fgw_limit_bound(const struct fgw_limits *limits, const uint64_t key[2], uint64_t value,
                         uint64_t need, uint64_t now_ns);

/* What is left of a clustered cap: all of it while nobody has said that the fleet is dry. */
uint64_t fgw_lease_room(const struct fgw_limits *limits, const struct fgw_limit_spec *spec,
                        const uint64_t key[2], uint64_t value, uint64_t now_ns);

/* Settles to `target`, whatever phase it is in; nothing if it is settled. */
void fgw_limit_settle_one(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                          uint64_t target, uint64_t now_ns);

#endif
