#include "fgw_limit_state.h"

#include <string.h>

/* ---- pace: cells without tags ---- */

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

static int rule_of(const struct fgw_hold_limit *limit, struct fgw_window_rule *rule)
{
    rule->capacity = limit->capacity;
    rule->period_ns = limit->period_ns;
    rule->sliding = (limit->flags & FGW_HOLD_SLIDING) != 0;
    return fgw_window_check(rule->capacity, rule->period_ns);
}

/* Changes the cell by what was held and not used, or used and not held. -1: the limit is damaged,
 * GONE: the cell is buried. */
static int move(const struct fgw_hold_limit *limit, union fgw_cell *cell, uint64_t held,
                uint64_t target, uint64_t now_ns)
{
    struct fgw_quota quota;
    struct fgw_window_rule rule;
    if (limit->cell == FGW_CELL_PACE) {
        if (quota_of(limit, &quota) != 0)
            return -1;
        return target < held ? fgw_bucket_refund(&cell->bucket, &quota, held - target,
                                                 limit->owed_until_ns, now_ns)
                             : fgw_bucket_charge(&cell->bucket, &quota, target - held, now_ns);
    }
    if (rule_of(limit, &rule) != 0)
        return -1;
    return target < held ? fgw_window_refund(&cell->window, &rule, held - target,
                                             limit->owed_until_ns)
                         : fgw_window_charge(&cell->window, &rule, target - held,
                                             now_ns + limit->wall_ahead_ns);
}

static union fgw_cell *locate(const struct fgw_limits *limits, struct fgw_hold_limit *limit)
{
    struct fgw_window_rule rule;
    int inserted;
    if (limit->cell == FGW_CELL_WINDOW && rule_of(limit, &rule) != 0)
        return 0;
    uint16_t span = limit->cell == FGW_CELL_WINDOW ? fgw_window_span(&rule) : 0;
    int64_t entry = fgw_table_insert(&limits->table, limit->identity,
                                     (uint8_t)(limit->cell << 4 | limit->unit), span, &inserted);
    limit->entry = entry < 0 ? UINT32_MAX : (uint32_t)entry;
    return fgw_table_cell(&limits->table, limit->entry);
}

/* A debt must not be forgiven by the evictor of a limit whose capacity was lowered since. */
static void note_span(const struct fgw_limits *limits, const struct fgw_hold_limit *limit)
{
    struct fgw_window_rule rule;
    if (limit->cell == FGW_CELL_WINDOW && rule_of(limit, &rule) == 0)
        fgw_table_set_span(&limits->table, limit->entry, fgw_window_span(&rule));
}

static void settle_pace(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                        uint64_t held, uint64_t target, uint64_t now_ns)
{
    union fgw_cell *cell = fgw_table_cell_of(&limits->table, limit->entry, limit->identity);
    if (target < held) {
        if (cell != 0) /* else evicted since: nothing counted any more, so nothing is owed to it */
            (void)move(limit, cell, held, target, now_ns);
        return;
    }
    for (int tries = 0; tries < FGW_RELOCATE_MAX; tries++) {
        if (cell == 0)
            cell = locate(limits, limit);
        if (cell == 0)
            return;
        if (move(limit, cell, held, target, now_ns) != FGW_BUCKET_GONE) {
            note_span(limits, limit);
            return;
        }
        fgw_table_leave(&limits->table, limit->entry);
        cell = 0;
    }
}

/* ---- settling ---- */

void fgw_limit_settle_one(const struct fgw_limits *limits, struct fgw_hold_limit *limit,
                          uint64_t target, uint64_t now_ns)
{
    uint64_t state = fgw_state_read(limit), value;
    unsigned phase = fgw_phase_of(state), which = fgw_which_of(state);
    uint64_t held = limit->amount[which];
    if (phase != FGW_HOLD_TAKEN && phase != FGW_HOLD_WANTED)
        return;
    limit->amount[1 - which] = target;
    if (target == held) {
        fgw_state_set(limit, fgw_state_of(0, which, FGW_HOLD_FREE));
        return;
    }
    if (fgw_is_pace(limit)) {
        /* A death in here leaves it unknown whether the word was moved. Nothing is done about it
         * then: time repays what was not given back. */
        fgw_state_set(limit, fgw_state_of(0, which, FGW_HOLD_SETTLING));
        settle_pace(limits, limit, held, target, now_ns);
        fgw_state_set(limit, fgw_state_of(0, which, FGW_HOLD_FREE));
        return;
    }
    uint64_t seq = fgw_next_seq(limits);
    fgw_state_set(limit, fgw_state_of(seq, which, FGW_HOLD_SETTLING));
    union fgw_cell *cell = fgw_table_cell_of(&limits->table, limit->entry, limit->identity);
    if (cell != 0) /* else its window is over and evicted */
        (void)fgw_word_settle(&cell->word, limits->dones, held, target,
                              fgw_word_tag(limits->worker, seq), &value);
    fgw_state_set(limit, fgw_state_of(seq, which, FGW_HOLD_FREE));
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

void fgw_limits_intend(struct fgw_hold *hold, const struct fgw_amounts *actual)
{
    for (uint32_t i = 0; i < n_limits_of(hold); i++) {
        struct fgw_hold_limit *limit = &hold->limits[i];
        uint64_t state = fgw_state_read(limit);
        unsigned which = fgw_which_of(state);
        /* Pace is settled by progress where this is missed, and time heals the difference. */
        if (limit->cell != FGW_CELL_CAP || fgw_phase_of(state) != FGW_HOLD_TAKEN)
            continue;
        limit->amount[1 - which] = target_of(limit, actual);
        fgw_state_set(limit, fgw_state_of(state >> 8, which, FGW_HOLD_WANTED));
    }
}

void fgw_limits_settle(const struct fgw_limits *limits, struct fgw_hold *hold,
                       const struct fgw_amounts *actual, uint64_t now_ns)
{
    for (uint32_t i = 0; i < n_limits_of(hold); i++)
        fgw_limit_settle_one(limits, &hold->limits[i], target_of(&hold->limits[i], actual),
                             now_ns);
}

/* ---- drawing ---- */

/* Which limits a draw takes from, in the order of their entries, as take does. */
struct drawing {
    const struct fgw_limits *limits;
    struct fgw_hold_limit *of[FGW_LIMITS_MAX];
    uint64_t more[FGW_LIMITS_MAX];
    uint64_t now_ns; /* for the lease of clustered ones: caps have no clock of their own */
    uint32_t n;
};

static void choose(struct drawing *drawing, struct fgw_hold *hold, const struct fgw_amounts *more)
{
    drawing->n = 0;
    for (uint32_t i = 0; i < n_limits_of(hold); i++) {
        struct fgw_hold_limit *limit = &hold->limits[i];
        if (limit->cell != FGW_CELL_CAP || !(limit->flags & FGW_HOLD_CEILING) ||
            limit->unit >= FGW_UNITS || more->by_unit[limit->unit] == 0 ||
            fgw_phase_of(fgw_state_read(limit)) != FGW_HOLD_TAKEN)
            continue;
        uint32_t at = drawing->n++;
        for (; at > 0 && drawing->of[at - 1]->entry > limit->entry; at--)
            drawing->of[at] = drawing->of[at - 1];
        drawing->of[at] = limit;
    }
    for (uint32_t i = 0; i < drawing->n; i++)
        drawing->more[i] = more->by_unit[drawing->of[i]->unit];
}

static uint64_t bound_of(const struct fgw_limits *limits, const struct fgw_hold_limit *limit,
                         uint64_t value, uint64_t more, uint64_t now_ns)
{
    return limit->flags & FGW_HOLD_CLUSTER
               ? fgw_limit_bound(limits, limit->identity, value, more, now_ns)
               : limit->capacity;
}

/* Makes the held amount `target`. Returns 0, or FGW_WORD_SHORT with nothing changed. */
static int redraw(const struct fgw_limits *limits, struct fgw_hold_limit *limit, uint64_t target,
                  uint64_t now_ns)
{
    uint64_t state = fgw_state_read(limit), seq = fgw_next_seq(limits), value;
    unsigned which = fgw_which_of(state);
    uint64_t held = limit->amount[which];
    uint64_t tag = fgw_word_tag(limits->worker, seq);
    limit->amount[1 - which] = target;
    fgw_state_set(limit, fgw_state_of(seq, which, FGW_HOLD_DRAWING));
    union fgw_cell *cell = fgw_table_cell_of(&limits->table, limit->entry, limit->identity);
    int outcome = cell == 0       ? FGW_WORD_GONE
                  : target > held ? fgw_word_add(&cell->word, limits->dones, target - held,
                                                 bound_of(limits, limit, 0, 0, now_ns), tag,
                                                 &value)
                                  : fgw_word_settle(&cell->word, limits->dones, held, target, tag,
                                                    &value);
    /* GONE: its window is over and evicted; nobody counts there any more. */
    if (outcome != FGW_WORD_SHORT)
        which = 1 - which;
    fgw_state_set(limit, fgw_state_of(seq, which, FGW_HOLD_TAKEN));
    return outcome == FGW_WORD_SHORT ? FGW_WORD_SHORT : 0;
}

static int draw_all(const struct drawing *drawing)
{
    uint32_t drawn = 0; /* bits */
    for (uint32_t i = 0; i < drawing->n; i++) {
        struct fgw_hold_limit *limit = drawing->of[i];
        uint64_t held = limit->amount[fgw_which_of(fgw_state_read(limit))];
        uint64_t target = held + drawing->more[i];
        if (target >= held && redraw(drawing->limits, limit, target, drawing->now_ns) == 0) {
            drawn |= UINT32_C(1) << i;
            continue;
        }
        if (!limit->enforced)
            continue;
        while (i-- > 0) {
            struct fgw_hold_limit *before = drawing->of[i];
#ifndef FGW_MUTANT_NO_UNDO /* what the race tests must catch */
            if (drawn >> i & 1)
                (void)redraw(drawing->limits, before,
                             before->amount[fgw_which_of(fgw_state_read(before))] -
                                 drawing->more[i],
                             drawing->now_ns);
#else
            (void)before;
#endif
        }
        return 1;
    }
    return 0;
}

/* As in take: reading first spares others the sight of what is about to be undone. */
static int lacks_room(const struct drawing *drawing)
{
    for (uint32_t i = 0; i < drawing->n; i++) {
        const struct fgw_hold_limit *limit = drawing->of[i];
        const union fgw_cell *cell =
            fgw_table_cell_of(&drawing->limits->table, limit->entry, limit->identity);
        if (cell == 0 || !limit->enforced)
            continue; /* its window is over and evicted: redraw says so */
        uint64_t used = fgw_word_value(&cell->word);
        uint64_t bound =
            bound_of(drawing->limits, limit, used, drawing->more[i], drawing->now_ns);
        if (used > bound || drawing->more[i] > bound - used)
            return 1;
    }
    return 0;
}

int fgw_limits_draw(const struct fgw_limits *limits, struct fgw_hold *hold,
                    const struct fgw_amounts *more, uint64_t now_ns)
{
    struct drawing drawing = {.limits = limits, .now_ns = now_ns};
    choose(&drawing, hold, more);
    int refused = 1;
    for (int tries = 0; tries < 2 && refused; tries++)
        refused = lacks_room(&drawing) || draw_all(&drawing);
    return refused;
}

/* ---- what is held ---- */

static void add_held(const struct fgw_hold *hold, struct fgw_limit_trace *traces, uint32_t n)
{
    for (uint32_t i = 0; i < n_limits_of(hold); i++) {
        const struct fgw_hold_limit *limit = &hold->limits[i];
        for (uint32_t at = 0; at < n; at++)
            if (traces[at].flags & FGW_TRACE_SUMMED &&
                limit->identity[0] == traces[at].identity[0] &&
                limit->identity[1] == traces[at].identity[1])
                traces[at].held += fgw_hold_amount(limit);
    }
}

void fgw_limits_held(const struct fgw_segment *segment, struct fgw_limit_trace *traces,
                     uint32_t n)
{
    for (uint32_t at = 0; at < n; at++)
        if (traces[at].unit != FGW_UNIT_SLOTS) {
            traces[at].held = 0;
            traces[at].flags |= FGW_TRACE_SUMMED;
        }
    for (uint32_t worker = 0; worker < segment->workers; worker++)
        for (uint32_t index = 0; index < segment->holds_per_worker; index++) {
            const struct fgw_hold *hold = fgw_segment_hold(segment, worker, index);
            if (hold != 0 && fgw_hold_is_live(hold))
                add_held(hold, traces, n);
        }
    for (uint32_t at = 0; at < n; at++)
        if (traces[at].held > traces[at].used)
            traces[at].held = traces[at].used; /* of a bucket: time has repaid the rest */
}

uint64_t fgw_limits_tag(const struct fgw_limits *limits)
{
    return fgw_word_tag(limits->worker, fgw_next_seq(limits));
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
    uint64_t state = fgw_state_read(limit), seq = state >> 8;
    unsigned phase = fgw_phase_of(state), which = fgw_which_of(state);
    if (phase != FGW_HOLD_ADDING && phase != FGW_HOLD_SETTLING && phase != FGW_HOLD_DRAWING)
        return;
    if (fgw_is_pace(limit)) {
        fgw_state_set(limit, fgw_state_of(0, which, FGW_HOLD_FREE));
        return;
    }
    const union fgw_cell *cell = fgw_table_cell(&limits->table, limit->entry);
    int happened = cell != 0 && fgw_word_happened(&cell->word, limits->dones,
                                                  fgw_word_tag(limits->worker, seq));
    if (phase == FGW_HOLD_SETTLING)
        fgw_state_set(limit,
                      fgw_state_of(seq, which, happened ? FGW_HOLD_FREE : FGW_HOLD_WANTED));
    else if (happened)
        fgw_state_set(limit, fgw_state_of(seq, 1 - which, FGW_HOLD_TAKEN));
    else
        fgw_state_set(limit, fgw_state_of(seq, which,
                                          phase == FGW_HOLD_ADDING ? FGW_HOLD_FREE
                                                                   : FGW_HOLD_TAKEN));
}

void fgw_limits_resolve(const struct fgw_limits *limits, struct fgw_hold *hold)
{
    for (uint32_t i = 0; i < n_limits_of(hold); i++)
        resolve_one(limits, &hold->limits[i]);
}

/* What a dead worker's limit is settled to. Nobody here knows prices: an amount of money that the
 * hold does not state stays as held. */
static uint64_t swept_target(const struct fgw_hold_limit *limit, uint64_t state,
                             const struct fgw_amounts *used, int open)
{
    uint64_t held = limit->amount[fgw_which_of(state)];
    if (fgw_phase_of(state) == FGW_HOLD_WANTED)
        return limit->amount[1 - fgw_which_of(state)];
    /* Before its first OPEN, or between the CLOSE of an attempt that was retried away before it
     * delivered anything and the next OPEN: no record will ever tell of what it holds. */
    if (limit->cell == FGW_CELL_CAP && !open)
        return 0;
    if (limit->cell == FGW_CELL_CAP && !(limit->flags & FGW_HOLD_PROGRESS))
        return held;
    if (limit->unit == FGW_UNIT_COST && used->by_unit[FGW_UNIT_COST] == 0)
        return held;
    return target_of(limit, used);
}

void fgw_limits_sweep(const struct fgw_limits *limits, struct fgw_hold *hold, uint64_t now_ns)
{
    struct fgw_amounts used;
    fgw_limits_used(hold, &used);
    for (uint32_t i = 0; i < n_limits_of(hold); i++) {
        struct fgw_hold_limit *limit = &hold->limits[i];
        uint64_t target = swept_target(limit, fgw_state_read(limit), &used,
                                       fgw_hold_is_open(hold));
        fgw_limit_settle_one(limits, limit, target, now_ns);
    }
}
