#include "fgw_fold.h"

#include <string.h>

#include "fgw_limit.h"
#include "fgw_ring.h"

void fgw_fold_begin(struct fgw_fold *fold)
{
    fold->at = fold->written = 0;
    fold->capped = 0;
    memset(&fold->tally, 0, sizeof(fold->tally));
    if (fold->out != NULL && fold->length != 0)
        fold->written = fgw_pack_begin(&fold->packer, fold->records + fold->length, fold->out);
}

static int is_whole(const struct fgw_record *record, size_t left)
{
    return left >= sizeof(*record) && record->size >= sizeof(*record) && record->size <= left &&
           record->size <= FGW_RING_RECORD_MAX && (record->size & 7) == 0 &&
           record->kind < FGW_PACK_KINDS;
}

/* What belongs to one request stays in the batch, beside it. */
static int is_for_caller(const struct fgw_record *record)
{
    if (record->kind == FGW_RECORD_NAME)
        return !fgw_name_is_of_request((const void *)record);
    return record->kind == FGW_RECORD_HELD;
}

static int is_capped(const struct fgw_record *record)
{
    const struct fgw_record_request *request = (const void *)record;
    const uint8_t *limits;

    if (record->kind != FGW_RECORD_REQUEST || record->size < sizeof(*request) ||
        request->verdict != 0 ||
        record->size - sizeof(*request) < request->n_rules * sizeof(struct fgw_rule_trace) +
                                              request->n_limits * sizeof(struct fgw_limit_trace))
        return 0;
    limits = (const uint8_t *)(request + 1) + request->n_rules * sizeof(struct fgw_rule_trace);
    for (unsigned index = 0; index < request->n_limits; index++) {
        const struct fgw_limit_trace *limit =
            (const void *)(limits + index * sizeof(struct fgw_limit_trace));

        if (limit->algorithm == FGW_ALGORITHM_CAP && limit->verdict == FGW_LIMIT_TAKEN)
            return 1;
    }
    return 0;
}

int fgw_fold_run(struct fgw_fold *fold, struct fgw_rollups *rollups,
                 struct fgw_attempts *attempts, size_t *seen)
{
    while (fold->at < fold->length) {
        const struct fgw_record *record = (const void *)(fold->records + fold->at);
        const size_t began = fold->at;

        if (!is_whole(record, fold->length - began))
            return FGW_FOLD_BROKEN;
        /* Noted twice is noted once: so this goes first, and the tables may stop the walk. */
        if ((record->kind == FGW_RECORD_OPEN || record->kind == FGW_RECORD_CLOSE) &&
            fgw_attempts_note(attempts, record, fold->place + began) == -2)
            return FGW_FOLD_ATTEMPTS;
        if (fgw_rollups_add(rollups, record) == -2)
            return FGW_FOLD_ROLLUPS;
        fgw_tally_one(&fold->tally, record);
        fold->capped += (uint64_t)is_capped(record);
        if (fgw_pages_note(&fold->pages, record) != 0)
            return FGW_FOLD_BROKEN;
        if (fold->out != NULL)
            fold->written += fgw_pack_one(&fold->packer, fold->records + began,
                                          fold->out + fold->written);
        fold->at += record->size;
        if (is_for_caller(record)) {
            *seen = began;
            return FGW_FOLD_SEEN;
        }
    }
    return FGW_FOLD_END;
}
