#include "fgw_limit_state.h"

/* What to tell a client that has to come again: a little more than the store needs, or, where that
 * is lost, as long as the lessee waits between two tries. */
#define SOON_NS UINT64_C(20000000)
#define LOST_NS UINT64_C(1000000000)

void fgw_lease_find(const struct fgw_limits *limits, const struct fgw_limit_spec *spec,
                    const uint64_t key[2], uint64_t wall_ns, struct fgw_lease *slice)
{
    uint64_t granted_key[2], start_ns, end_ns;
    int inserted;
    fgw_cluster_key(key, granted_key);
    fgw_limit_window(spec, wall_ns, &start_ns, &end_ns);
    uint64_t step = spec->algorithm == FGW_ALGORITHM_CAP ? FGW_CALENDAR_STEP_NS
                                                         : spec->quota.period_ns;
    slice->window = (uint32_t)(start_ns / step & ((1u << FGW_WINDOW_BITS) - 1));
    int64_t entry = fgw_table_find(&limits->table, granted_key);
    if (entry < 0)
        entry = fgw_table_insert(&limits->table, granted_key,
                                 (uint8_t)(FGW_CELL_GRANT << 4 | spec->unit),
                                 fgw_table_span(end_ns, wall_ns), &inserted);
    slice->entry = entry < 0 ? UINT32_MAX : (uint32_t)entry;
    slice->grant = fgw_table_cell(&limits->table, slice->entry);
    slice->granted = slice->meta = 0;
}

uint64_t fgw_lease_bound(const struct fgw_limits *limits, struct fgw_lease *slice,
                         uint64_t now_ns)
{
    slice->granted = slice->grant == 0
                         ? 0
                         : fgw_grant_limit(limits->board, slice->grant, now_ns, &slice->meta);
    return slice->granted;
}

static int is_lost(const struct fgw_limits *limits, uint64_t now_ns)
{
    return limits->alone || !fgw_store_answers(limits->board, now_ns);
}

int fgw_lease_is_open(const struct fgw_limits *limits, const struct fgw_limit_spec *spec,
                      uint64_t now_ns)
{
    return spec->store_loss == FGW_STORE_LOSS_OPEN && is_lost(limits, now_ns);
}

void fgw_lease_taken(const struct fgw_limits *limits, uint32_t spec, struct fgw_lease *slice,
                     uint64_t value, struct fgw_limit_trace *trace)
{
    if (slice->meta & FGW_GRANT_DEGRADED)
        trace->flags |= FGW_TRACE_DEGRADED;
    if (fgw_grant_is_low(slice->granted, value, slice->meta) &&
        fgw_grant_ask(limits->board, slice->grant, slice->entry, spec, slice->window, 1))
        trace->flags |= FGW_TRACE_RANG;
}

/* When time, or the window's end, will have brought that much. */
static uint64_t until_more(const struct fgw_limit_spec *spec, uint64_t need, uint64_t wall_ns)
{
    uint64_t start_ns, end_ns;
    if (spec->algorithm == FGW_ALGORITHM_TOKEN_BUCKET) {
        fgw_u128 wait = (fgw_u128)need * spec->quota.period_ns / spec->quota.capacity;
        return wait < SOON_NS ? SOON_NS : wait < spec->quota.period_ns ? (uint64_t)wait
                                                                       : spec->quota.period_ns;
    }
    fgw_limit_window(spec, wall_ns, &start_ns, &end_ns);
    return end_ns > wall_ns ? end_ns - wall_ns : 0;
}

void fgw_lease_short(const struct fgw_limits *limits, uint32_t spec, struct fgw_lease *slice,
                     uint64_t need, uint64_t now_ns, uint64_t wall_ns,
                     struct fgw_limit_trace *trace)
{
    const struct fgw_limit_spec *of = &limits->specs[spec];
    int lost = is_lost(limits, now_ns);
    if (fgw_grant_ask(limits->board, slice->grant, slice->entry, spec, slice->window, need))
        trace->flags |= FGW_TRACE_RANG;
    trace->flags &= (uint8_t) ~(FGW_TRACE_WAITS | FGW_TRACE_LOST);
    if (slice->meta & FGW_GRANT_DRY) {
        if (slice->meta & FGW_GRANT_DEGRADED)
            trace->flags |= FGW_TRACE_DEGRADED;
        trace->wait_ns = until_more(of, need, wall_ns);
    } else if (lost && (limits->alone || of->store_loss == FGW_STORE_LOSS_CLOSED)) {
        trace->flags |= FGW_TRACE_DEGRADED | FGW_TRACE_LOST;
        trace->wait_ns = LOST_NS;
    } else {
        trace->flags |= FGW_TRACE_WAITS;
        trace->wait_ns = SOON_NS;
    }
}

uint64_t fgw_limit_bound(const struct fgw_limits *limits, const uint64_t key[2], uint64_t value,
                         uint64_t need, uint64_t now_ns)
{
    uint64_t granted_key[2], meta;
    fgw_cluster_key(key, granted_key);
    int64_t entry = fgw_table_find(&limits->table, granted_key);
    if (entry < 0)
        return 0;
    union fgw_cell *grant = fgw_table_cell(&limits->table, (uint64_t)entry);
    uint64_t granted = fgw_grant_limit(limits->board, grant, now_ns, &meta);
    if ((granted < value || granted - value < need) && meta != 0)
        (void)fgw_grant_ask(limits->board, grant, (uint32_t)entry, fgw_grant_spec(meta), 0,
                            value + need - (granted < value ? 0 : granted));
    return granted;
}

uint64_t fgw_lease_room(const struct fgw_limits *limits, const struct fgw_limit_spec *spec,
                        const uint64_t key[2], uint64_t value, uint64_t now_ns)
{
    uint64_t granted_key[2], granted = 0, meta = 0;
    fgw_cluster_key(key, granted_key);
    int64_t entry = fgw_table_find(&limits->table, granted_key);
    if (entry >= 0)
        granted = fgw_grant_limit(limits->board,
                                  fgw_table_cell(&limits->table, (uint64_t)entry), now_ns, &meta);
    if (!(meta & FGW_GRANT_DRY))
        return spec->quota.capacity;
    return granted > value ? granted - value : 0;
}
