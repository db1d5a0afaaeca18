/* Insertions of the same keys in random orders of their atomic steps, some never finished: the
 * kernel itself, where test_table_model.py has a model of it.
 *
 *   table_steps ROUNDS SEED       built with -Wl,--wrap=fgw_swap16,--wrap=fgw_read16
 *
 * Every insertion is a coroutine that is left before each swap and each whole reading. The table
 * has two groups, filled so far that those who look at different times choose differently. Ends
 * with an error when a key is found in two places, or by two in different ones. Prints how often
 * a key on its way to its second group was sent away, and how many insertions were given up.
 */
#include "limit_storm.h"

#include <ucontext.h>

enum { MOST = 5, STACK = 64 * 1024, OF_KEY = 3, LEAVING = 1 };

struct run {
    ucontext_t context;
    uint64_t key[2];
    int64_t entry;
    int inserted, over;
};

static struct fgw_table_group groups[2];
static const struct fgw_table table = {groups, {0x5bf03635dd9a1f0b, 0xc2b2ae3d27d4eb4f}, 2};
static struct run runs[MOST];
static uint8_t stacks[MOST][STACK];
static ucontext_t scheduler;
static struct run *running; /* NULL: nobody is left in between */
static uint64_t sent_away, given_up_all;

int __real_fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired);
int __wrap_fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired);
fgw_u128 __real_fgw_read16(void *at);
fgw_u128 __wrap_fgw_read16(void *at);

static void pause_here(void)
{
    struct run *me = running;
    if (me != NULL)
        CHECK(swapcontext(&me->context, &scheduler) == 0);
}

/* Nobody evicts here. */
static uint64_t count_leaving(void)
{
    uint64_t leaving = 0;
    for (int group = 0; group < 2; group++)
        for (int place = 0; place < FGW_TABLE_WAYS; place++)
            leaving += ((const uint8_t *)groups[group].header)[place] == LEAVING;
    return leaving;
}

int __wrap_fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired)
{
    pause_here();
    return __real_fgw_swap16(at, expected, desired);
}

fgw_u128 __wrap_fgw_read16(void *at)
{
    pause_here();
    return __real_fgw_read16(at);
}

static void begin(void)
{
    struct run *me = running;
    me->entry = fgw_table_insert(&table, me->key, FGW_CELL_PACE << 4, 0, &me->inserted);
    me->over = 1;
}

static void start(struct run *run, const uint64_t key[2])
{
    *run = (struct run){.key = {key[0], key[1]}};
    CHECK(getcontext(&run->context) == 0);
    run->context.uc_stack.ss_sp = stacks[run - runs];
    run->context.uc_stack.ss_size = STACK;
    run->context.uc_link = &scheduler;
    makecontext(&run->context, begin, 0);
}

static uint64_t count(const uint64_t wanted[2], int64_t *where)
{
    uint64_t found = 0, key[2];
    uint8_t kind;
    uint16_t span;
    for (uint64_t entry = 0; entry < 2 * FGW_TABLE_WAYS; entry++)
        if (fgw_table_read(&table, entry, key, &kind, &span) && key[0] == wanted[0] &&
            key[1] == wanted[1]) {
            CHECK(kind == FGW_CELL_PACE << 4);
            *where = (int64_t)entry;
            found++;
        }
    return found;
}

/* So many keys of any tag. */
static void fill(uint64_t n, uint64_t *random)
{
    uint64_t key[2];
    int inserted;
    memset(groups, 0, sizeof groups);
    while (n-- > 0) {
        key[0] = next_random(random);
        key[1] = next_random(random);
        CHECK(fgw_table_insert(&table, key, FGW_CELL_PACE << 4, 0, &inserted) >= 0);
    }
}

/* The same key for most; for the others one of the same tag, whose home may be either group. */
static void step_through(uint64_t *random)
{
    uint64_t key[2] = {next_random(random), next_random(random)};
    uint64_t same_tag[2] = {next_random(random), next_random(random) << 16 | (key[1] & 0xffff)};
    uint32_t n = 2 + (uint32_t)(next_random(random) % (MOST - 1)), left = n;
    int64_t where = -1, last;
    uint64_t born = 0, given_up = 0;
    int inserted;
    for (uint32_t at = 0; at < n; at++)
        start(&runs[at], at < OF_KEY ? key : same_tag);
    while (left > 0) {
        struct run *run = &runs[next_random(random) % n];
        if (run->over)
            continue;
        running = run; /* for a while: the worst comes of long pauses, not of many */
        for (uint64_t steps = next_random(random) % 12; steps-- > 0 && !run->over;)
            CHECK(swapcontext(&scheduler, &run->context) == 0);
        running = NULL;
        if (!run->over && next_random(random) % 32 == 0) {
            run->over = 2; /* killed */
            given_up++;
        }
        left -= run->over != 0;
    }
    sent_away += count_leaving();
    given_up_all += given_up;
    last = fgw_table_insert(&table, key, FGW_CELL_PACE << 4, 0, &inserted);
    CHECK(count(key, &where) == 1 && last == where);
    for (uint32_t at = 0; at < n && at < OF_KEY; at++) {
        CHECK(runs[at].over == 2 || runs[at].entry == where);
        born += runs[at].over == 1 && runs[at].inserted;
    }
    CHECK(born + (uint64_t)inserted <= 1 && (given_up || born == 1));
    CHECK(count(same_tag, &last) <= 1);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    uint64_t rounds = strtoull(argv[1], NULL, 10), random = strtoull(argv[2], NULL, 10) | 1;
    for (uint64_t round = 0; round < rounds; round++) {
        fill(15 + next_random(&random) % 8, &random);
        step_through(&random);
    }
    printf("sent_away=%lu given_up=%lu\n", sent_away, given_up_all);
    return 0;
}
