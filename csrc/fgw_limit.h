/* fgw_limit.h - Phase LIMIT: all collected limits of a request together, or none.
 *
 * take: every word is found and read first; if all have room they are taken in the order of their
 * entries (so that two requests never hold what the other waits for), and undone at the first that
 * is refused after all. A refusal is tried once more before it is answered: what stood in the way
 * may have been another request's take about to be undone.
 *
 * Amounts. `requests` and `slots` count 1 per request. Pace holds min(amount, capacity) and settle
 * repays the error as debt, so pace never says "never" because of a large max_tokens. A cap holds
 * the amount itself, which must be the ceiling. A demand listed twice is taken twice, in order. A
 * shadow limit (enforced = 0) has a word of its own (fgw_limit_key), is taken where it has room
 * and never refuses.
 */
#ifndef FGW_LIMIT_H
#define FGW_LIMIT_H

#include <stdint.h>

#include "fgw_hold.h"
#include "fgw_policy.h"
#include "fgw_record.h"
#include "fgw_segment.h"
#include "fgw_table.h"

enum fgw_algorithm {
    FGW_ALGORITHM_TOKEN_BUCKET = 1,
    FGW_ALGORITHM_CONCURRENCY = 2,
    FGW_ALGORITHM_CAP = 3, /* a counted amount; its window is part of the identity */
};

struct fgw_limit_spec {
    struct fgw_quota quota; /* concurrency and caps: only capacity */
    uint64_t rule;          /* name hash of the limit's name, for traces */
    uint8_t unit;           /* enum fgw_unit */
    uint8_t algorithm;      /* enum fgw_algorithm */
    uint8_t enforced;
    uint8_t reserved[5];
};

/* One worker's view of its limits. */
struct fgw_limits {
    const struct fgw_limit_spec *specs;
    uint32_t n_specs;
    uint32_t worker;
    struct fgw_table table;
    struct fgw_dones dones;
    struct fgw_worker_slot *slot; /* the worker's own */
};

#define FGW_SHADOW_MARK UINT64_C(0x736861646f770000)

/* The table's key of a demand: the identity, marked if it is only a shadow. This is what traces
 * carry, and what NAME_BUCKET records must be posted under. */
static inline void fgw_limit_key(const uint64_t identity[2], int enforced, uint64_t key[2])
{
    key[0] = identity[0];
    key[1] = enforced ? identity[1] : identity[1] ^ FGW_SHADOW_MARK;
}

/* Returns 0 if all are taken, 1 if refused; fills a trace per demand either way. On a refusal
 * every limit that stood in the way says so (REFUSED with its wait, NEVER, TABLE_FULL), the others
 * UNDONE. Bit i of *inserted: demand i's entry is new, so its name must be posted. `hold` is live
 * and has no limits; after a refusal it has none. */
int fgw_limits_take(const struct fgw_limits *limits, const struct fgw_demand *demands,
                    uint32_t n_demands, const struct fgw_amounts *amounts, uint64_t now_ns,
                    struct fgw_hold *hold, struct fgw_limit_trace *traces, uint32_t *inserted);

/* Settles every limit of the hold to what was used: the rest is given back, more is charged, each
 * exactly once however often this is called. All amounts 0: the request has cost nothing.
 * Concurrency is given back whole. */
void fgw_limits_settle(const struct fgw_limits *limits, struct fgw_hold *hold,
                       const struct fgw_amounts *actual, uint64_t now_ns);

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
