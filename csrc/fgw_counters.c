#include "fgw_counters.h"

static uint64_t read_one(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }

static void raise(uint64_t *at, uint64_t n)
{
    __atomic_store_n(at, *at + n, __ATOMIC_RELAXED);
}

/* A place for the code: its own, else the first free one. NULL: all are other codes'. */
static struct fgw_code_count *place_of(struct fgw_counters *counters, uint64_t code)
{
    for (uint32_t at = 0; at < FGW_CODES; at++) {
        struct fgw_code_count *place = &counters->codes[at];
        if (read_one(&place->code) == code)
            return place;
        if (read_one(&place->code) == 0) {
            __atomic_store_n(&place->code, code, __ATOMIC_RELEASE);
            return place;
        }
    }
    return 0;
}

static void count_code(struct fgw_counters *counters, uint64_t code, uint64_t n)
{
    struct fgw_code_count *place = place_of(counters, code);
    if (place != 0)
        raise(&place->count, n);
    else
        fgw_count(counters, FGW_COUNT_CODES_LOST, n);
}

void fgw_count_code(struct fgw_counters *counters, uint16_t code)
{
    if (code != 0)
        count_code(counters, code, 1);
}

static void count_shadow(struct fgw_counters *counters, uint64_t rule, uint64_t actions,
                         uint64_t limits)
{
    for (uint32_t at = 0; at < FGW_SHADOW_RULES; at++) {
        struct fgw_shadow_count *place = &counters->shadows[at];
        if (read_one(&place->rule) == 0)
            __atomic_store_n(&place->rule, rule, __ATOMIC_RELEASE);
        if (read_one(&place->rule) != rule)
            continue;
        raise(&place->actions, actions);
        raise(&place->limits, limits);
        return;
    }
}

void fgw_count_shadow(struct fgw_counters *counters, uint64_t rule, int limit)
{
    fgw_count(counters, limit ? FGW_COUNT_SHADOW_LIMITS : FGW_COUNT_SHADOWS, 1);
    if (rule)
        count_shadow(counters, rule, !limit, limit != 0);
}

void fgw_count_time(struct fgw_counters *counters, unsigned histogram, uint64_t ns)
{
    if (histogram >= FGW_HISTOGRAMS)
        return;
    struct fgw_counted_times *times = &counters->histograms[histogram];
    uint64_t us = ns / 1000;
    unsigned bucket = us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(us);
    if (bucket >= FGW_HISTOGRAM_BUCKETS)
        bucket = FGW_HISTOGRAM_BUCKETS - 1;
    raise(&times->bucket[bucket], 1);
    raise(&times->sum_us, us);
}

void fgw_count_ratio(struct fgw_counters *counters, unsigned ratio, uint64_t reported,
                     uint64_t estimated)
{
    static const uint16_t BOUNDS[FGW_RATIO_BUCKETS - 1] = FGW_RATIO_BOUNDS;
    unsigned bucket = 0;
    if (ratio >= FGW_RATIOS || reported > UINT64_MAX / 128)
        return;
    uint64_t hundredths = reported * 100 / (estimated ? estimated : 1);
    while (bucket < FGW_RATIO_BUCKETS - 1 && hundredths > BOUNDS[bucket])
        bucket++;
    raise(&counters->ratios[ratio].bucket[bucket], 1);
    raise(&counters->ratios[ratio].sum, hundredths);
}

void fgw_counters_books(const struct fgw_counters *counters, struct fgw_books *books)
{
    const uint64_t *value = counters->value;
    const uint64_t *tokens = value + FGW_COUNT_TOKENS, *units = value + FGW_COUNT_UNITS;

    books->attempts = 0;
    for (uint32_t fate = 1; fate < 8; fate++)
        books->attempts += value[FGW_COUNT_FATE + fate];
    books->tokens = (struct fgw_tokens){
        .input = tokens[0], .cached_input = tokens[1], .cache_write = tokens[2],
        .cache_write_1h = tokens[3], .output = tokens[4], .reasoning = tokens[5],
        .audio_input = tokens[6], .audio_output = tokens[7]};
    books->units = (struct fgw_units){
        .image_input = units[0], .image_output = units[1], .images = units[2],
        .audio_ms = units[3], .characters = units[4], .searches = units[5]};
    books->cost_nano_usd = value[FGW_COUNT_COST_NANO_USD];
    books->cost_unknown = value[FGW_COUNT_COST_UNKNOWN];
}

static void store_drains(struct fgw_counters *own, uint32_t number, uint64_t running)
{
    __atomic_store_n(&own->drains[number], running, __ATOMIC_SEQ_CST);
}

int fgw_drain_begin(struct fgw_counters *all, uint32_t workers, uint32_t own,
                    const struct fgw_drain *drain)
{
    const uint32_t number = drain->number;
    if (own >= workers || number >= FGW_DRAINS_MAX)
        return 0;
    const uint64_t mine = all[own].drains[number];
    uint64_t running = 0;
    store_drains(&all[own], number, mine + 1);
    for (uint32_t worker = 0; worker < workers; worker++)
        running += __atomic_load_n(&all[worker].drains[number], __ATOMIC_SEQ_CST);
    if (running <= drain->max_concurrent)
        return 1;
    store_drains(&all[own], number, mine);
    return 0;
}

void fgw_drain_end(struct fgw_counters *own, const struct fgw_drain *drain)
{
    const uint32_t number = drain->number;
    if (number < FGW_DRAINS_MAX && own->drains[number] > 0)
        store_drains(own, number, own->drains[number] - 1);
}

void fgw_counters_sum(struct fgw_counters *sum, const struct fgw_counters *counters)
{
    for (uint32_t at = 0; at < FGW_COUNTERS; at++)
        sum->value[at] += read_one(&counters->value[at]);
    for (uint32_t at = 0; at < FGW_CODES; at++) {
        uint64_t code = read_one(&counters->codes[at].code);
        if (code != 0)
            count_code(sum, code, read_one(&counters->codes[at].count));
    }
    for (uint32_t kind = 0; kind < FGW_HISTOGRAMS; kind++) {
        const struct fgw_counted_times *times = &counters->histograms[kind];
        for (uint32_t at = 0; at < FGW_HISTOGRAM_BUCKETS; at++)
            sum->histograms[kind].bucket[at] += read_one(&times->bucket[at]);
        sum->histograms[kind].sum_us += read_one(&times->sum_us);
    }
    for (uint32_t at = 0; at < FGW_SHADOW_RULES; at++) {
        uint64_t rule = read_one(&counters->shadows[at].rule);
        if (rule != 0)
            count_shadow(sum, rule, read_one(&counters->shadows[at].actions),
                         read_one(&counters->shadows[at].limits));
    }
    for (uint32_t kind = 0; kind < FGW_RATIOS; kind++) {
        const struct fgw_counted_ratios *ratios = &counters->ratios[kind];
        for (uint32_t at = 0; at < FGW_RATIO_BUCKETS; at++)
            sum->ratios[kind].bucket[at] += read_one(&ratios->bucket[at]);
        sum->ratios[kind].sum += read_one(&ratios->sum);
    }
}

void fgw_counters_reset_gauges(struct fgw_counters *counters)
{
    for (uint32_t at = FGW_GAUGES; at < FGW_COUNTERS; at++)
        __atomic_store_n(&counters->value[at], 0, __ATOMIC_RELAXED);
    for (uint32_t at = 0; at < FGW_DRAINS_MAX; at++)
        store_drains(counters, at, 0);
}
