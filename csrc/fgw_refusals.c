#include "fgw_refusals.h"

#include <stdatomic.h>
#include <string.h>

#define MERGED (FGW_REFUSALS_ROWS - 1)
#define SECOND_NS 1000000000u

/* The counts are read by a successor after a kill: the compiler must not move these stores about.
 * A signal fence is enough, since the successor starts after the kernel reaped us. */
#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)

int fgw_pacer_take(struct fgw_pacer *pacer, uint64_t account, uint64_t now_ns)
{
    /* Direct-mapped: two keys on one row start each other's second anew, so at worst more is
     * posted in full than the pace says, which the ring's room bounds. */
    struct fgw_pace *pace = &pacer->row[account % FGW_PACER_ROWS];
    uint64_t second = now_ns / SECOND_NS;
    uint64_t allowed = account == 0 ? FGW_REFUSALS_NO_KEY : FGW_REFUSALS_PER_KEY;

    if (pace->account != account || pace->second != second) {
        pace->account = account;
        pace->second = second;
        pace->posted = 0;
    }
    if (pace->posted >= allowed) {
        return 0;
    }
    pace->posted++;
    return 1;
}

static uint32_t home(uint64_t rule, uint64_t account, uint16_t code)
{
    uint64_t mixed = (rule ^ (account * 0x9e3779b97f4a7c15u) ^ code) * 0xff51afd7ed558ccdu;

    return (uint32_t)((mixed >> 33) % MERGED);
}

/* Linear probing from the row's home; a free row ends no chain, since rows are freed one by one.
 * */
static struct fgw_refusal_count *find(struct fgw_refusals *counts,
                                      const struct fgw_record_request *refused, int *found)
{
    uint64_t account = refused->dims.account;
    uint32_t start = home(refused->rule, account, refused->code);
    struct fgw_refusal_count *free_row = NULL;

    for (uint32_t step = 0; step < MERGED; step++) {
        struct fgw_refusal_count *row = &counts->row[(start + step) % MERGED];

        if (row->used && row->rule == refused->rule && row->account == account &&
            row->code == refused->code) {
            *found = 1;
            return row;
        }
        if (!row->used && free_row == NULL) {
            free_row = row;
        }
    }
    *found = 0;
    return free_row;
}

static void take_row(struct fgw_refusal_count *row, const struct fgw_record_request *refused,
                     int merged)
{
    memset(row, 0, sizeof(*row));
    row->rule = merged ? 0 : refused->rule;
    row->account = merged ? 0 : refused->dims.account;
    row->code = merged ? 0 : refused->code;
    row->status = refused->status;
    IN_ORDER();
    row->used = 1;
}

/* The row that counts this refusal; the last one of the table where there is none. */
static struct fgw_refusal_count *row_for(struct fgw_refusals *counts,
                                         const struct fgw_record_request *refused)
{
    int found;
    struct fgw_refusal_count *row = find(counts, refused, &found);
    int merged = row == NULL;

    if (merged) {
        row = &counts->row[MERGED];
        found = row->used;
    }
    if (!found) {
        take_row(row, refused, merged);
    }
    return row;
}

int fgw_refusals_sample(struct fgw_refusals *counts, const struct fgw_record_request *refused)
{
    struct fgw_refusal_count *row = row_for(counts, refused);

    if (row == &counts->row[MERGED] || row->sampled) {
        return 0;
    }
    row->sampled = 1;
    return 1;
}

int fgw_refusals_add(struct fgw_refusals *counts, const struct fgw_record_request *refused)
{
    struct fgw_refusal_count *row = row_for(counts, refused);

    row->last = refused->head.id;
    IN_ORDER();
    row->counted++;
    return row == &counts->row[MERGED];
}

static int post(struct fgw_refusal_count *row, struct fgw_ring *ring, uint64_t wall_ns)
{
    struct fgw_record_refused body;
    struct fgw_record *claim = fgw_ring_claim(ring, sizeof(body), 0);

    if (claim == NULL) {
        return -1;
    }
    memset(&body, 0, sizeof(body));
    body.head.kind = FGW_RECORD_REFUSED;
    body.head.version = FGW_RECORD_VERSION;
    body.head.id = row->last;
    body.head.wall_ns = wall_ns;
    body.rule = row->rule;
    body.account = row->account;
    body.code = row->code;
    body.status = row->status;
    body.count = row->counted - row->posted;
    memcpy(claim, &body, sizeof(body));

    row->position = ring->claimed;
    IN_ORDER();
    row->pending = row->posted + body.count;
    IN_ORDER();
    fgw_ring_publish(ring, 0);
    IN_ORDER();
    row->posted = row->pending;
    IN_ORDER();
    row->pending = 0;
    return 0;
}

int fgw_refusals_flush(struct fgw_refusals *counts, struct fgw_ring *ring, uint64_t wall_ns)
{
    int waiting = 0;

    for (uint32_t index = 0; index < FGW_REFUSALS_ROWS; index++) {
        struct fgw_refusal_count *row = &counts->row[index];

        if (!row->used) {
            continue;
        }
        if (row->counted == row->posted && !row->sampled) {
            row->used = 0; /* nothing came since the last flush */
            continue;
        }
        row->sampled = 0;
        if (row->counted != row->posted && post(row, ring, wall_ns) != 0) {
            waiting++;
        }
    }
    return waiting;
}

void fgw_refusals_recover(struct fgw_refusals *counts, const struct fgw_ring *ring)
{
    for (uint32_t index = 0; index < FGW_REFUSALS_ROWS; index++) {
        struct fgw_refusal_count *row = &counts->row[index];

        if (!row->used || row->pending == 0) {
            continue;
        }
        if (ring->head > row->position) { /* the record is out */
            row->posted = row->pending;
        }
        IN_ORDER();
        row->pending = 0;
    }
}
