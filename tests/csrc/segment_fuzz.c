/* Random bytes in the segment must not crash, hang or lead outside it: whoever reads it.
 *
 *   segment_fuzz ROUNDS SEED
 *
 * The segment lies between two guard pages. Each round damages it (all random, a few bytes, or
 * what it last held) and then does everything that workers, sweepers and readers do. Built under
 * sanitizers; a hang is cut by the caller's time-out.
 */
#include "limit_storm.h"

enum { WORKERS = 2, HOLDS = 16, LIMITS = 4 };

static uint8_t *guarded(size_t size)
{
    uint8_t *at = mmap(NULL, size + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    CHECK(mprotect(at + 4096, size, PROT_READ | PROT_WRITE) == 0);
    return at + 4096;
}

static void damage(const struct fgw_segment *segment, uint64_t *random)
{
    uint64_t *words = (uint64_t *)(void *)(segment->base + 4096);
    uint64_t n = (segment->size - 4096) / 8, kind = next_random(random) % 4;
    for (uint64_t at = 0; kind == 0 && at < n; at++)
        words[at] = next_random(random);
    for (uint64_t at = 0; kind == 1 && at < n; at++) /* small numbers pass more checks */
        words[at] = next_random(random) % 5 ? 0 : next_random(random) % 300;
    for (uint64_t at = 0; kind == 2 && at < 2000; at++)
        segment->base[4096 + next_random(random) % (n * 8)] = (uint8_t)next_random(random);
}

static void live_through(const struct fgw_segment *segment, const struct fgw_limit_spec *specs,
                         uint64_t *random)
{
    struct fgw_limits limits = limits_of(segment, 1, specs, LIMITS);
    struct fgw_limits sweeper = limits_of(segment, 0, NULL, 0);
    struct fgw_amounts amounts = {{1, 50, next_random(random), 9, 7, 1}};
    struct fgw_request_id id = {.sequence = 1};
    struct fgw_limit_trace traces[LIMITS];
    struct fgw_demand demands[LIMITS];
    uint64_t now = NOW + next_random(random) % DAY;
    uint32_t inserted;
    for (uint32_t at = 0; at < HOLDS; at++) {
        struct fgw_hold *mine = fgw_segment_hold(segment, 1, at);
        for (uint16_t i = 0; i < LIMITS; i++)
            demands[i] = (struct fgw_demand){
                .identity = {next_random(random) % 4, next_random(random) % 8},
                .limit = i, .enforced = next_random(random) % 2};
        if (at % 2)
            fgw_hold_begin(mine, &id, 1);
        if (at % 2 && fgw_limits_take(&limits, demands, LIMITS, &amounts, &amounts, now, now,
                                      mine, traces, &inserted) == 0)
            fgw_hold_open(mine, 1, 1);
        if (at % 3)
            fgw_limits_settle(&limits, mine, &amounts, now);
    }
    for (uint32_t at = 0; at < HOLDS; at++)
        fgw_limits_resolve(&sweeper, fgw_segment_hold(segment, 0, at));
    for (uint32_t at = 0; at < HOLDS; at++)
        fgw_limits_sweep(&sweeper, fgw_segment_hold(segment, 0, at), now);
}

static void read_all(const struct fgw_segment *segment, uint64_t now)
{
    struct fgw_table table = fgw_segment_table(segment);
    struct fgw_dones dones = fgw_segment_dones(segment);
    struct fgw_counters sum;
    struct fgw_worker_seen seen;
    uint64_t key[2];
    uint8_t kind;
    uint16_t span;
    memset(&sum, 0, sizeof sum);
    for (uint64_t entry = 0; entry < (uint64_t)table.n_groups * FGW_TABLE_WAYS + 20; entry++) {
        if (fgw_table_read(&table, entry, key, &kind, &span))
            (void)fgw_table_find(&table, key);
        (void)fgw_table_bury(&table, dones, entry, now, now);
        if (fgw_table_is_leaving(&table, entry) && entry % 2)
            fgw_table_free_buried(&table, entry);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        fgw_counters_sum(&sum, fgw_segment_counters(segment, worker));
        fgw_count_code(fgw_segment_counters(segment, worker), (uint16_t)now);
        fgw_worker_read(fgw_segment_slot(segment, worker), &seen);
    }
    CHECK(fgw_segment_slot(segment, WORKERS + FGW_OWNERS_SPARE) == 0);
    CHECK(fgw_segment_counters(segment, WORKERS) == 0);
    CHECK(fgw_segment_hold(segment, 0, HOLDS) == 0 && fgw_segment_hold(segment, 2, 0) == 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    uint64_t rounds = strtoull(argv[1], NULL, 10), random = strtoull(argv[2], NULL, 10) | 1;
    struct fgw_segment plan, segment;
    uint8_t boot[16] = {1}, secret[16] = "fifteen letters";
    struct fgw_limit_spec specs[LIMITS] = {
        spec_of(FGW_UNIT_REQUESTS, FGW_ALGORITHM_TOKEN_BUCKET, 1000),
        spec_of(FGW_UNIT_TOKENS, FGW_ALGORITHM_TOKEN_BUCKET, 997),
        spec_of(FGW_UNIT_SLOTS, FGW_ALGORITHM_CONCURRENCY, 3),
        spec_of(FGW_UNIT_COST, FGW_ALGORITHM_CAP, 1000000)};
    CHECK(fgw_segment_plan(&plan, WORKERS, HOLDS, 16) == 0);
    plan.base = guarded(plan.size);
    fgw_segment_make(&plan, boot, secret, getuid(), 1);
    CHECK(fgw_segment_check(&segment, plan.base, plan.size, boot, getuid()) == 0);
    for (uint64_t round = 0; round < rounds; round++) {
        damage(&segment, &random);
        live_through(&segment, specs, &random);
        read_all(&segment, NOW + round);
    }
    printf("rounds=%lu\n", rounds);
    return 0;
}
