/* fgw_refusals.h - refusals beyond those recorded one by one: exact counts, by (rule, code, key).
 *
 * A flood of 401s must cost little and stop nobody else. Up to a pace, each refusal has its own
 * record; beyond it, the first of its sort since the last flush is posted as a marked sample, the
 * rest are counted here, and a REFUSED record tells their number.
 *
 * The counts live in the header of the refusals ring, so that they survive kill -9 of the worker;
 * its successor flushes them. `posted` follows the publication of REFUSED: before publishing, the
 * ring position is written down, and who finds head beyond it knows that it was published.
 *
 *     counted   1 2 3 ...   one store a refusal
 *     posted    what REFUSED records told so far
 *     pending   what `posted` is to be once the record at `position` is out; 0: none on its way
 */
#ifndef FGW_REFUSALS_H
#define FGW_REFUSALS_H

#include <stdint.h>

#include "fgw_record.h"
#include "fgw_ring.h"

#define FGW_REFUSALS_ROWS 48
#define FGW_PACER_ROWS 1024
#define FGW_REFUSALS_PER_KEY 1000 /* a second, in full */
#define FGW_REFUSALS_NO_KEY 100   /* a second, in full, without a known key */

struct fgw_refusals {
    struct fgw_refusal_count {
        uint64_t rule;
        uint64_t account;
        uint16_t code;
        uint16_t status;
        uint16_t used;    /* 1: the row is taken */
        uint16_t sampled; /* 1: a marked sample went out since the last flush */
        uint64_t counted;
        uint64_t posted;
        uint64_t pending;
        uint64_t position;
        struct fgw_request_id last;
    } row[FGW_REFUSALS_ROWS]; /* the last one merges what has no row: rule and account 0 */
};
_Static_assert(sizeof(struct fgw_refusals) <= FGW_RING_HEADER - 256, "lives in the ring's header");

/* Private to a worker: how many refusals of a key were posted in this second. */
struct fgw_pacer {
    struct fgw_pace {
        uint64_t account;
        uint64_t second;
        uint64_t posted;
    } row[FGW_PACER_ROWS];
};

/* 1: post this refusal in full; 0: count it. */
int fgw_pacer_take(struct fgw_pacer *pacer, uint64_t account, uint64_t now_ns);

/* 1: post this refusal as a marked sample, the first of its row since the last flush (and do not
 * count it). 0: count it. */
int fgw_refusals_sample(struct fgw_refusals *counts, const struct fgw_record_request *refused);

/* Counts one refusal. 1: merged without rule, key and code, since the table is full; else 0. */
int fgw_refusals_add(struct fgw_refusals *counts, const struct fgw_record_request *refused);

/* Posts a REFUSED record for each row with a count, as far as there is room, and frees rows that
 * had none. Returns how many rows still wait for room. */
int fgw_refusals_flush(struct fgw_refusals *counts, struct fgw_ring *ring, uint64_t wall_ns);

/* After a restart: settles rows whose publication was cut short. */
void fgw_refusals_recover(struct fgw_refusals *counts, const struct fgw_ring *ring);

#endif
