#include "fgw_bucket.h"

#include <stdatomic.h>

#include "fgw_word.h"

/* Far enough for any debt, and arithmetic beyond it still fits 64 bits. */
#define INSTANT_MAX (UINT64_C(1) << 62)

int fgw_quota_init(struct fgw_quota *quota, uint64_t capacity, uint64_t period_ns)
{
    if (capacity == 0 || capacity > period_ns || period_ns >= INSTANT_MAX)
        return -1;
    quota->capacity = capacity;
    quota->period_ns = period_ns;
    quota->ns_per_unit = period_ns % capacity == 0 ? period_ns / capacity : 0;
    return 0;
}

/* The grid: cell n is [line(n), line(n + 1)), and cell_of(line(n)) == n since capacity <= period.
 * Cells are floor or ceil of period / capacity wide. */
static uint64_t line(const struct fgw_quota *quota, fgw_u128 n)
{
    /* Beyond INSTANT_MAX the exact line no longer matters, and n * period might not fit. */
    if (n >= (fgw_u128)INSTANT_MAX)
        return INSTANT_MAX;
    fgw_u128 at = (n * quota->period_ns + quota->capacity - 1) / quota->capacity;
    return at < INSTANT_MAX ? (uint64_t)at : INSTANT_MAX;
}

static uint64_t cell_of(const struct fgw_quota *quota, uint64_t instant)
{
    return (uint64_t)((fgw_u128)instant * quota->capacity / quota->period_ns);
}

/* A place on the grid. Only such places occur as exist in every cell, so that units can be added
 * and taken away without rounding: the last nanosecond of a wide cell counts as the next cell. */
struct spot {
    uint64_t cell, place;
};

static struct spot spot_of(const struct fgw_quota *quota, uint64_t instant)
{
    struct spot spot = {.cell = cell_of(quota, instant)};
    spot.place = instant - line(quota, spot.cell);
    if (spot.place >= quota->period_ns / quota->capacity)
        spot = (struct spot){spot.cell + 1, 0};
    return spot;
}

static uint64_t instant_of(const struct fgw_quota *quota, fgw_u128 cell, uint64_t place)
{
    uint64_t at = line(quota, cell) + place;
    return at < INSTANT_MAX ? at : INSTANT_MAX;
}

/* `units` later. */
static uint64_t later(const struct fgw_quota *quota, uint64_t instant, uint64_t units)
{
    if (instant >= INSTANT_MAX)
        return INSTANT_MAX;
    if (quota->ns_per_unit != 0) {
        fgw_u128 at = (fgw_u128)units * quota->ns_per_unit + instant;
        return at < INSTANT_MAX ? (uint64_t)at : INSTANT_MAX;
    }
    struct spot spot = spot_of(quota, instant);
    return instant_of(quota, (fgw_u128)spot.cell + units, spot.place);
}

/* `units` earlier, but by no more than `most_ns`. */
static uint64_t earlier(const struct fgw_quota *quota, uint64_t instant, uint64_t units,
                        uint64_t most_ns)
{
    uint64_t least = instant > most_ns ? instant - most_ns : 0;
    if (quota->ns_per_unit != 0) {
        fgw_u128 span = (fgw_u128)units * quota->ns_per_unit;
        return span < instant - least ? instant - (uint64_t)span : least;
    }
    struct spot spot = spot_of(quota, instant);
    uint64_t at = units < spot.cell ? instant_of(quota, spot.cell - units, spot.place) : 0;
    if (at >= least)
        return at;
    spot = spot_of(quota, least);
    return instant_of(quota, spot.cell, spot.place);
}

static uint64_t max_of(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint64_t read_word(const struct fgw_bucket *bucket)
{
    return atomic_load_explicit(&bucket->full_at_ns, memory_order_relaxed);
}

/* 1 if *seen was still there and now is `desired`. */
static int swap(struct fgw_bucket *bucket, uint64_t *seen, uint64_t desired)
{
#ifdef FGW_MUTANT_NO_CAS /* what the race tests must catch */
    (void)seen;
    atomic_store_explicit(&bucket->full_at_ns, desired, memory_order_relaxed);
    return 1;
#else
    return atomic_compare_exchange_weak_explicit(&bucket->full_at_ns, seen, desired,
                                                 memory_order_acq_rel, memory_order_relaxed);
#endif
}

static int64_t judge_uneven(const struct fgw_quota *quota, uint64_t full_at, uint64_t units,
                            uint64_t now_ns, uint64_t *to)
{
    struct spot now = spot_of(quota, now_ns);
    struct spot from = full_at > now_ns ? spot_of(quota, full_at) : now;
    uint64_t cell = from.cell + units, last = now.cell + quota->capacity;
    *to = instant_of(quota, cell, from.place);
    if (cell < last || (cell == last && from.place <= now.place))
        return 0;
    /* Counted from the true now: `to` less one period is a spot, so then it passes. */
    return (int64_t)(*to - quota->period_ns - now_ns);
}

/* 0 and where the word goes, or the wait. No sum overflows: units <= capacity from here on. */
static int64_t judge(const struct fgw_quota *quota, uint64_t full_at, uint64_t units,
                     uint64_t now_ns, uint64_t *to)
{
    if (full_at >= INSTANT_MAX) {
        if (full_at == FGW_BUCKET_DEAD)
            return FGW_BUCKET_GONE;
        full_at = INSTANT_MAX; /* no process of ours has written that: a debt for ever */
    }
    if (units > quota->capacity)
        return FGW_BUCKET_NEVER;
    if (quota->ns_per_unit == 0)
        return judge_uneven(quota, full_at, units, now_ns, to);
    *to = max_of(full_at, now_ns) + units * quota->ns_per_unit;
    return *to <= now_ns + quota->period_ns ? 0 : (int64_t)(*to - quota->period_ns - now_ns);
}

int64_t fgw_bucket_take(struct fgw_bucket *bucket, const struct fgw_quota *quota,
                        uint64_t units, uint64_t now_ns, uint64_t *owed_until_ns)
{
    uint64_t full_at = read_word(bucket);
    for (;;) {
        uint64_t to;
        int64_t verdict = judge(quota, full_at, units, now_ns, &to);
        if (verdict != 0)
            return verdict;
        if (units == 0 || swap(bucket, &full_at, to)) {
            *owed_until_ns = to;
            return 0;
        }
    }
}

int64_t fgw_bucket_try(const struct fgw_bucket *bucket, const struct fgw_quota *quota,
                       uint64_t units, uint64_t now_ns)
{
    uint64_t to;
    return judge(quota, read_word(bucket), units, now_ns, &to);
}

int fgw_bucket_charge(struct fgw_bucket *bucket, const struct fgw_quota *quota, uint64_t units,
                      uint64_t now_ns)
{
    uint64_t full_at = read_word(bucket);
    for (;;) {
        if (full_at == FGW_BUCKET_DEAD)
            return FGW_BUCKET_GONE;
        if (units == 0)
            return 0;
        if (swap(bucket, &full_at, later(quota, max_of(full_at, now_ns), units)))
            return 0;
    }
}

int fgw_bucket_refund(struct fgw_bucket *bucket, const struct fgw_quota *quota, uint64_t units,
                      uint64_t owed_until_ns, uint64_t now_ns)
{
    uint64_t full_at = read_word(bucket);
    for (;;) {
        if (full_at == FGW_BUCKET_DEAD)
            return FGW_BUCKET_GONE;
        if (units == 0 || owed_until_ns <= now_ns || full_at <= now_ns)
            return 0; /* time has repaid all of it */
        uint64_t to = earlier(quota, full_at, units, owed_until_ns - now_ns);
        if (to >= full_at || swap(bucket, &full_at, to))
            return 0;
    }
}

void fgw_bucket_peek(const struct fgw_bucket *bucket, const struct fgw_quota *quota,
                     uint64_t now_ns, uint64_t *used, uint64_t *reset_ns)
{
    uint64_t full_at = read_word(bucket);
    *used = 0;
    *reset_ns = 0;
    if (full_at == FGW_BUCKET_DEAD || full_at <= now_ns)
        return;
    *reset_ns = full_at - now_ns;
    if (quota->ns_per_unit != 0) {
        *used = (full_at - now_ns - 1) / quota->ns_per_unit + 1;
        return;
    }
    /* As many as judge() would refuse of `capacity`. */
    struct spot now = spot_of(quota, now_ns), full = spot_of(quota, full_at);
    *used = full.cell - now.cell + (full.place > now.place);
}

void fgw_bucket_restore(struct fgw_bucket *bucket, uint64_t full_at_ns)
{
    uint64_t seen = read_word(bucket);
    if (full_at_ns > INSTANT_MAX)
        full_at_ns = INSTANT_MAX;
    while (seen < full_at_ns && !swap(bucket, &seen, full_at_ns))
        ;
}

int fgw_bucket_set(struct fgw_bucket *bucket, uint64_t full_at_ns)
{
    uint64_t seen = read_word(bucket);
    while (seen != FGW_BUCKET_DEAD)
        if (swap(bucket, &seen, full_at_ns < INSTANT_MAX ? full_at_ns : INSTANT_MAX))
            return 0;
    return FGW_BUCKET_GONE;
}

int fgw_bucket_bury(struct fgw_bucket *bucket, uint64_t now_ns)
{
    uint64_t full_at = read_word(bucket);
    return full_at <= now_ns &&
           atomic_compare_exchange_strong(&bucket->full_at_ns, &full_at, FGW_BUCKET_DEAD);
}
