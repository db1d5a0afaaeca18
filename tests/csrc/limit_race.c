/* Forked workers race for the same limits; prints what came of it, for test_limit.py to judge.
 *
 *   limit_race pace|slots|both|insert|evict WORKERS N
 */
#include "limit_storm.h"

struct tally {
    _Alignas(64) uint64_t passed, inserted, most, stale; /* stale: held, but no longer the key's */
};

static struct fgw_segment segment;
static struct tally *tallies;
static _Atomic int64_t *inside;

static const struct fgw_request_id ID = {.generation = 1};

static void demand(struct fgw_demand *to, uint16_t limit, uint64_t key)
{
    *to = (struct fgw_demand){.identity = {key, key * 31 + 7}, .limit = limit, .enforced = 1};
}

/* Every worker asks N times of a bucket of N; with `both`, also of one of N * 7 / 10. */
static void race_pace(uint32_t worker, uint64_t n, uint32_t n_limits, struct fgw_limit_spec *specs)
{
    struct fgw_limits limits = limits_of(&segment, worker, specs, n_limits);
    struct fgw_hold *hold = fgw_segment_hold(&segment, worker, 0);
    struct fgw_amounts amounts = {{1, 1, 1, 1, 1, 1}};
    struct fgw_limit_trace traces[2];
    struct fgw_demand demands[2];
    uint32_t inserted;
    /* Half of the workers list them the other way round: the order of taking is not theirs. */
    demand(&demands[worker & 1 && n_limits == 2], 0, 4);
    if (n_limits == 2)
        demand(&demands[!(worker & 1)], 1, 5);
    for (uint64_t at = 0; at < n; at++) {
        fgw_hold_begin(hold, &ID, 1);
        int refused = fgw_limits_take(&limits, demands, n_limits, &amounts, &amounts, NOW, WALL,
                                      hold, traces, &inserted);
        tallies[worker].passed += !refused;
    }
}

/* Never more than the limit inside at once, none left inside at the end. */
static void race_slots(uint32_t worker, uint64_t n, struct fgw_limit_spec *specs)
{
    struct fgw_limits limits = limits_of(&segment, worker, specs, 1);
    struct fgw_hold *hold = fgw_segment_hold(&segment, worker, 0);
    struct fgw_amounts amounts = {{1}};
    struct fgw_limit_trace trace;
    struct fgw_demand one;
    uint32_t inserted;
    demand(&one, 0, 9);
    for (uint64_t at = 0; at < n; at++) {
        fgw_hold_begin(hold, &ID, 1);
        if (fgw_limits_take(&limits, &one, 1, &amounts, &amounts, NOW, WALL, hold, &trace,
                            &inserted))
            continue;
        tallies[worker].passed++;
        uint64_t now_inside = (uint64_t)atomic_fetch_add(inside, 1) + 1;
        if (now_inside > tallies[worker].most)
            tallies[worker].most = now_inside;
        for (volatile int stay = 0; stay < 30; stay++)
            ;
        atomic_fetch_sub(inside, 1);
        fgw_limits_settle(&limits, hold, &amounts, NOW);
    }
}

/* All insert the same N keys in nearly the same order, so that who is behind, and only finds, soon
 * catches up: N times "inserted" in all. */
static void race_insert(uint32_t worker, uint64_t n)
{
    struct fgw_table table = fgw_segment_table(&segment);
    for (uint64_t at = 0; at < n; at++) {
        uint64_t index = (at ^ (worker & 1)) % n + 1;
        uint64_t key[2] = {index * UINT64_C(0x9e3779b97f4a7c15), index % 3};
        int inserted;
        int64_t entry = fgw_table_insert(&table, key, FGW_CELL_PACE << 4, 0, &inserted);
        tallies[worker].inserted += (uint64_t)inserted;
        tallies[worker].passed += entry >= 0 && fgw_table_find(&table, key) == entry;
    }
}

enum { KEYS = 40, PLACES = 2 * FGW_TABLE_WAYS, ROUNDS_MIN = 60 };
static _Atomic uint64_t *rounds; /* of the supervisor */
static _Atomic uint32_t *at_key; /* who is inside, by key */

/* One slot per key, more keys than the table's two groups have places; the supervisor evicts all
 * the while. */
static void race_evict(uint32_t worker, uint64_t n, struct fgw_limit_spec *specs)
{
    struct fgw_limits limits = limits_of(&segment, worker, specs, 1);
    struct fgw_worker_slot *slot = fgw_segment_slot(&segment, worker);
    struct fgw_hold *hold = fgw_segment_hold(&segment, worker, 0);
    struct fgw_amounts amounts = {{1}};
    struct fgw_limit_trace trace;
    struct fgw_demand one;
    uint64_t random = worker * 977 + 13;
    uint32_t inserted;
    for (uint64_t at = 0; at < n || *rounds < ROUNDS_MIN; at++, fgw_worker_turn(slot, at)) {
        uint64_t key = next_random(&random) % KEYS;
        demand(&one, 0, key + 1);
        fgw_hold_begin(hold, &ID, 1);
        if (fgw_limits_take(&limits, &one, 1, &amounts, &amounts, NOW, WALL, hold, &trace,
                            &inserted))
            continue;
        tallies[worker].passed++;
        tallies[worker].inserted += inserted;
        uint64_t now_inside = atomic_fetch_add(&at_key[key], 1) + 1u;
        if (now_inside > tallies[worker].most)
            tallies[worker].most = now_inside;
        for (volatile int stay = 0; stay < 30; stay++)
            ;
        atomic_fetch_sub(&at_key[key], 1);
        const struct fgw_hold_limit *limit = &hold->limits[0];
        tallies[worker].stale +=
            fgw_table_cell_of(&limits.table, limit->entry, limit->identity) == 0;
        fgw_limits_settle(&limits, hold, &amounts, NOW);
    }
    fgw_worker_set_state(slot, FGW_WORKER_DEAD);
}

/* As fastgw/limit/evict.pyx does it, without pausing. Returns when all workers are done. */
static void evict_all(uint32_t workers)
{
    struct fgw_table table = fgw_segment_table(&segment);
    uint64_t before[8];
    int out[PLACES];
    for (uint32_t done = 0; done < workers; atomic_fetch_add(rounds, 1)) {
        struct fgw_worker_seen seen;
        for (uint64_t entry = 0; entry < PLACES; entry++)
            out[entry] = fgw_table_bury(&table, fgw_segment_dones(&segment), entry, NOW, WALL);
        for (uint32_t worker = 0; worker < workers; worker++) {
            fgw_worker_read(fgw_segment_slot(&segment, worker), &seen);
            before[worker] = seen.turns;
        }
        done = 0;
        for (uint32_t worker = 0; worker < workers; worker++) {
#ifdef MUTANT_NAIVE_EVICT
            done += seen.state == FGW_WORKER_DEAD;
            continue;
#endif
            for (;; sched_yield()) {
                fgw_worker_read(fgw_segment_slot(&segment, worker), &seen);
                if (seen.turns != before[worker] || seen.state == FGW_WORKER_DEAD)
                    break;
            }
            done += seen.state == FGW_WORKER_DEAD;
        }
        for (uint64_t entry = 0; entry < PLACES; entry++)
            if (out[entry])
                fgw_table_free_buried(&table, entry);
    }
}

static uint64_t used_of(uint64_t key, const struct fgw_limit_spec *spec)
{
    struct fgw_table table = fgw_segment_table(&segment);
    uint64_t whole[2] = {key, key * 31 + 7}, used, reset_ns;
    int64_t entry = fgw_table_find(&table, whole);
    CHECK(entry >= 0);
    const union fgw_cell *cell = fgw_table_cell(&table, (uint64_t)entry);
    if (spec->algorithm != FGW_ALGORITHM_TOKEN_BUCKET)
        return fgw_word_value(&cell->word);
    fgw_bucket_peek(&cell->bucket, &spec->quota, NOW, &used, &reset_ns);
    return used;
}

static uint64_t count_entries(void)
{
    struct fgw_table table = fgw_segment_table(&segment);
    uint64_t found = 0, key[2];
    uint8_t kind;
    uint16_t span;
    for (uint64_t entry = 0; entry < (uint64_t)table.n_groups * FGW_TABLE_WAYS; entry++)
        found += (uint64_t)fgw_table_read(&table, entry, key, &kind, &span);
    return found;
}

static void judge_all(uint32_t workers, const char *mode, const struct fgw_limit_spec *specs)
{
    uint64_t passed = 0, inserted = 0, most = 0, stale = 0;
    for (uint32_t worker = 0; worker < workers; worker++) {
        passed += tallies[worker].passed;
        inserted += tallies[worker].inserted;
        stale += tallies[worker].stale;
        most = tallies[worker].most > most ? tallies[worker].most : most;
    }
    printf("passed=%lu inserted=%lu most=%lu stale=%lu", passed, inserted, most, stale);
    if (!strcmp(mode, "insert") || !strcmp(mode, "evict"))
        printf(" entries=%lu\n", count_entries());
    else
        printf(" used=%lu second=%lu\n", used_of(!strcmp(mode, "slots") ? 9 : 4, &specs[0]),
               !strcmp(mode, "both") ? used_of(5, &specs[1]) : 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    const char *mode = argv[1];
    uint32_t workers = (uint32_t)atoi(argv[2]);
    uint64_t n = strtoull(argv[3], NULL, 10);
    int slots = !strcmp(mode, "slots"), insert = !strcmp(mode, "insert");
    int evict = !strcmp(mode, "evict");
    uint32_t n_limits = !strcmp(mode, "both") ? 2 : 1;
    struct fgw_limit_spec specs[2] = {
        slots || evict ? spec_of(FGW_UNIT_SLOTS, FGW_ALGORITHM_CONCURRENCY, slots ? 2 : 1)
              : spec_of(FGW_UNIT_REQUESTS, FGW_ALGORITHM_TOKEN_BUCKET, n),
        spec_of(FGW_UNIT_TOKENS, FGW_ALGORITHM_TOKEN_BUCKET, n < 10 ? 1 : n * 7 / 10)};
    segment = make_segment(workers, 1, insert ? (uint32_t)n : evict ? 10 : 64);
    at_key = shared(KEYS * sizeof *at_key);
    rounds = shared(sizeof *rounds);
    tallies = shared(workers * sizeof *tallies);
    inside = shared(sizeof *inside);
    struct gate gate = make_gate();
    for (uint32_t worker = 0; worker < workers; worker++) {
        if (fork() != 0)
            continue;
        wait_at(gate);
        if (evict)
            race_evict(worker, n, specs);
        else if (insert)
            race_insert(worker, n);
        else if (slots)
            race_slots(worker, n, specs);
        else
            race_pace(worker, n, n_limits, specs);
        _exit(0);
    }
    open_gate(gate);
    if (evict)
        evict_all(workers);
    reap_all(workers);
    judge_all(workers, mode, specs);
    return 0;
}
