/* The two halves of a cell live in general registers, as the compare-and-swap wants them: packed
 * into vectors and back they cost a take and its settlement 3 to 7 ns of 60. */
#ifndef __clang__
#pragma GCC optimize("no-tree-slp-vectorize")
#endif

#include "fgw_window.h"

#include <stdatomic.h>

#include "fgw_word.h"

#define COUNT_BITS 44
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)
#define USED_MAX (COUNT_MAX - 1) /* so that no cell in use looks like a dead one */
#define STAMP_LOW_BITS 20
#define STAMP_MAX ((UINT64_C(1) << 40) - 1)
#define PERIOD_MAX (UINT64_C(1) << 61)
#define SECOND UINT64_C(1000000000)
/* A clock that was set back by less than this, or by one window, is waited for. */
#define BACK_MAX (60 * SECOND)
/* No wait and no reset is longer: a debt of centuries is one for ever. */
#define SPAN_MAX (UINT64_C(1) << 62)

/* A cell as it stands, taken apart. */
struct seen {
    uint64_t low, high;
};

/* A cell as it is at an instant. */
struct state {
    uint64_t start, current, previous;
};

int fgw_window_check(uint64_t capacity, uint64_t period_ns)
{
    return capacity >= 1 && capacity <= FGW_WINDOW_CAPACITY_MAX &&
                   period_ns >= FGW_WINDOW_PERIOD_MIN && period_ns <= PERIOD_MAX
               ? 0
               : -1;
}

static unsigned shift_of(uint64_t period_ns) { return 63u - (unsigned)__builtin_clzll(period_ns); }

static uint64_t stamp_of(struct seen seen)
{
    return seen.low >> COUNT_BITS | seen.high >> COUNT_BITS << STAMP_LOW_BITS;
}

static struct seen pack(const struct state *state, unsigned shift)
{
    uint64_t stamp = state->start >> shift;
    return (struct seen){stamp << COUNT_BITS | state->current,
                         stamp >> STAMP_LOW_BITS << COUNT_BITS | state->previous};
}

/* The first of low, then high, then low again. Within one window `previous` only falls, so the
 * pair, or one that is no more in use than it, has stood there: a refusal by it is a true one. */
static struct seen read_cell(const struct fgw_window *window)
{
    struct seen seen;
    uint64_t low = atomic_load_explicit(&window->low, memory_order_acquire);
    do {
        seen.low = low;
        seen.high = atomic_load_explicit(&window->high, memory_order_acquire);
        low = atomic_load_explicit(&window->low, memory_order_acquire);
    } while (low != seen.low);
    return seen;
}

static int swap(struct fgw_window *window, struct seen *seen, struct seen desired)
{
    union {
        struct seen halves;
        fgw_u128 whole;
    } expected = {.halves = *seen}, wanted = {.halves = desired};
    if (fgw_swap16(window, &expected.whole, wanted.whole))
        return 1;
    *seen = expected.halves;
    return 0;
}

static int is_dead(struct seen seen) { return seen.low == FGW_WINDOW_DEAD; }

/* The only multiple of the period whose stamp this is. */
static uint64_t start_of(uint64_t stamp, unsigned shift, uint64_t period_ns)
{
    uint64_t least = stamp << shift;
    return (least + period_ns - 1) / period_ns * period_ns;
}

/* After `passed` >= 1 windows: each repays a capacity of what was used. */
static void pass(struct state *state, uint64_t passed, uint64_t capacity)
{
    uint64_t used = state->current;
    uint64_t before = passed - 1 > used / capacity ? used : (passed - 1) * capacity;
    uint64_t left = used - before;
    state->previous = left < capacity ? left : capacity;
    state->current = left - state->previous;
}

/* The cell as it is at wall_ns, and the instant that counts: never before the cell's own window,
 * unless the clock was set back by far. */
static struct state state_at(struct seen seen, const struct fgw_window_rule *rule,
                             uint64_t start, uint64_t *wall_ns)
{
    unsigned shift = shift_of(rule->period_ns);
    uint64_t stamp = stamp_of(seen);
    struct state state = {start, seen.low & COUNT_MAX, seen.high & COUNT_MAX};
    if (stamp == start >> shift)
        return state;
    if (stamp < start >> shift) {
        if (start >= rule->period_ns && stamp == (start - rule->period_ns) >> shift) {
            pass(&state, 1, rule->capacity);
        } else if (state.current > rule->capacity) {
            uint64_t from = start_of(stamp, shift, rule->period_ns);
            pass(&state, (start - from) / rule->period_ns, rule->capacity);
        } else {
            state.current = state.previous = 0;
        }
        return state;
    }
    uint64_t later = start_of(stamp, shift, rule->period_ns);
    if (later - *wall_ns <= (rule->period_ns > BACK_MAX ? rule->period_ns : BACK_MAX))
        *wall_ns = state.start = later;
    else
        state.current = state.previous = 0;
    return state;
}

/* What of `previous` is still in sight, rounded up. */
static uint64_t in_sight(const struct state *state, const struct fgw_window_rule *rule,
                         uint64_t wall_ns)
{
    uint64_t rest = rule->period_ns - (wall_ns - state->start);
    if (!rule->sliding || state->previous == 0)
        return 0;
    uint64_t product;
    if (!__builtin_mul_overflow(state->previous, rest, &product))
        return product / rule->period_ns + (product % rule->period_ns != 0);
    fgw_u128 wide = (fgw_u128)state->previous * rest;
    return (uint64_t)((wide + rule->period_ns - 1) / rule->period_ns);
}

/* How long into a window until `previous` leaves `room`. */
static uint64_t slide(uint64_t previous, uint64_t room, uint64_t period_ns)
{
    if (room >= previous)
        return 0;
    return period_ns - (uint64_t)((fgw_u128)room * period_ns / previous);
}

static uint64_t wait_of(struct state state, const struct fgw_window_rule *rule, uint64_t units,
                        uint64_t wall_ns)
{
    uint64_t most = rule->capacity - units;
    fgw_u128 at = state.start;
    if (state.current > most) {
        uint64_t windows = (state.current - most + rule->capacity - 1) / rule->capacity;
        pass(&state, windows, rule->capacity);
        at += (fgw_u128)windows * rule->period_ns;
    }
    if (rule->sliding)
        at += slide(state.previous, most - state.current, rule->period_ns);
    return at - wall_ns < SPAN_MAX ? (uint64_t)(at - wall_ns) : SPAN_MAX;
}

/* 0 and what the cell becomes, or the wait. */
static int64_t judge(struct seen seen, const struct fgw_window_rule *rule, uint64_t units,
                     uint64_t wall_ns, uint64_t start_ns, struct state *to)
{
    if (is_dead(seen))
        return FGW_BUCKET_GONE;
    if (units > rule->capacity)
        return FGW_BUCKET_NEVER;
    uint64_t at_ns = wall_ns;
    *to = state_at(seen, rule, start_ns, &at_ns);
    uint64_t used = to->current + in_sight(to, rule, at_ns);
    if (used > rule->capacity - units)
        return (int64_t)wait_of(*to, rule, units, wall_ns);
    to->current += units;
    return 0;
}

int64_t fgw_window_take_in(struct fgw_window *window, const struct fgw_window_rule *rule,
                           uint64_t units, uint64_t wall_ns, uint64_t start_ns,
                           uint64_t *began_ns)
{
    struct seen seen = read_cell(window);
    for (;;) {
        struct state to;
        int64_t verdict = judge(seen, rule, units, wall_ns, start_ns, &to);
        if (verdict != 0)
            return verdict;
        if (units == 0 || swap(window, &seen, pack(&to, shift_of(rule->period_ns)))) {
            *began_ns = to.start;
            return 0;
        }
    }
}

int64_t fgw_window_take(struct fgw_window *window, const struct fgw_window_rule *rule,
                        uint64_t units, uint64_t wall_ns, uint64_t *began_ns)
{
    return fgw_window_take_in(window, rule, units, wall_ns, fgw_window_start(rule, wall_ns),
                              began_ns);
}

int64_t fgw_window_try_in(const struct fgw_window *window, const struct fgw_window_rule *rule,
                          uint64_t units, uint64_t wall_ns, uint64_t start_ns)
{
    struct state to;
    return judge(read_cell(window), rule, units, wall_ns, start_ns, &to);
}

int64_t fgw_window_try(const struct fgw_window *window, const struct fgw_window_rule *rule,
                       uint64_t units, uint64_t wall_ns)
{
    return fgw_window_try_in(window, rule, units, wall_ns, fgw_window_start(rule, wall_ns));
}

int fgw_window_charge(struct fgw_window *window, const struct fgw_window_rule *rule,
                      uint64_t units, uint64_t wall_ns)
{
    struct seen seen = read_cell(window);
    for (;;) {
        if (is_dead(seen))
            return FGW_BUCKET_GONE;
        if (units == 0)
            return 0;
        uint64_t at_ns = wall_ns;
        struct state to = state_at(seen, rule, fgw_window_start(rule, wall_ns), &at_ns);
        to.current = units > USED_MAX - to.current ? USED_MAX : to.current + units;
        if (swap(window, &seen, pack(&to, shift_of(rule->period_ns))))
            return 0;
    }
}

int fgw_window_refund(struct fgw_window *window, const struct fgw_window_rule *rule,
                      uint64_t units, uint64_t began_ns)
{
    unsigned shift = shift_of(rule->period_ns);
    struct seen seen = read_cell(window);
    for (;;) {
        if (is_dead(seen))
            return FGW_BUCKET_GONE;
        uint64_t stamp = stamp_of(seen), *half;
        struct seen to = seen;
        if (stamp == began_ns >> shift)
            half = &to.low;
        else if (rule->sliding && stamp == (began_ns + rule->period_ns) >> shift)
            half = &to.high;
        else
            return 0; /* that window counts no more */
        uint64_t count = *half & COUNT_MAX, back = units < count ? units : count;
        *half -= back;
        if (back == 0 || swap(window, &seen, to))
            return 0;
    }
}

void fgw_window_peek(const struct fgw_window *window, const struct fgw_window_rule *rule,
                     uint64_t wall_ns, uint64_t *used, uint64_t *reset_ns)
{
    fgw_window_peek_in(window, rule, wall_ns, fgw_window_start(rule, wall_ns), used, reset_ns);
}

void fgw_window_peek_in(const struct fgw_window *window, const struct fgw_window_rule *rule,
                        uint64_t wall_ns, uint64_t start_ns, uint64_t *used, uint64_t *reset_ns)
{
    struct seen seen = read_cell(window);
    uint64_t at_ns = wall_ns;
    *used = *reset_ns = 0;
    if (is_dead(seen))
        return;
    struct state state = state_at(seen, rule, start_ns, &at_ns);
    *used = state.current + in_sight(&state, rule, at_ns);
    if (*used == 0)
        return;
    uint64_t windows = rule->sliding && state.current != 0 ? 2 : 1;
    if (state.current > rule->capacity)
        windows += (state.current - 1) / rule->capacity;
    fgw_u128 reset = (fgw_u128)windows * rule->period_ns + state.start - wall_ns;
    *reset_ns = reset < SPAN_MAX ? (uint64_t)reset : SPAN_MAX;
}

void fgw_window_read(const struct fgw_window *window, uint64_t halves[2])
{
    struct seen seen = read_cell(window);
    halves[0] = seen.low;
    halves[1] = seen.high;
}

void fgw_window_restore(struct fgw_window *window, const uint64_t halves[2])
{
    struct seen wanted = {halves[0], halves[1]}, seen = read_cell(window);
    while (!is_dead(seen) && !is_dead(wanted)) {
        uint64_t stands = stamp_of(seen), comes = stamp_of(wanted);
        if (stands > comes || (stands == comes && (seen.low & COUNT_MAX) +
                                                          (seen.high & COUNT_MAX) >=
                                                      (wanted.low & COUNT_MAX) +
                                                          (wanted.high & COUNT_MAX)))
            return;
        if (swap(window, &seen, wanted))
            return;
    }
}

int fgw_window_set(struct fgw_window *window, const uint64_t halves[2])
{
    struct seen seen = read_cell(window);
    while (!is_dead(seen))
        if (swap(window, &seen, (struct seen){halves[0], halves[1]}))
            return 0;
    return FGW_BUCKET_GONE;
}

/* | shift (6) | capacity rounded down: exponent (6) | next four bits (4) | */
uint16_t fgw_window_span(const struct fgw_window_rule *rule)
{
    unsigned exponent = shift_of(rule->capacity);
    uint64_t next = exponent >= 4 ? rule->capacity >> (exponent - 4)
                                  : rule->capacity << (4 - exponent);
    return (uint16_t)(shift_of(rule->period_ns) << 10 | exponent << 4 | (next & 15));
}

int fgw_window_bury(struct fgw_window *window, uint16_t span, uint64_t wall_ns)
{
    struct seen seen = read_cell(window);
    if (is_dead(seen))
        return 0;
    uint64_t current = seen.low & COUNT_MAX, previous = seen.high & COUNT_MAX;
    unsigned shift = span >> 10, exponent = span >> 4 & 63;
    uint64_t capacity = (uint64_t)(16 + (span & 15)) << exponent >> 4;
    if ((current | previous) != 0) {
        if (shift < 21 || capacity == 0)
            return 0; /* who made the entry died before it said how long it counts */
        /* A window is shorter than 2^(shift + 1), and counts until the next one's end. */
        fgw_u128 last = ((fgw_u128)stamp_of(seen) << shift) + ((fgw_u128)5 << shift) + SECOND;
        last += (fgw_u128)(current / capacity) << (shift + 1);
        if (wall_ns <= last)
            return 0;
    }
    return swap(window, &seen, (struct seen){FGW_WINDOW_DEAD, FGW_WINDOW_DEAD});
}
