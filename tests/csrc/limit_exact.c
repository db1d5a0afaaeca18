/* K workers with M requests each at once, against room for N: exactly N must pass, whatever the
 * algorithm and the unit, and the words must say so.
 *
 *   limit_exact SEED ROUNDS
 *
 * Each round every algorithm is tried with one unit by turns, on a table made anew; all workers
 * wait behind a barrier, then ask until they are refused. A round of draws has every worker hold a
 * little of two caps and draw on both, one with room for N and one with room for half of it. A
 * round of undoing has them draw on two that are nearly always full, and give back: what was
 * refused must have left nothing. Prints how many rounds went wrong, by algorithm. Mutants:
 * -DFGW_MUTANT_NO_CAS, -DFGW_MUTANT_NO_UNDO (a draw that is refused keeps what it has),
 * -DREAD_THEN_ADD with --wrap=fgw_word_add.
 */
#include "limit_storm.h"

#include <sys/prctl.h>
#include <sys/time.h>

enum { WORKERS = 4, HOLDS = 3, ROOM = 3000, SLOTS = 5, ALGORITHMS = 7, DRAW = 5, UNDO = 6 };

static const uint8_t algorithms[ALGORITHMS] = {
    FGW_ALGORITHM_TOKEN_BUCKET, FGW_ALGORITHM_FIXED_WINDOW, FGW_ALGORITHM_SLIDING_WINDOW,
    FGW_ALGORITHM_CAP,          FGW_ALGORITHM_CONCURRENCY,  FGW_ALGORITHM_CAP,
    FGW_ALGORITHM_CAP};
static const char *const names[ALGORITHMS] = {"bucket", "fixed", "sliding", "cap",
                                              "slots",  "draw",  "undo"};
static const struct fgw_amounts amounts = {.by_unit = {1, 7, 5, 3, 11, 1}};

struct shared {
    _Atomic uint32_t arrived, phase;
    _Atomic uint64_t passed;
};
static struct shared *shared_state;
static struct fgw_segment segment;

#ifdef READ_THEN_ADD
int __wrap_fgw_word_add(struct fgw_word *, struct fgw_dones, uint64_t, uint64_t, uint64_t,
                        uint64_t *);
int __wrap_fgw_word_add(struct fgw_word *word, struct fgw_dones dones, uint64_t amount,
                        uint64_t limit, uint64_t tag, uint64_t *value)
{
    (void)dones, (void)tag;
    *value = atomic_load(&word->value);
    if (*value > limit || amount > limit - *value)
        return FGW_WORD_SHORT;
    for (volatile int stay = 0; stay < 30; stay++)
        ;
    atomic_fetch_add(&word->value, amount);
    return 0;
}
#endif

/* Two cores run four workers one after the other: so each is stopped at random instructions. */
static void stop(int signal)
{
    struct timespec span = {0, 1};
    (void)signal;
    nanosleep(&span, NULL);
}

static void be_stopped(uint32_t worker)
{
    struct itimerval every = {{0, 250 + worker * 37}, {0, 250}};
    signal(SIGALRM, stop);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void meet(uint32_t everybody)
{
    uint32_t phase = atomic_load(&shared_state->phase);
    if (atomic_fetch_add(&shared_state->arrived, 1) + 1 == everybody) {
        atomic_store(&shared_state->arrived, 0);
        atomic_fetch_add(&shared_state->phase, 1);
        return;
    }
    while (atomic_load(&shared_state->phase) == phase)
        nanosleep(&(struct timespec){0, 20000}, NULL);
}

static struct fgw_limit_spec spec_for(uint32_t which, uint8_t unit, uint64_t room)
{
    int slots = algorithms[which] == FGW_ALGORITHM_CONCURRENCY;
    uint64_t capacity = slots ? SLOTS : room * amounts.by_unit[unit];
    return spec_of(slots ? FGW_UNIT_SLOTS : unit, algorithms[which], capacity);
}

static struct fgw_demand demand_of(uint64_t key, uint16_t limit)
{
    return (struct fgw_demand){.identity = {key, key * 31 + 7}, .limit = limit, .enforced = 1};
}

/* Asks until refused, with HOLDS requests at once; what is settled is what was held. */
static uint64_t ask(const struct fgw_limits *limits, const struct fgw_demand *one, int slots)
{
    const struct fgw_request_id id = {.generation = 1};
    struct fgw_limit_trace trace;
    uint64_t passed = 0;
    uint32_t inserted;
    for (uint32_t at = 0;; at = (at + 1) % HOLDS) {
        struct fgw_hold *hold = fgw_segment_hold(&segment, limits->worker, at);
        if (fgw_hold_is_live(hold)) {
            if (slots)
                return passed;
            fgw_limits_settle(limits, hold, &amounts, NOW);
        }
        fgw_hold_begin(hold, &id, 1);
        if (fgw_limits_take(limits, one, 1, &amounts, &amounts, NOW, WALL, hold, &trace,
                            &inserted))
            return passed;
        passed++;
    }
}

/* Draws on two caps at once until refused. */
static uint64_t draw(const struct fgw_limits *limits, const struct fgw_demand *two)
{
    const struct fgw_request_id id = {.generation = 1};
    const struct fgw_amounts none = {{0}};
    struct fgw_limit_trace traces[2];
    struct fgw_hold *hold = fgw_segment_hold(&segment, limits->worker, 0);
    uint64_t drawn = 0;
    uint32_t inserted;
    fgw_hold_begin(hold, &id, 1);
    if (fgw_limits_take(limits, two, 2, &none, &none, NOW, WALL, hold, traces, &inserted))
        return 0; /* only where a mutant has passed the cap already */
    while (fgw_limits_draw(limits, hold, &amounts, NOW) == 0)
        drawn++;
    return drawn;
}

/* Draws and gives back, over and over. Returns how often a refusal left something. */
static uint64_t undo(const struct fgw_limits *limits, const struct fgw_demand *two)
{
    const struct fgw_request_id id = {.generation = 1};
    const struct fgw_amounts none = {{0}};
    struct fgw_limit_trace traces[2];
    struct fgw_hold *hold = fgw_segment_hold(&segment, limits->worker, 0);
    uint64_t left = 0;
    uint32_t inserted;
    for (int at = 0; at < ROOM; at++) {
        fgw_hold_begin(hold, &id, 1);
        if (fgw_limits_take(limits, two, 2, &none, &none, NOW, WALL, hold, traces, &inserted))
            return 1;
        if (fgw_limits_draw(limits, hold, &amounts, NOW))
            left += fgw_hold_amount(&hold->limits[0]) + fgw_hold_amount(&hold->limits[1]) != 0;
        fgw_limits_settle(limits, hold, &none, NOW);
        fgw_hold_end(hold);
    }
    return left;
}

static uint64_t used_of(const struct fgw_limit_spec *spec, const struct fgw_demand *demand)
{
    struct fgw_table table = fgw_segment_table(&segment);
    struct fgw_window_rule rule = {spec->quota.capacity, spec->quota.period_ns,
                                   spec->algorithm == FGW_ALGORITHM_SLIDING_WINDOW};
    uint64_t key[2], used = 0, reset_ns;
    fgw_limit_key(demand->identity, 1, key);
    fgw_limit_window_key(key, spec->window_start_ns);
    int64_t entry = fgw_table_find(&table, key);
    CHECK(entry >= 0);
    const union fgw_cell *cell = fgw_table_cell(&table, (uint64_t)entry);
    if (spec->algorithm == FGW_ALGORITHM_TOKEN_BUCKET)
        fgw_bucket_peek(&cell->bucket, &spec->quota, NOW, &used, &reset_ns);
    else if (spec->window_end_ns || spec->algorithm == FGW_ALGORITHM_CONCURRENCY)
        used = fgw_word_value(&cell->word);
    else
        fgw_window_peek(&cell->window, &rule, WALL, &used, &reset_ns);
    return used;
}

struct round {
    uint32_t which;
    struct fgw_limit_spec specs[2];
    struct fgw_demand demands[2];
};

static struct round round_of(uint64_t *random, uint32_t which)
{
    struct round round = {.which = which};
    uint64_t dice = next_random(random);
    uint8_t unit = (uint8_t)(which >= DRAW ? 1 + dice % 4 : dice % 5); /* a draw asks no request */
    round.specs[0] = spec_for(which, unit, which == UNDO ? 3 : ROOM);
    round.specs[1] = spec_for(which, unit, which == UNDO ? 2 : ROOM / 2);
    for (uint16_t at = 0; at < 2; at++)
        round.demands[at] = demand_of(next_random(random) | 1, at);
    return round;
}

static int is_wrong(const struct round *round)
{
    uint64_t used = used_of(&round->specs[0], &round->demands[0]);
    uint64_t passed = atomic_load(&shared_state->passed), one;
    if (round->which == UNDO)
        return passed != 0 || used != 0 || used_of(&round->specs[1], &round->demands[1]) != 0;
    if (round->which == DRAW) {
        one = amounts.by_unit[round->specs[0].unit];
        return passed != ROOM / 2 || used != passed * one ||
               used_of(&round->specs[1], &round->demands[1]) != used;
    }
    uint64_t room = round->specs[0].quota.capacity;
    one = round->specs[0].unit == FGW_UNIT_SLOTS ? 1 : amounts.by_unit[round->specs[0].unit];
    return passed != room / one || used != room;
}

static void forget(void)
{
    struct fgw_table table = fgw_segment_table(&segment);
    memset(table.groups, 0, table.n_groups * sizeof *table.groups);
    for (uint32_t worker = 0; worker < WORKERS; worker++)
        for (uint32_t at = 0; at < HOLDS; at++)
            fgw_hold_reset(fgw_segment_hold(&segment, worker, at));
    atomic_store(&shared_state->passed, 0);
}

/* Everybody goes through the same rounds; `worker` WORKERS is the judge. */
static void play(uint32_t worker, uint64_t seed, uint32_t rounds, uint32_t wrong[ALGORITHMS])
{
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (uint32_t at = 0; at < rounds * ALGORITHMS; at++) {
        struct round round = round_of(&random, at % ALGORITHMS);
        meet(WORKERS + 1);
        if (worker < WORKERS) {
            struct fgw_limits limits = limits_of(&segment, worker, round.specs, 2);
            uint64_t passed =
                round.which == DRAW   ? draw(&limits, round.demands)
                : round.which == UNDO ? undo(&limits, round.demands)
                    : ask(&limits, round.demands,
                          algorithms[round.which] == FGW_ALGORITHM_CONCURRENCY);
            atomic_fetch_add(&shared_state->passed, passed);
        }
        meet(WORKERS + 1);
        if (worker == WORKERS) {
            wrong[round.which] += (uint32_t)is_wrong(&round);
            forget();
        }
        meet(WORKERS + 1);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    uint64_t seed = strtoull(argv[1], NULL, 10);
    uint32_t rounds = (uint32_t)atoi(argv[2]), wrong[ALGORITHMS] = {0};
    alarm(300);
    segment = make_segment(WORKERS, HOLDS, 16);
    shared_state = shared(sizeof *shared_state);
    for (uint32_t worker = 0; worker < WORKERS; worker++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            be_stopped(worker);
            play(worker, seed, rounds, wrong);
            _exit(0);
        }
    play(WORKERS, seed, rounds, wrong);
    reap_all(WORKERS);
    for (uint32_t at = 0; at < ALGORITHMS; at++)
        printf("%s=%u ", names[at], wrong[at]);
    return 0;
}
