/* fgw_limit.h - Phase LIMIT: all collected limits of a request together, or none.
 *
 * take: every word is found and read first; if all have room they are taken in the order of their
 * entries (so that two requests never hold what the other waits for), and undone at the first that
 * is refused after all. A refusal is tried once more before it is answered: what stood in the way
 * may have been another request's take about to be undone.
 *
 * Amounts. `requests` and `slots` count 1 per request. Pace (token bucket, fixed and sliding
 * window) holds min(expected, capacity) and settle repays the error as debt, so pace never says
 * "never" because of a large max_tokens. A cap holds the ceiling itself, so that it is never
 * passed. A demand listed twice is taken twice, in order. A shadow limit (enforced = 0) has a word
 * of its own (fgw_limit_key), is taken where it has room and never refuses.
 *
 * Time. Buckets run on CLOCK_BOOTTIME (now_ns), windows on CLOCK_REALTIME (wall_ns): a fixed or
 * sliding window begins at multiples of its period since 1970 and lives in one cell
 * (fgw_window.h). A calendar window of a cap is an entry of its own: its start is mixed into the
 * key (fgw_limit_window_key), a request belongs to the window of its admission.
 */
#ifndef FGW_LIMIT_H
#define FGW_LIMIT_H

#include <stdint.h>

#include "fgw_cluster.h"
#include "fgw_hold.h"
#include "fgw_policy.h"
#include "fgw_record.h"
#include "fgw_segment.h"
#include "fgw_table.h"

enum fgw_algorithm {
    FGW_ALGORITHM_TOKEN_BUCKET = 1,
    FGW_ALGORITHM_CONCURRENCY = 2,
    FGW_ALGORITHM_CAP = 3, /* a counted amount per calendar window */
    FGW_ALGORITHM_FIXED_WINDOW = 4,
    FGW_ALGORITHM_SLIDING_WINDOW = 5, /* the previous window counts for the part still in sight */
};

struct fgw_limit_spec {
    struct fgw_quota quota; /* concurrency and caps: only capacity */
    uint64_t rule;          /* name hash of the limit's name, for traces */
    uint8_t unit;           /* enum fgw_unit */
    uint8_t algorithm;      /* enum fgw_algorithm */
    uint8_t enforced;
    uint8_t holds;      /* 0: expected amounts, 1: ceilings */
    uint8_t lost;       /* a dead worker's request: 0 keeps the ceiling, 1 settles at progress */
    uint8_t cluster;    /* 1: only what this node was granted is there to be used; not of slots */
    uint8_t store_loss; /* cluster: enum fgw_store_loss */
    uint8_t reserved;
    /* Of a calendar cap, CLOCK_REALTIME; rolled when passed. 0, 0: one window for ever. */
    uint64_t window_start_ns;
    uint64_t window_end_ns;
};

/* One worker's view of its limits. */
struct fgw_limits {
    const struct fgw_limit_spec *specs;
    uint32_t n_specs;
    uint32_t worker;
    struct fgw_table table;
    struct fgw_dones dones;
    struct fgw_worker_slot *slot; /* the worker's own */
    struct fgw_board *board;      /* of clustered limits */
    uint8_t alone;                /* 1: the store has been waited for in vain, do without */
    uint8_t reserved[7];
};

#define FGW_SHADOW_MARK UINT64_C(0x736861646f770000)

/* The key of a demand: the identity, marked if it is only a shadow. With its window mixed in where
 * it has one (fgw_limit_window_key), it is the table's key: what traces carry, and what
 * NAME_BUCKET records must be posted under. */
static inline void fgw_limit_key(const uint64_t identity[2], int enforced, uint64_t key[2])
{
    key[0] = identity[0];
    key[1] = enforced ? identity[1] : identity[1] ^ FGW_SHADOW_MARK;
}

/* Mixes a calendar window's start into a key; 0 leaves it as it is. Both halves: windows of one
 * identity do not crowd into one group of the table. */
static inline void fgw_limit_window_key(uint64_t key[2], uint64_t window_start_ns)
{
    uint64_t mixed = window_start_ns * UINT64_C(0x9e3779b97f4a7c15);
    key[0] ^= mixed ^ mixed >> 32;
    key[1] ^= mixed * UINT64_C(0xd6e8feb86659fd93);
}

/* Returns 0 if all are taken, 1 if refused; fills a trace per demand either way. On a refusal
 * every limit that stood in the way says so (REFUSED with its wait, NEVER, TABLE_FULL), the others
 * UNDONE. Bit i of *inserted: demand i's entry is new, so its name must be posted. `hold` is live
 * and has no limits; after a refusal it has none. spec.holds says which amounts are taken. */
int fgw_limits_take(const struct fgw_limits *limits, const struct fgw_demand *demands,
                    uint32_t n_demands, const struct fgw_amounts *expected,
                    const struct fgw_amounts *ceiling, uint64_t now_ns, uint64_t wall_ns,
                    struct fgw_hold *hold, struct fgw_limit_trace *traces, uint32_t *inserted);

/* The least room left among the enforced caps of these demands, by unit; UINT64_MAX where there is
 * none. Reads only, so by the time of a take it may be less. */
void fgw_limits_room(const struct fgw_limits *limits, const struct fgw_demand *demands,
                     uint32_t n_demands, uint64_t now_ns, uint64_t wall_ns,
                     uint64_t room[FGW_UNITS]);

/* 1: all enforced limits have room for these amounts now; a limit without an entry is unused.
 * Reads only, so by the time of a take it may be otherwise. */
int fgw_limits_fit(const struct fgw_limits *limits, const struct fgw_demand *demands,
                   uint32_t n_demands, const struct fgw_amounts *expected,
                   const struct fgw_amounts *ceiling, uint64_t now_ns, uint64_t wall_ns);

/* Sums what running requests hold of each of these limits, slots apart (their word says it), and
 * says so in its flags: a look at every hold of every worker, so not for each refusal. */
void fgw_limits_held(const struct fgw_segment *segment, struct fgw_limit_trace *traces,
                     uint32_t n);

/* Takes more for every cap that holds a ceiling of this live hold, all or none: 0 drawn, 1 refused
 * and nothing changed. A shadow that was not taken, or has no room, is passed over. */
int fgw_limits_draw(const struct fgw_limits *limits, struct fgw_hold *hold,
                    const struct fgw_amounts *more, uint64_t now_ns);

/* To be called just before the request's last CLOSE is posted, with what settle will be given: the
 * hold keeps it, so that caps of a worker that dies in between are settled to it. */
void fgw_limits_intend(struct fgw_hold *hold, const struct fgw_amounts *actual);

/* Settles every limit of the hold to what was used: the rest is given back, more is charged, each
 * exactly once however often this is called. All amounts 0: the request has cost nothing.
 * Concurrency is given back whole. */
void fgw_limits_settle(const struct fgw_limits *limits, struct fgw_hold *hold,
                       const struct fgw_amounts *actual, uint64_t now_ns);

/* The tag of the owner's next change: for changes from outside a request (fastgw.limit.adjust). */
uint64_t fgw_limits_tag(const struct fgw_limits *limits);

/* What a dead worker's request has used by its progress words: a request; input as the provider
 * said or, if anything was sent, as estimated; output delivered; earlier attempts. */
void fgw_limits_used(const struct fgw_hold *hold, struct fgw_amounts *used);

/* Sweeping, in two passes over all holds of a dead worker. `limits` is the sweeper's view, of the
 * dead worker's slot; specs are not used. Both are idempotent, also over the sweeper's own death.
 *
 * resolve finds out what became of the change that the worker was in the middle of. It must have
 * been called for every hold before the first is swept: sweeping makes new changes in the dead
 * worker's name, and done[] would then speak of those. */
void fgw_limits_resolve(const struct fgw_limits *limits, struct fgw_hold *hold);

/* Goes on as the dead owner: settles pace at progress and caps at the ceiling held, gives slots
 * back, finishes a settling that was begun. Does not end the hold. */
void fgw_limits_sweep(const struct fgw_limits *limits, struct fgw_hold *hold, uint64_t now_ns);

#endif
