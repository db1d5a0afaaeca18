#include "fgw_limit_state.h"

#include <string.h>

#define COLD __attribute__((noinline, cold))

/* What one call of take knows of its demands, besides what is in hold->limits. */
struct taking {
    const struct fgw_limits *limits;
    struct fgw_hold_limit *wanted; /* hold->limits */
    struct fgw_limit_trace *traces;
    uint64_t now_ns, wall_ns;
    uint32_t n;
    uint32_t inserted;
    const struct fgw_limit_spec *specs[FGW_LIMITS_MAX];
    union fgw_cell *cells[FGW_LIMITS_MAX]; /* NULL: the table is full */
    struct fgw_lease slices[FGW_LIMITS_MAX]; /* of clustered limits */
    uint64_t starts[FGW_LIMITS_MAX];       /* of windows: when the one began that runs */
    uint8_t order[FGW_LIMITS_MAX];         /* of entries */
};

static uint8_t cell_kind(const struct fgw_limit_spec *spec)
{
    static const uint8_t kinds[] = {
        [FGW_ALGORITHM_TOKEN_BUCKET] = FGW_CELL_PACE,
        [FGW_ALGORITHM_CONCURRENCY] = FGW_CELL_SLOTS,
        [FGW_ALGORITHM_CAP] = FGW_CELL_CAP,
        [FGW_ALGORITHM_FIXED_WINDOW] = FGW_CELL_WINDOW,
        [FGW_ALGORITHM_SLIDING_WINDOW] = FGW_CELL_WINDOW,
    };
    if (spec->cluster)
        return spec->algorithm == FGW_ALGORITHM_TOKEN_BUCKET ? FGW_CELL_WALLET : FGW_CELL_CAP;
    return spec->algorithm < sizeof kinds ? kinds[spec->algorithm] : FGW_CELL_UNKNOWN;
}

static struct fgw_window_rule rule_of(const struct fgw_limit_spec *spec)
{
    return (struct fgw_window_rule){spec->quota.capacity, spec->quota.period_ns,
                                    spec->algorithm == FGW_ALGORITHM_SLIDING_WINDOW};
}

static uint64_t amount_of(const struct fgw_limit_spec *spec, uint8_t cell,
                          const struct fgw_amounts *amounts)
{
    if (spec->unit == FGW_UNIT_REQUESTS || cell == FGW_CELL_SLOTS)
        return 1;
    uint64_t amount = amounts->by_unit[spec->unit];
    return spec->algorithm != FGW_ALGORITHM_CAP && amount > spec->quota.capacity
               ? spec->quota.capacity
               : amount;
}

static uint8_t flags_of(const struct fgw_limit_spec *spec)
{
    int sliding = spec->algorithm == FGW_ALGORITHM_SLIDING_WINDOW;
    return (uint8_t)((spec->holds & 1) * FGW_HOLD_CEILING + (spec->lost & 1) * FGW_HOLD_PROGRESS +
                     sliding * FGW_HOLD_SLIDING + (spec->cluster & 1) * FGW_HOLD_CLUSTER);
}

static void key_of(const struct fgw_limit_spec *spec, const struct fgw_demand *demand,
                   uint64_t wall_ns, uint64_t key[2])
{
    uint64_t start_ns = spec->window_start_ns, end_ns;
    fgw_limit_key(demand->identity, spec->enforced && demand->enforced, key);
    if (spec->cluster)
        fgw_limit_window(spec, wall_ns, &start_ns, &end_ns);
    if (start_ns != 0)
        fgw_limit_window_key(key, start_ns);
}

static void describe(struct taking *taking, uint32_t i, const struct fgw_demand *demand,
                     const struct fgw_amounts *amounts)
{
    const struct fgw_limit_spec *spec = taking->specs[i];
    struct fgw_hold_limit *limit = &taking->wanted[i];
    atomic_store_explicit(&limit->state, FGW_HOLD_FREE, memory_order_relaxed);
    limit->cell = cell_kind(spec);
    limit->amount[0] = 0;
    limit->amount[1] = amount_of(spec, limit->cell, amounts);
    limit->owed_until_ns = 0;
    limit->capacity = spec->quota.capacity;
    limit->period_ns = spec->quota.period_ns;
    if (limit->cell == FGW_CELL_WINDOW) {
        limit->wall_ahead_ns = taking->wall_ns - taking->now_ns;
        taking->starts[i] = taking->wall_ns - taking->wall_ns % spec->quota.period_ns;
    } else
        limit->ns_per_unit = spec->quota.ns_per_unit;
    limit->unit = spec->unit;
    limit->enforced = spec->enforced && demand->enforced;
    limit->flags = flags_of(spec);
    key_of(spec, demand, taking->wall_ns, limit->identity);
    struct fgw_limit_trace *trace = &taking->traces[i];
    memset(trace, 0, sizeof *trace); /* in place: a literal is made apart, and copied */
    trace->identity[0] = limit->identity[0];
    trace->identity[1] = limit->identity[1];
    trace->rule = spec->rule;
    trace->limit = spec->quota.capacity;
    trace->unit = spec->unit;
    trace->enforced = limit->enforced;
    trace->algorithm = spec->algorithm;
}

/* What is clustered stands apart, so that what is not costs no more for it. */
static COLD void locate_lease(struct taking *taking, uint32_t i)
{
    fgw_lease_find(taking->limits, taking->specs[i], taking->wanted[i].identity, taking->wall_ns,
                   &taking->slices[i]);
    if (taking->slices[i].grant == 0)
        taking->cells[i] = 0;
}

/* Finds the limit's entry, or inserts it. The cell is NULL where the table is full, and the entry
 * names nothing. */
static void locate(struct taking *taking, uint32_t i)
{
    struct fgw_hold_limit *limit = &taking->wanted[i];
    const struct fgw_limit_spec *spec = taking->specs[i];
    int inserted = 0;
    int64_t entry = fgw_table_find_cell(&taking->limits->table, limit->identity,
                                        &taking->cells[i]);
    if (entry < 0) {
        struct fgw_window_rule rule = rule_of(spec);
        uint64_t start_ns, end_ns = spec->window_end_ns;
        if (spec->cluster)
            fgw_limit_window(spec, taking->wall_ns, &start_ns, &end_ns);
        uint16_t span = limit->cell == FGW_CELL_WINDOW ? fgw_window_span(&rule)
                        : limit->cell == FGW_CELL_CAP
                            ? fgw_table_span(end_ns, taking->wall_ns)
                            : 0;
        entry = fgw_table_insert(&taking->limits->table, limit->identity,
                                 (uint8_t)(limit->cell << 4 | limit->unit), span, &inserted);
        taking->inserted |= (uint32_t)inserted << i;
        taking->cells[i] = fgw_table_cell(&taking->limits->table, (uint64_t)entry);
    }
    limit->entry = entry < 0 ? UINT32_MAX : (uint32_t)entry;
    if (limit->flags & FGW_HOLD_CLUSTER)
        locate_lease(taking, i);
}

/* Finds every word, and sorts: by insertion, there are few. */
static void find_all(struct taking *taking)
{
    for (uint32_t i = 0; i < taking->n; i++) {
        locate(taking, i);
        uint32_t at = i;
        for (; at > 0 && taking->wanted[taking->order[at - 1]].entry > taking->wanted[i].entry;
             at--)
            taking->order[at] = taking->order[at - 1];
        taking->order[at] = (uint8_t)i;
    }
}

/* What a bucket or window said, as a trace's verdict; 0: there is room. */
static uint8_t verdict_of(int64_t outcome, struct fgw_limit_trace *trace)
{
    trace->wait_ns = outcome > 0 ? (uint64_t)outcome : 0;
    if (outcome == 0)
        return 0;
    return outcome == FGW_BUCKET_NEVER ? FGW_LIMIT_NEVER : FGW_LIMIT_REFUSED;
}

static uint64_t until_end(const struct fgw_limit_spec *spec, uint64_t wall_ns)
{
    return spec->window_end_ns > wall_ns ? spec->window_end_ns - wall_ns : 0;
}

static COLD uint64_t bound_of_lease(struct taking *taking, uint32_t i)
{
    return fgw_lease_bound(taking->limits, &taking->slices[i], taking->now_ns);
}

static uint64_t bound_of(struct taking *taking, uint32_t i)
{
    const struct fgw_hold_limit *limit = &taking->wanted[i];
    return limit->flags & FGW_HOLD_CLUSTER ? bound_of_lease(taking, i) : limit->capacity;
}

static uint32_t number_of(const struct taking *taking, uint32_t i)
{
    return (uint32_t)(taking->specs[i] - taking->limits->specs);
}

static COLD int is_lease_open(const struct taking *taking, uint32_t i)
{
    return fgw_lease_is_open(taking->limits, taking->specs[i], taking->now_ns);
}

/* 1: a clustered limit that does without its store. */
static int is_open(const struct taking *taking, uint32_t i)
{
    return taking->wanted[i].flags & FGW_HOLD_CLUSTER && is_lease_open(taking, i);
}

static COLD uint8_t short_of_lease(struct taking *taking, uint32_t i, uint64_t value)
{
    fgw_lease_short(taking->limits, number_of(taking, i), &taking->slices[i],
                    value + taking->wanted[i].amount[1] - taking->slices[i].granted,
                    taking->now_ns, taking->wall_ns, &taking->traces[i]);
    return FGW_LIMIT_REFUSED;
}

/* Of a counted word. When a slot comes free nobody knows: the wait is 0 then. */
static uint8_t short_of(struct taking *taking, uint32_t i, uint64_t value)
{
    const struct fgw_hold_limit *limit = &taking->wanted[i];
    if (limit->amount[1] > limit->capacity)
        return FGW_LIMIT_NEVER;
    if (limit->flags & FGW_HOLD_CLUSTER)
        return short_of_lease(taking, i, value);
    taking->traces[i].wait_ns = until_end(taking->specs[i], taking->wall_ns);
    return FGW_LIMIT_REFUSED;
}

static uint8_t ask(struct taking *taking, uint32_t i)
{
    const struct fgw_hold_limit *limit = &taking->wanted[i];
    const union fgw_cell *cell = taking->cells[i];
    if (cell == 0)
        return FGW_LIMIT_TABLE_FULL;
    if (!fgw_is_pace(limit)) {
        uint64_t used = fgw_word_value(&cell->word), bound = bound_of(taking, i);
        if ((used <= bound && limit->amount[1] <= bound - used) || is_open(taking, i))
            return 0;
        return short_of(taking, i, used);
    }
    int64_t outcome;
    if (limit->cell == FGW_CELL_PACE) {
        outcome = fgw_bucket_try(&cell->bucket, &taking->specs[i]->quota, limit->amount[1],
                                 taking->now_ns);
    } else {
        struct fgw_window_rule rule = rule_of(taking->specs[i]);
        outcome = fgw_window_try_in(&cell->window, &rule, limit->amount[1], taking->wall_ns,
                                    taking->starts[i]);
    }
    /* GONE: its key gets a new cell, which is full: taking will find it. */
    return verdict_of(outcome == FGW_BUCKET_GONE ? 0 : outcome, &taking->traces[i]);
}

/* Returns a verdict, 0 if taken, or GONE. */
#define GONE 255

static COLD void taken_of_lease(struct taking *taking, uint32_t i, uint64_t value)
{
    fgw_lease_taken(taking->limits, number_of(taking, i), &taking->slices[i], value,
                    &taking->traces[i]);
}

/* Without the store, and told to do without: whatever the slice. */
static COLD int take_open(struct taking *taking, uint32_t i, uint64_t seq, uint64_t *value)
{
    taking->traces[i].flags |= FGW_TRACE_DEGRADED;
    return fgw_word_add(&taking->cells[i]->word, taking->limits->dones,
                        taking->wanted[i].amount[1], UINT64_MAX,
                        fgw_word_tag(taking->limits->worker, seq), value);
}

static uint8_t take_word(struct taking *taking, uint32_t i)
{
    const struct fgw_limits *limits = taking->limits;
    struct fgw_hold_limit *limit = &taking->wanted[i];
    uint64_t seq = fgw_next_seq(limits), value;
    fgw_state_set(limit, fgw_state_of(seq, 0, FGW_HOLD_ADDING));
    int outcome = fgw_word_add(&taking->cells[i]->word, limits->dones, limit->amount[1],
                               bound_of(taking, i), fgw_word_tag(limits->worker, seq), &value);
    if (outcome == FGW_WORD_SHORT && is_open(taking, i))
        outcome = take_open(taking, i, seq, &value);
    fgw_state_set(limit, outcome == 0 ? fgw_state_of(seq, 1, FGW_HOLD_TAKEN)
                                      : fgw_state_of(seq, 0, FGW_HOLD_FREE));
    if (outcome == 0 && limit->flags & FGW_HOLD_CLUSTER)
        taken_of_lease(taking, i, value);
    return outcome == 0 ? 0 : outcome == FGW_WORD_GONE ? GONE : short_of(taking, i, value);
}

static uint8_t take_pace(struct taking *taking, uint32_t i)
{
    struct fgw_hold_limit *limit = &taking->wanted[i];
    union fgw_cell *cell = taking->cells[i];
    int64_t outcome;
    fgw_state_set(limit, fgw_state_of(0, 0, FGW_HOLD_ADDING));
    if (limit->cell == FGW_CELL_PACE) {
        outcome = fgw_bucket_take(&cell->bucket, &taking->specs[i]->quota, limit->amount[1],
                                  taking->now_ns, &limit->owed_until_ns);
    } else {
        struct fgw_window_rule rule = rule_of(taking->specs[i]);
        outcome = fgw_window_take_in(&cell->window, &rule, limit->amount[1], taking->wall_ns,
                                     taking->starts[i], &limit->owed_until_ns);
    }
    fgw_state_set(limit, outcome == 0 ? fgw_state_of(0, 1, FGW_HOLD_TAKEN)
                                      : fgw_state_of(0, 0, FGW_HOLD_FREE));
    return outcome == FGW_BUCKET_GONE ? GONE : verdict_of(outcome, &taking->traces[i]);
}

static uint8_t take_one(struct taking *taking, uint32_t i)
{
    struct fgw_hold_limit *limit = &taking->wanted[i];
    for (int tries = 0; taking->cells[i] != 0 && tries < FGW_RELOCATE_MAX; tries++) {
        uint8_t verdict = fgw_is_pace(limit) ? take_pace(taking, i) : take_word(taking, i);
        if (verdict != GONE)
            return verdict;
        fgw_table_leave(&taking->limits->table, limit->entry);
        locate(taking, i);
    }
    return FGW_LIMIT_TABLE_FULL;
}

/* 1 if an enforced limit stands in the way; every verdict is set, 0 where there is room. Reading
 * first spares others the sight of takes that are about to be undone; one alone has none. */
static int ask_all(struct taking *taking)
{
    int refused = 0;
    if (taking->n == 1) {
        taking->traces[0].verdict = 0;
        return 0;
    }
    for (uint32_t i = 0; i < taking->n; i++) {
        taking->traces[i].verdict = ask(taking, i);
        refused |= taking->traces[i].verdict != 0 && taking->wanted[i].enforced;
    }
    return refused;
}

static int take_all(struct taking *taking)
{
    for (uint32_t at = 0; at < taking->n; at++) {
        uint32_t i = taking->order[at];
        struct fgw_limit_trace *trace = &taking->traces[i];
        trace->taken = 0; /* a first try may have left its own */
        if (trace->verdict != 0)
            continue; /* a shadow without room */
        trace->verdict = take_one(taking, i);
        if (trace->verdict == 0) {
            if (trace->flags)
                trace->flags &= (uint8_t) ~(FGW_TRACE_WAITS | FGW_TRACE_LOST);
            trace->verdict = FGW_LIMIT_TAKEN;
            trace->taken = taking->wanted[i].amount[1];
        } else if (taking->wanted[i].enforced) {
            while (at-- > 0)
                fgw_limit_settle_one(taking->limits, &taking->wanted[taking->order[at]], 0,
                                     taking->now_ns);
            return 1;
        }
    }
    return 0;
}

/* What this node may spend is what is left, for whoever reads it; the rest counts as used. */
static COLD void fill_clustered(const struct taking *taking, uint32_t i, uint64_t value,
                           struct fgw_limit_trace *trace)
{
    const struct fgw_limit_spec *spec = taking->specs[i];
    uint64_t granted = taking->slices[i].granted, capacity = spec->quota.capacity;
    uint64_t start_ns, end_ns, left = granted > value ? granted - value : 0;
    trace->used = granted < value ? capacity + (value - granted)
                                  : left < capacity ? capacity - left : 0;
    fgw_limit_window(spec, taking->wall_ns, &start_ns, &end_ns);
    if (spec->algorithm == FGW_ALGORITHM_TOKEN_BUCKET)
        trace->reset_ns = (uint64_t)((fgw_u128)trace->used * spec->quota.period_ns / capacity);
    else
        trace->reset_ns = end_ns > taking->wall_ns ? end_ns - taking->wall_ns : 0;
}

static void fill_trace(const struct taking *taking, uint32_t i, int refused)
{
    struct fgw_limit_trace *trace = &taking->traces[i];
    const struct fgw_limit_spec *spec = taking->specs[i];
    const union fgw_cell *cell = taking->cells[i];
    if (refused) {
        if (trace->verdict == 0 || trace->verdict == FGW_LIMIT_TAKEN)
            trace->verdict = FGW_LIMIT_UNDONE;
        trace->taken = trace->verdict == FGW_LIMIT_UNDONE ? 0 : taking->wanted[i].amount[1];
    }
    if (cell == 0)
        return;
    if (taking->wanted[i].flags & FGW_HOLD_CLUSTER) {
        fill_clustered(taking, i, fgw_word_value(&cell->word), trace);
        return;
    }
    switch (taking->wanted[i].cell) {
    case FGW_CELL_PACE:
        fgw_bucket_peek(&cell->bucket, &spec->quota, taking->now_ns, &trace->used,
                        &trace->reset_ns);
        break;
    case FGW_CELL_WINDOW: {
        struct fgw_window_rule rule = rule_of(spec);
        fgw_window_peek_in(&cell->window, &rule, taking->wall_ns, taking->starts[i],
                           &trace->used, &trace->reset_ns);
        break;
    }
    case FGW_CELL_SLOTS:
        trace->used = trace->held = fgw_word_value(&cell->word);
        break;
    default:
        trace->used = fgw_word_value(&cell->word);
        trace->reset_ns = until_end(spec, taking->wall_ns);
    }
}

int fgw_limits_take(const struct fgw_limits *limits, const struct fgw_demand *demands,
                    uint32_t n_demands, const struct fgw_amounts *expected,
                    const struct fgw_amounts *ceiling, uint64_t now_ns, uint64_t wall_ns,
                    struct fgw_hold *hold, struct fgw_limit_trace *traces, uint32_t *inserted)
{
    struct taking taking;
    taking.limits = limits;
    taking.wanted = hold->limits;
    taking.traces = traces;
    taking.now_ns = now_ns;
    taking.wall_ns = wall_ns;
    taking.n = n_demands;
    taking.inserted = 0;
    *inserted = 0;
    if (n_demands > FGW_LIMITS_MAX)
        return 1;
    for (uint32_t i = 0; i < n_demands; i++) {
        if (demands[i].limit >= limits->n_specs)
            return 1; /* demands of another plan: a defect, so fail closed */
        taking.specs[i] = &limits->specs[demands[i].limit];
        describe(&taking, i, &demands[i], taking.specs[i]->holds ? ceiling : expected);
    }
    hold->n_limits = (uint8_t)n_demands; /* before any state but FREE is stored */
    find_all(&taking);
    int refused = 1;
    for (int tries = 0; tries < 2 && refused; tries++)
        refused = ask_all(&taking) || take_all(&taking);
    for (uint32_t i = 0; i < n_demands; i++)
        fill_trace(&taking, i, refused);
    if (refused)
        hold->n_limits = 0;
    *inserted = taking.inserted;
    return refused;
}

/* ---- room ---- */

void fgw_limits_room(const struct fgw_limits *limits, const struct fgw_demand *demands,
                     uint32_t n_demands, uint64_t now_ns, uint64_t wall_ns,
                     uint64_t room[FGW_UNITS])
{
    for (uint32_t unit = 0; unit < FGW_UNITS; unit++)
        room[unit] = UINT64_MAX;
    for (uint32_t i = 0; i < n_demands; i++) {
        if (demands[i].limit >= limits->n_specs)
            continue;
        const struct fgw_limit_spec *spec = &limits->specs[demands[i].limit];
        if (spec->algorithm != FGW_ALGORITHM_CAP || !spec->enforced || !demands[i].enforced)
            continue;
        uint64_t key[2], used = 0;
        key_of(spec, &demands[i], wall_ns, key);
        int64_t entry = fgw_table_find(&limits->table, key);
        if (entry >= 0)
            used = fgw_word_value(&fgw_table_cell(&limits->table, (uint64_t)entry)->word);
        uint64_t bound = spec->quota.capacity;
        uint64_t left = spec->cluster ? fgw_lease_room(limits, spec, key, used, now_ns)
                        : used < bound ? bound - used
                                       : 0;
        if (left < room[spec->unit])
            room[spec->unit] = left;
    }
}

/* ---- what another request would be told ---- */

int fgw_limits_fit(const struct fgw_limits *limits, const struct fgw_demand *demands,
                   uint32_t n_demands, const struct fgw_amounts *expected,
                   const struct fgw_amounts *ceiling, uint64_t now_ns, uint64_t wall_ns)
{
    struct fgw_hold_limit wanted[FGW_LIMITS_MAX];
    struct fgw_limit_trace traces[FGW_LIMITS_MAX];
    struct taking taking;
    taking.limits = limits;
    taking.wanted = wanted;
    taking.traces = traces;
    taking.now_ns = now_ns;
    taking.wall_ns = wall_ns;
    if (n_demands > FGW_LIMITS_MAX)
        return 0;
    for (uint32_t i = 0; i < n_demands; i++) {
        if (demands[i].limit >= limits->n_specs)
            return 0;
        taking.specs[i] = &limits->specs[demands[i].limit];
        describe(&taking, i, &demands[i], taking.specs[i]->holds ? ceiling : expected);
        if (!wanted[i].enforced)
            continue;
        int64_t entry = fgw_table_find(&limits->table, wanted[i].identity);
        taking.cells[i] = entry < 0 ? 0 : fgw_table_cell(&limits->table, (uint64_t)entry);
        if (wanted[i].flags & FGW_HOLD_CLUSTER) {
            /* Nobody is asked for a slice here: there is room until the fleet is known as dry. */
            uint64_t used = taking.cells[i] ? fgw_word_value(&taking.cells[i]->word) : 0;
            if (wanted[i].amount[1] > fgw_lease_room(limits, taking.specs[i], wanted[i].identity,
                                                     used, now_ns))
                return 0;
            continue;
        }
        if (taking.cells[i] ? ask(&taking, i) != 0 : wanted[i].amount[1] > bound_of(&taking, i))
            return 0;
    }
    return 1;
}
