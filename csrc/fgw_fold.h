/* fgw_fold.h - one walk over the records of a span: each is counted, summed up and packed while it
 * is at hand.
 *
 *     records --> fgw_tally      how many of which kind, and when
 *             --> fgw_pages      which requests they speak of
 *             --> fgw_attempts   which attempts are open now, which closed
 *             --> fgw_rollups    usage by (minute, dims)
 *             --> fgw_packer     what the store keeps of them
 *
 * All memory is the caller's. The walk stops where something is his to do, and is called again.
 */
#ifndef FGW_FOLD_H
#define FGW_FOLD_H

#include <stddef.h>
#include <stdint.h>

#include "fgw_pack.h"
#include "fgw_rollup.h"

struct fgw_fold {
    const uint8_t *records; /* 8-byte aligned */
    size_t length;
    size_t at;      /* where the walk stands */
    uint64_t place; /* added to where an OPEN stands, for fgw_attempts_note */
    struct fgw_tally tally;
    uint64_t capped; /* admitted REQUESTs that have taken of a cap */
    struct fgw_pages pages;
    struct fgw_packer packer;
    uint8_t *out;   /* FGW_PACK_ROOM(length) bytes, or NULL: nothing is packed */
    size_t written; /* there */
};

enum fgw_fold_stop {
    FGW_FOLD_END = 0,
    FGW_FOLD_ROLLUPS = 1,  /* this table is full: make it larger, and go on */
    FGW_FOLD_ATTEMPTS = 2, /* so is this */
    FGW_FOLD_SEEN = 3,     /* a NAME that is no single request's, or a HELD: the record that ends
                              at `at`, and begins at what was put into `seen` */
    FGW_FOLD_BROKEN = -1,  /* not whole records, or more pages than there is room for */
};

/* Begins a walk; the caller has set all up to `place`, `pages` and `out`. */
void fgw_fold_begin(struct fgw_fold *fold);

/* Goes on until one of fgw_fold_stop. */
int fgw_fold_run(struct fgw_fold *fold, struct fgw_rollups *rollups,
                 struct fgw_attempts *attempts, size_t *seen);

#endif
