/* fgw_rollup.h - what the recorder sums up from one pass over the rings, before it commits.
 *
 *     records --> fgw_rollups    usage by (minute, dims)
 *             --> fgw_attempts   which attempts are open now, which closed
 *             --> fgw_pages      which requests this batch speaks of, for `explain`
 *
 * The memory of the tables is the caller's, who makes it large enough: -2 says that it is not,
 * and that the record was not counted.
 */
#ifndef FGW_ROLLUP_H
#define FGW_ROLLUP_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_record.h"

#define FGW_MINUTE_NS 60000000000u
#define FGW_PAGE_BITS 8 /* request sequences of one worker, 256 to a page */

/* One sum. All counts only grow. */
struct fgw_rollup {
    uint64_t minute; /* wall_ns / FGW_MINUTE_NS: REQUEST by admission, CLOSE by its end */
    struct fgw_dims dims;
    uint64_t requests; /* denied ones included */
    uint64_t denied;
    uint64_t attempts; /* closed ones */
    struct fgw_tokens tokens;
    uint64_t input_low, input_high;
    uint64_t output_low, output_high; /* high: without the unbounded ones */
    uint64_t unbounded;               /* attempts of which no bound of the output is known */
    uint64_t cost_nano_usd;           /* of the attempts with a known price */
    uint64_t cost_unknown;            /* attempts without one */
    struct fgw_units units;
};

/* Open addressing over `slots` (a power of two, > rows_max); a slot holds row + 1. */
struct fgw_rollups {
    struct fgw_rollup *rows;
    uint32_t *slots;
    uint32_t slots_count;
    uint32_t rows_max;
    uint32_t used;
    uint32_t last; /* row used last: most records of a pass are of one kind */
};

/* Adds one record (checked by fgw_record_check); kinds without usage are skipped. 0, or -2. */
int fgw_rollups_add(struct fgw_rollups *rollups, const struct fgw_record *record);

/* Seats all rows anew in `slots`, which the caller made larger and zeroed. */
void fgw_rollups_reseat(struct fgw_rollups *rollups);

enum fgw_attempt_state {
    FGW_ATTEMPT_OPENED = 1, /* opened in this pass, still open */
    FGW_ATTEMPT_CLOSED = 2, /* closed in this pass, opened in an earlier one */
    FGW_ATTEMPT_BOTH = 3,
};

struct fgw_attempt {
    struct fgw_request_id id;
    uint64_t offset; /* the caller's number for where the OPEN stands */
    uint8_t attempt;
    uint8_t state;
    uint8_t reserved[6];
};

struct fgw_attempts {
    struct fgw_attempt *rows;
    uint32_t *slots;
    uint32_t slots_count;
    uint32_t rows_max;
    uint32_t used;
};

/* Notes an OPEN or a CLOSE. 0; 1: this attempt was opened (or closed) before in this pass; -2. */
int fgw_attempts_note(struct fgw_attempts *attempts, const struct fgw_record *record,
                      uint64_t offset);

void fgw_attempts_reseat(struct fgw_attempts *attempts);

/* The row of an attempt, or NULL. */
const struct fgw_attempt *fgw_attempts_find(const struct fgw_attempts *attempts,
                                            const struct fgw_request_id *id, uint8_t attempt);

/* A stretch of 256 requests of one worker. */
struct fgw_page {
    uint32_t generation;
    uint32_t worker;
    uint64_t page;
};

/* Counts of a run of records. */
struct fgw_tally {
    uint64_t records;
    uint64_t requests; /* REQUEST records */
    uint64_t denied;   /* of them, refusals */
    uint64_t opens;
    uint64_t closes;
    uint64_t names;
    uint64_t counted; /* refusals told by REFUSED */
    uint64_t wall_first, wall_last;
};

/* Counts one record. */
void fgw_tally_one(struct fgw_tally *tally, const struct fgw_record *record);

/* The pages that records speak of, each once or a few times. */
struct fgw_pages {
    struct fgw_page *pages; /* the caller's, of this many */
    size_t max;
    size_t used;
    /* Neighbours in a ring are mostly neighbours in sequence: a tiny cache finds nearly all
     * repetitions, and the caller's set finds the rest. Zeroed at first. */
    struct fgw_page recent[16];
};

/* Notes what one record speaks of. 0, or -2: there is no room. */
int fgw_pages_note(struct fgw_pages *pages, const struct fgw_record *record);

/* Tallies `length` bytes of checked records and notes the pages that they speak of. 0, -2 where
 * these are more than there is room for, or -1 where the bytes are not whole records. */
int fgw_tally_add(struct fgw_tally *tally, const uint8_t *records, size_t length,
                  struct fgw_pages *pages);

#endif
