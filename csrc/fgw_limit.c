#include "fgw_limit.h"

#include <stdatomic.h>
#include <string.h>

#define RELOCATE_MAX 8

static uint64_t state_of(uint64_t seq, unsigned which, unsigned phase)
{
    return seq << 8 | which << 4 | phase;
}
static unsigned phase_of(uint64_t state) { return (unsigned)(state & 15); }
static unsigned which_of(uint64_t state) { return (unsigned)(state >> 4 & 1); }
static uint64_t seq_of(uint64_t state) { return state >> 8; }

static uint64_t read_state(const struct fgw_hold_limit *limit)
{
    return atomic_load_explicit(&limit->state, memory_order_acquire);
}

static void set_state(struct fgw_hold_limit *limit, uint64_t state)
{
    atomic_store_explicit(&limit->state, state, memory_order_release);
}

static int is_pace(const struct fgw_hold_limit *limit) { return limit->cell == FGW_CELL_PACE; }

/* Stored before the change is made, so that a number never comes twice. */
static uint64_t next_seq(const struct fgw_limits *limits)
{
    uint64_t seq = atomic_load_explicit(&limits->slot->word_seq, memory_order_relaxed) + 1;
    atomic_store_explicit(&limits->slot->word_seq, seq, memory_order_release);
    return seq & FGW_WORD_SEQ_MAX;
}

/* Read from the segment, so checked again: -1 if no quota can look like this. */
static int quota_of(const struct fgw_hold_limit *limit, struct fgw_quota *quota)
{
    quota->capacity = limit->capacity;
    quota->period_ns = limit->period_ns;
    quota->ns_per_unit = limit->ns_per_unit;
    return quota->capacity >= 1 && quota->capacity <= quota->period_ns &&
                   quota->period_ns < UINT64_C(1) << 62
               ? 0
               : -1;
}

/* Finds the limit's entry, or inserts it. NULL: the table is full, and the entry names nothing. */
static union fgw_cell *locate(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                              int *inserted)
{
    uint8_t kind = (uint8_t)(limit->cell << 4 | limit->unit);
    int64_t entry = fgw_table_insert(&limits->table, limit->identity, kind, inserted);
    limit->entry = entry < 0 ? UINT32_MAX : (uint32_t)entry;
    return fgw_table_cell(&limits->table, limit->entry);
}

/* ---- taking ---- */

/* What one call of take knows of its demands, besides what is in hold->limits. */
struct taking {
    const struct fgw_limits *limits;
    struct fgw_hold_limit *wanted; /* hold->limits */
    struct fgw_limit_trace *traces;
    uint64_t now_ns;
    uint32_t n;
    uint32_t inserted;
    const struct fgw_quota *quotas[FGW_LIMITS_MAX];
    union fgw_cell *cells[FGW_LIMITS_MAX]; /* NULL: the table is full */
    uint8_t order[FGW_LIMITS_MAX];         /* of entries */
};

static uint8_t cell_kind(const struct fgw_limit_spec *spec)
{
    return spec->algorithm == FGW_ALGORITHM_CONCURRENCY ? FGW_CELL_SLOTS
           : spec->algorithm == FGW_ALGORITHM_CAP       ? FGW_CELL_CAP
                                                        : FGW_CELL_PACE;
}

static uint64_t amount_of(const struct fgw_limit_spec *spec, const struct fgw_amounts *amounts)
{
    if (spec->unit == FGW_UNIT_REQUESTS || spec->algorithm == FGW_ALGORITHM_CONCURRENCY)
        return 1;
    uint64_t amount = amounts->by_unit[spec->unit];
    return spec->algorithm == FGW_ALGORITHM_TOKEN_BUCKET && amount > spec->quota.capacity
               ? spec->quota.capacity
               : amount;
}

static void describe(const struct fgw_limit_spec *spec, const struct fgw_demand *demand,
                     uint64_t amount, struct fgw_hold_limit *limit, struct fgw_limit_trace *trace)
{
    atomic_store_explicit(&limit->state, FGW_HOLD_FREE, memory_order_relaxed);
    limit->amount[0] = 0;
    limit->amount[1] = amount;
    limit->owed_until_ns = 0;
    limit->capacity = spec->quota.capacity;
    limit->period_ns = spec->quota.period_ns;
    limit->ns_per_unit = spec->quota.ns_per_unit;
    limit->unit = spec->unit;
    limit->cell = cell_kind(spec);
    limit->enforced = spec->enforced && demand->enforced;
    fgw_limit_key(demand->identity, limit->enforced, limit->identity);
    *trace = (struct fgw_limit_trace){
        .identity = {limit->identity[0], limit->identity[1]},
        .rule = spec->rule,
        .limit = spec->quota.capacity,
        .unit = spec->unit,
        .enforced = limit->enforced,
    };
}

/* Finds every word, and sorts: by insertion, there are few. */
static void find_all(struct taking *taking)
{
    for (uint32_t i = 0; i < taking->n; i++) {
        int inserted;
        taking->cells[i] = locate(taking->limits, &taking->wanted[i], &inserted);
        taking->inserted |= (uint32_t)inserted << i;
        uint32_t at = i;
        for (; at > 0 && taking->wanted[taking->order[at - 1]].entry > taking->wanted[i].entry;
             at--)
            taking->order[at] = taking->order[at - 1];
        taking->order[at] = (uint8_t)i;
    }
}

/* What a bucket said, as a trace's verdict; 0: there is room. */
static uint8_t verdict_of(int64_t outcome, struct fgw_limit_trace *trace)
{
    trace->wait_ns = outcome > 0 ? (uint64_t)outcome : 0;
    if (outcome == 0)
        return 0;
    return outcome == FGW_BUCKET_NEVER ? FGW_LIMIT_NEVER : FGW_LIMIT_REFUSED;
}

static uint8_t ask(const struct taking *taking, uint32_t i)
{
    const struct fgw_hold_limit *limit = &taking->wanted[i];
    const union fgw_cell *cell = taking->cells[i];
    if (cell == 0)
        return FGW_LIMIT_TABLE_FULL;
    if (!is_pace(limit)) {
        if (limit->amount[1] > limit->capacity)
            return FGW_LIMIT_NEVER;
        return fgw_word_value(&cell->word) <= limit->capacity - limit->amount[1]
                   ? 0
                   : FGW_LIMIT_REFUSED;
    }
    int64_t outcome = fgw_bucket_try(&cell->bucket, taking->quotas[i], limit->amount[1],
                                     taking->now_ns);
    /* GONE: its key gets a new bucket, which is full: taking will find it. */
    return verdict_of(outcome == FGW_BUCKET_GONE ? 0 : outcome, &taking->traces[i]);
}

static int64_t take_word(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                         union fgw_cell *cell)
{
    uint64_t seq = next_seq(limits), value;
    set_state(limit, state_of(seq, 0, FGW_HOLD_ADDING));
    int outcome = fgw_word_add(&cell->word, limits->dones, limit->amount[1], limit->capacity,
                               fgw_word_tag(limits->worker, seq), &value);
    set_state(limit, outcome == 0 ? state_of(seq, 1, FGW_HOLD_TAKEN)
                                  : state_of(seq, 0, FGW_HOLD_FREE));
    if (outcome == FGW_WORD_GONE)
        return FGW_BUCKET_GONE;
    return outcome == 0 ? 0 : limit->amount[1] > limit->capacity ? FGW_BUCKET_NEVER : 1;
}

static int64_t take_pace(struct fgw_hold_limit *limit, const struct fgw_quota *quota,
                         union fgw_cell *cell, uint64_t now_ns)
{
    set_state(limit, state_of(0, 0, FGW_HOLD_ADDING));
    int64_t outcome = fgw_bucket_take(&cell->bucket, quota, limit->amount[1], now_ns,
                                      &limit->owed_until_ns);
    set_state(limit, outcome == 0 ? state_of(0, 1, FGW_HOLD_TAKEN)
                                  : state_of(0, 0, FGW_HOLD_FREE));
    return outcome;
}

static uint8_t take_one(struct taking *taking, uint32_t i)
{
    struct fgw_hold_limit *limit = &taking->wanted[i];
    for (int tries = 0; taking->cells[i] != 0 && tries < RELOCATE_MAX; tries++) {
        int64_t outcome =
            is_pace(limit)
                ? take_pace(limit, taking->quotas[i], taking->cells[i], taking->now_ns)
                : take_word(taking->limits, limit, taking->cells[i]);
        if (outcome != FGW_BUCKET_GONE) {
            uint8_t verdict = verdict_of(outcome, &taking->traces[i]);
            if (!is_pace(limit))
                taking->traces[i].wait_ns = 0; /* when a slot comes free nobody knows */
            return verdict;
        }
        int inserted;
        fgw_table_leave(&taking->limits->table, limit->entry);
        taking->cells[i] = locate(taking->limits, limit, &inserted);
        taking->inserted |= (uint32_t)inserted << i;
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

static void settle_one(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                       uint64_t target, uint64_t now_ns);

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
            trace->verdict = FGW_LIMIT_TAKEN;
            trace->taken = taking->wanted[i].amount[1];
        } else if (taking->wanted[i].enforced) {
            while (at-- > 0)
                settle_one(taking->limits, &taking->wanted[taking->order[at]], 0,
                           taking->now_ns);
            return 1;
        }
    }
    return 0;
}

static void fill_trace(const struct taking *taking, uint32_t i, int refused)
{
    struct fgw_limit_trace *trace = &taking->traces[i];
    const struct fgw_hold_limit *limit = &taking->wanted[i];
    const union fgw_cell *cell = taking->cells[i];
    if (refused) {
        trace->taken = 0;
        if (trace->verdict == 0 || trace->verdict == FGW_LIMIT_TAKEN)
            trace->verdict = FGW_LIMIT_UNDONE;
    }
    if (cell == 0)
        return;
    if (is_pace(limit)) {
        fgw_bucket_peek(&cell->bucket, taking->quotas[i], taking->now_ns, &trace->used,
                        &trace->reset_ns);
        return;
    }
    trace->used = fgw_word_value(&cell->word);
    trace->held = limit->cell == FGW_CELL_SLOTS ? trace->used : 0;
}

int fgw_limits_take(const struct fgw_limits *limits, const struct fgw_demand *demands,
                    uint32_t n_demands, const struct fgw_amounts *amounts, uint64_t now_ns,
                    struct fgw_hold *hold, struct fgw_limit_trace *traces, uint32_t *inserted)
{
    struct taking taking;
    taking.limits = limits;
    taking.wanted = hold->limits;
    taking.traces = traces;
    taking.now_ns = now_ns;
    taking.n = n_demands;
    taking.inserted = 0;
    *inserted = 0;
    if (n_demands > FGW_LIMITS_MAX)
        return 1;
    for (uint32_t i = 0; i < n_demands; i++) {
        if (demands[i].limit >= limits->n_specs)
            return 1; /* demands of another plan: a defect, so fail closed */
        const struct fgw_limit_spec *spec = &limits->specs[demands[i].limit];
        taking.quotas[i] = &spec->quota;
        describe(spec, &demands[i], amount_of(spec, amounts), &hold->limits[i], &traces[i]);
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

/* ---- settling ---- */

static void settle_pace(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                        uint64_t held, uint64_t target, uint64_t now_ns)
{
    struct fgw_quota quota;
    int inserted;
    if (target == held || quota_of(limit, &quota) != 0)
        return;
    union fgw_cell *cell = fgw_table_cell_of(&limits->table, limit->entry, limit->identity);
    if (target < held) {
        if (cell != 0) /* else evicted since: it was full, so nothing is owed to it */
            (void)fgw_bucket_refund(&cell->bucket, &quota, held - target, limit->owed_until_ns,
                                    now_ns);
        return;
    }
    for (int tries = 0; tries < RELOCATE_MAX; tries++) {
        if (cell == 0)
            cell = locate(limits, limit, &inserted);
        if (cell == 0 || fgw_bucket_charge(&cell->bucket, &quota, target - held, now_ns) == 0)
            return;
        fgw_table_leave(&limits->table, limit->entry);
        cell = 0;
    }
}

static void settle_one(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                       uint64_t target, uint64_t now_ns)
{
    uint64_t state = read_state(limit), value;
    unsigned which = which_of(state);
    uint64_t held = limit->amount[which];
    if (phase_of(state) != FGW_HOLD_TAKEN && phase_of(state) != FGW_HOLD_WANTED)
        return;
    limit->amount[1 - which] = target;
    if (is_pace(limit)) {
        /* A death in here leaves it unknown whether the word was moved. Nothing is done about it
         * then: time repays what was not given back. */
        set_state(limit, state_of(0, which, FGW_HOLD_SETTLING));
        settle_pace(limits, limit, held, target, now_ns);
        set_state(limit, state_of(0, which, FGW_HOLD_FREE));
        return;
    }
    uint64_t seq = next_seq(limits);
    set_state(limit, state_of(seq, which, FGW_HOLD_SETTLING));
    union fgw_cell *cell = fgw_table_cell_of(&limits->table, limit->entry, limit->identity);
    if (cell != 0)
        (void)fgw_word_settle(&cell->word, limits->dones, held, target,
                              fgw_word_tag(limits->worker, seq), &value);
    set_state(limit, state_of(seq, which, FGW_HOLD_FREE));
}

static uint32_t n_limits_of(const struct fgw_hold *hold)
{
    return hold->n_limits <= FGW_LIMITS_MAX ? hold->n_limits : FGW_LIMITS_MAX;
}

static uint64_t target_of(const struct fgw_hold_limit *limit, const struct fgw_amounts *actual)
{
    return limit->cell == FGW_CELL_SLOTS || limit->unit >= FGW_UNITS
               ? 0
               : actual->by_unit[limit->unit];
}

void fgw_limits_settle(const struct fgw_limits *limits, struct fgw_hold *hold,
                       const struct fgw_amounts *actual, uint64_t now_ns)
{
    for (uint32_t i = 0; i < n_limits_of(hold); i++)
        settle_one(limits, &hold->limits[i], target_of(&hold->limits[i], actual), now_ns);
}

/* ---- sweeping ---- */

void fgw_limits_used(const struct fgw_hold *hold, struct fgw_amounts *used)
{
    struct fgw_progress_seen seen;
    fgw_hold_read_progress(hold, &seen);
    uint64_t estimate = hold->sent ? hold->input_estimate : 0;
    uint64_t input = seen.earlier_input + (seen.input_tokens ? seen.input_tokens : estimate);
    uint64_t output = seen.earlier_output + seen.output_tokens;
    memset(used, 0, sizeof *used);
    used->by_unit[FGW_UNIT_REQUESTS] = 1;
    used->by_unit[FGW_UNIT_INPUT_TOKENS] = input;
    used->by_unit[FGW_UNIT_OUTPUT_TOKENS] = output;
    used->by_unit[FGW_UNIT_TOKENS] = input + output;
    used->by_unit[FGW_UNIT_COST] = hold->cost_held; /* prices are not known here: the ceiling */
}

static void resolve_one(const struct fgw_limits *limits, struct fgw_hold_limit *limit)
{
    uint64_t state = read_state(limit), seq = seq_of(state);
    unsigned phase = phase_of(state), which = which_of(state);
    if (phase != FGW_HOLD_ADDING && phase != FGW_HOLD_SETTLING)
        return;
    if (is_pace(limit)) {
        set_state(limit, state_of(0, which, FGW_HOLD_FREE));
        return;
    }
    const union fgw_cell *cell = fgw_table_cell(&limits->table, limit->entry);
    int happened = cell != 0 && fgw_word_happened(&cell->word, limits->dones,
                                                  fgw_word_tag(limits->worker, seq));
    if (phase == FGW_HOLD_ADDING)
        set_state(limit, happened ? state_of(seq, 1 - which, FGW_HOLD_TAKEN)
                                  : state_of(seq, which, FGW_HOLD_FREE));
    else
        set_state(limit, state_of(seq, which, happened ? FGW_HOLD_FREE : FGW_HOLD_WANTED));
}

void fgw_limits_resolve(const struct fgw_limits *limits, struct fgw_hold *hold)
{
    for (uint32_t i = 0; i < n_limits_of(hold); i++)
        resolve_one(limits, &hold->limits[i]);
}

void fgw_limits_sweep(const struct fgw_limits *limits, struct fgw_hold *hold, uint64_t now_ns)
{
    struct fgw_amounts used;
    fgw_limits_used(hold, &used);
    for (uint32_t i = 0; i < n_limits_of(hold); i++) {
        struct fgw_hold_limit *limit = &hold->limits[i];
        uint64_t state = read_state(limit);
        unsigned which = which_of(state);
        uint64_t target = phase_of(state) == FGW_HOLD_WANTED ? limit->amount[1 - which]
                          : limit->cell == FGW_CELL_CAP      ? limit->amount[which]
                                                             : target_of(limit, &used);
        settle_one(limits, limit, target, now_ns);
    }
}
