/* Workers are killed (-9) at random instants in the middle of taking, drawing and settling, and
 * swept by a sweeper that is sometimes killed itself, while the others go on. Every so often all
 * are killed, and the words must be what the books say.
 *
 *   limit_kill KILLS SEED
 *
 * The books. Each use of a hold has a number; when it is over, its worker stores in one word how
 * many uses are over and how many of them had taken. What a dead worker was in the middle of is
 * read from its hold before it is swept: only ADDING and DRAWING leave open whether the word was
 * changed; there the sweeper's own decision is taken at its word: the sum shows whether it was
 * right.
 * Built with -DMUTANT=0 or 1 (and --wrap), the sweeper guesses; with -DRESOLVE_FIRST=0 it makes
 * changes of its own before it has found out about the dead worker's: all must be caught.
 */
#include "limit_storm.h"

enum { WORKERS = 3, HOLDS = 2, SLOTS = 4 };
/* Requests, tokens and output tokens are paced (between what is sure and what may be); slots and
 * two caps are exact: one of cost that a dead worker's request leaves at what it held, one of
 * tokens that it leaves at progress. Both caps are drawn on. */
enum { PACES = 4, BUCKET = 0, TOKENS = 1, FIXED = 2, SLIDING = 3, INSIDE = 4, COST = 5, PART = 6 };
enum { LIMITS = 7, CAPS = 2 };
enum { TAKE = 10, DELIVERED = 5, ACTUAL = 6, CAP_HELD = 7, CAP_ACTUAL = 3, DRAWN = 2 };

struct books {
    _Alignas(64) _Atomic uint64_t over[HOLDS]; /* uses over << 32 | of them taken */
};

static struct fgw_segment segment;
static struct books *books;
static struct fgw_limit_spec specs[LIMITS];
static struct fgw_demand demands[LIMITS];
/* What is expected of the caps (exact) and of pace (between). */
static uint64_t cap_sum[CAPS], low[PACES], high[PACES], windows, drawing, wanted;

#ifndef RESOLVE_FIRST
#define RESOLVE_FIRST 1
#endif
#ifdef MUTANT
int __wrap_fgw_word_happened(const struct fgw_word *, struct fgw_dones, uint64_t);
int __wrap_fgw_word_happened(const struct fgw_word *word, struct fgw_dones dones, uint64_t tag)
{
    (void)word, (void)dones, (void)tag;
    return MUTANT;
}
#endif

static void work(uint32_t worker)
{
    struct fgw_limits limits = limits_of(&segment, worker, specs, LIMITS);
    struct fgw_amounts held = {.by_unit = {1, TAKE, 0, TAKE, CAP_HELD, 1}};
    struct fgw_amounts actual = {.by_unit = {1, ACTUAL, 0, ACTUAL, CAP_ACTUAL, 0}};
    struct fgw_amounts more = {.by_unit = {0, DRAWN, 0, 0, DRAWN, 0}};
    struct fgw_limit_trace traces[LIMITS];
    uint64_t use[HOLDS], taken[HOLDS];
    uint32_t inserted;
    for (int at = 0; at < HOLDS; at++) {
        use[at] = books[worker].over[at] >> 32;
        taken[at] = books[worker].over[at] & UINT32_MAX;
    }
    int running[HOLDS] = {0};
    for (int at = 0;; at = (at + 1) % HOLDS) {
        struct fgw_hold *hold = fgw_segment_hold(&segment, worker, (uint32_t)at);
        if (running[at]) {
            (void)fgw_limits_draw(&limits, hold, &more, NOW);
            fgw_limits_intend(hold, &actual);
            fgw_limits_settle(&limits, hold, &actual, NOW);
            fgw_hold_end(hold);
            atomic_store(&books[worker].over[at], use[at] << 32 | ++taken[at]);
        }
        struct fgw_request_id id = {.sequence = ++use[at]};
        fgw_hold_begin(hold, &id, 1);
        fgw_hold_open(hold, 1, 1); /* (a cap of who has no attempt open is given back) */
        fgw_hold_progress(hold, 0, DELIVERED, 1, 1);
        running[at] = !fgw_limits_take(&limits, demands, LIMITS, &held, &held, NOW, WALL, hold,
                                       traces, &inserted);
        if (!running[at]) {
            fgw_hold_end(hold);
            atomic_store(&books[worker].over[at], use[at] << 32 | taken[at]);
        }
    }
}

static pid_t start(uint32_t worker)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        work(worker);
    return pid;
}

static void end(pid_t pid)
{
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
}

static void pause_us(uint64_t us)
{
    struct timespec span = {0, (long)us * 1000};
    nanosleep(&span, NULL);
}

static void sweep(uint32_t worker)
{
    struct fgw_limits limits = limits_of(&segment, worker, NULL, 0);
    for (uint32_t at = 0; RESOLVE_FIRST && at < HOLDS; at++) {
        struct fgw_hold *hold = fgw_segment_hold(&segment, worker, at);
        if (fgw_hold_is_live(hold))
            fgw_limits_resolve(&limits, hold);
    }
    for (uint32_t at = 0; at < HOLDS; at++) {
        struct fgw_hold *hold = fgw_segment_hold(&segment, worker, at);
        if (!fgw_hold_is_live(hold))
            continue;
        if (!RESOLVE_FIRST)
            fgw_limits_resolve(&limits, hold);
        fgw_limits_sweep(&limits, hold, NOW);
    }
}

static void expect(int pace, uint64_t least, uint64_t most)
{
    low[pace] += least;
    high[pace] += most;
}

/* What one hold's pace will add to its word, as far as one can tell. */
static void expect_pace(const struct fgw_hold_limit *limit, int pace, int sweeper_dies)
{
    uint64_t full = pace != BUCKET ? TAKE : 1, lost = pace != BUCKET ? DELIVERED : 1;
    unsigned phase = limit->state & 15, which = limit->state >> 4 & 1;
    if (phase == FGW_HOLD_ADDING)
        expect(pace, 0, full);
    else if (phase == FGW_HOLD_TAKEN)
        expect(pace, lost, sweeper_dies ? full : lost);
    else if (phase == FGW_HOLD_SETTLING)
        expect(pace, limit->amount[1 - which], full);
    else if (which == 1)
        expect(pace, limit->amount[0], limit->amount[0]);
}

/* Of a limit that is settled: taking leaves `which` at 1, and each draw puts it to the other. */
static int was_taken(const struct fgw_hold_limit *limit)
{
    return (limit->state >> 4 & 1) == 1 || limit->amount[0] != 0;
}

/* What a cap's limit will add to its word; what nobody can tell is asked of the sweeper. */
static int expect_cap(const struct fgw_hold_limit *limit, int cap)
{
    unsigned phase = limit->state & 15, which = limit->state >> 4 & 1;
    windows += phase == FGW_HOLD_ADDING || phase == FGW_HOLD_SETTLING;
    drawing += phase == FGW_HOLD_DRAWING;
    wanted += phase == FGW_HOLD_WANTED;
    if (phase == FGW_HOLD_TAKEN)
        cap_sum[cap] += cap ? DELIVERED : limit->amount[which];
    else if (phase == FGW_HOLD_DRAWING && cap)
        cap_sum[cap] += DELIVERED;
    else if (phase == FGW_HOLD_SETTLING || phase == FGW_HOLD_WANTED ||
             (phase == FGW_HOLD_FREE && was_taken(limit)))
        cap_sum[cap] += limit->amount[1 - which];
    else
        return phase == FGW_HOLD_ADDING || phase == FGW_HOLD_DRAWING;
    return 0;
}

/* Books one dead worker's holds and sweeps them. */
static void bury(uint32_t worker, uint64_t *random)
{
    int open[HOLDS][CAPS] = {{0}}, counted[HOLDS] = {0};
    int sweeper_dies = next_random(random) % 3 == 0;
    for (uint32_t at = 0; at < HOLDS; at++) {
        const struct fgw_hold *hold = fgw_segment_hold(&segment, worker, at);
        uint64_t over = atomic_load(&books[worker].over[at]);
        counted[at] = hold->id.sequence > over >> 32 && fgw_hold_is_live(hold) && hold->n_limits;
        /* Over, but not yet written down. */
        int settled = hold->id.sequence > over >> 32 && !fgw_hold_is_live(hold) && hold->n_limits;
        if (settled)
            atomic_store(&books[worker].over[at],
                         hold->id.sequence << 32 | ((over + 1) & UINT32_MAX));
        if (!counted[at])
            continue;
        for (int pace = 0; pace < PACES; pace++)
            expect_pace(&hold->limits[pace], pace, sweeper_dies);
        for (int cap = 0; cap < CAPS; cap++)
            open[at][cap] = expect_cap(&hold->limits[COST + cap], cap);
    }
    if (sweeper_dies) {
        pid_t sweeper = fork();
        CHECK(sweeper >= 0);
        if (sweeper == 0) {
            sweep(worker);
            _exit(0);
        }
        pause_us(next_random(random) % 200);
        end(sweeper);
    }
    sweep(worker);
    sweep(worker); /* twice is harmless */
    for (uint32_t at = 0; at < HOLDS; at++) {
        struct fgw_hold *hold = fgw_segment_hold(&segment, worker, at);
        for (uint32_t i = 0; counted[at] && i < LIMITS; i++)
            CHECK((hold->limits[i].state & 15) == FGW_HOLD_FREE);
        for (int cap = 0; cap < CAPS; cap++) {
            const struct fgw_hold_limit *limit = &hold->limits[COST + cap];
            unsigned which = limit->state >> 4 & 1;
            if (open[at][cap] && was_taken(limit))
                cap_sum[cap] += limit->amount[1 - which];
        }
        if (hold->id.sequence > atomic_load(&books[worker].over[at]) >> 32) {
            uint64_t taken = atomic_load(&books[worker].over[at]) & UINT32_MAX;
            atomic_store(&books[worker].over[at], hold->id.sequence << 32 | taken);
        }
        fgw_hold_end(hold);
    }
}

static uint64_t value_of(int at)
{
    struct fgw_table table = fgw_segment_table(&segment);
    uint64_t key[2];
    fgw_limit_key(demands[at].identity, 1, key);
    fgw_limit_window_key(key, specs[at].window_start_ns);
    int64_t entry = fgw_table_find(&table, key);
    uint64_t used = 0, reset_ns;
    if (entry < 0)
        return 0;
    const union fgw_cell *cell = fgw_table_cell(&table, (uint64_t)entry);
    if (at >= PACES)
        return fgw_word_value(&cell->word);
    struct fgw_window_rule rule = {specs[at].quota.capacity, DAY, at == SLIDING};
    if (at >= FIXED)
        fgw_window_peek(&cell->window, &rule, WALL, &used, &reset_ns);
    else
        fgw_bucket_peek(&cell->bucket, &specs[at].quota, NOW, &used, &reset_ns);
    return used;
}

/* All are dead and swept. */
static void audit(void)
{
    uint64_t taken = 0;
    for (int worker = 0; worker < WORKERS; worker++)
        for (int at = 0; at < HOLDS; at++)
            taken += atomic_load(&books[worker].over[at]) & UINT32_MAX;
    CHECK(value_of(INSIDE) == 0);
    CHECK(value_of(COST) == taken * CAP_ACTUAL + cap_sum[0]);
    CHECK(value_of(PART) == taken * ACTUAL + cap_sum[1]);
    for (int pace = 0; pace < PACES; pace++) {
        uint64_t sure = taken * (pace == BUCKET ? 1 : ACTUAL);
        CHECK(value_of(pace) >= sure + low[pace] && value_of(pace) <= sure + high[pace]);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    uint64_t kills = strtoull(argv[1], NULL, 10), random = strtoull(argv[2], NULL, 10) | 1, n = 0;
    specs[BUCKET] = spec_of(FGW_UNIT_REQUESTS, FGW_ALGORITHM_TOKEN_BUCKET, DAY / 10);
    specs[TOKENS] = spec_of(FGW_UNIT_TOKENS, FGW_ALGORITHM_TOKEN_BUCKET, DAY);
    specs[FIXED] = spec_of(FGW_UNIT_TOKENS, FGW_ALGORITHM_FIXED_WINDOW, UINT64_C(1) << 42);
    specs[SLIDING] = spec_of(FGW_UNIT_OUTPUT_TOKENS, FGW_ALGORITHM_SLIDING_WINDOW,
                             UINT64_C(1) << 42);
    specs[INSIDE] = spec_of(FGW_UNIT_SLOTS, FGW_ALGORITHM_CONCURRENCY, SLOTS);
    specs[COST] = spec_of(FGW_UNIT_COST, FGW_ALGORITHM_CAP, UINT64_C(1) << 40);
    specs[PART] = spec_of(FGW_UNIT_TOKENS, FGW_ALGORITHM_CAP, UINT64_C(1) << 40);
    specs[PART].lost = 1;
    for (uint16_t at = 0; at < LIMITS; at++)
        demands[at] = (struct fgw_demand){.identity = {at + 3u, at}, .limit = at, .enforced = 1};
    segment = make_segment(WORKERS, HOLDS, 16);
    books = shared(WORKERS * sizeof *books);
    pid_t pids[WORKERS];
    for (uint32_t worker = 0; worker < WORKERS; worker++)
        pids[worker] = start(worker);
    while (n < kills) {
        pause_us(next_random(&random) % 400);
        int all = next_random(&random) % 4 == 0;
        uint32_t chosen = (uint32_t)(next_random(&random) % WORKERS);
        for (uint32_t worker = 0; worker < WORKERS; worker++)
            if (all || worker == chosen) {
                end(pids[worker]);
                n++;
                bury(worker, &random);
            }
        CHECK(value_of(INSIDE) <= SLOTS);
        if (all)
            audit();
        for (uint32_t worker = 0; worker < WORKERS; worker++)
            if (all || worker == chosen)
                pids[worker] = start(worker);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        end(pids[worker]);
        bury(worker, &random);
    }
    audit();
    printf("kills=%lu windows=%lu drawing=%lu wanted=%lu requests=%lu\n", n, windows, drawing,
           wanted, value_of(BUCKET));
    return 0;
}
