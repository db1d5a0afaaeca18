/* Processes that insert the same keys die after random swaps; whoever comes after finds each key
 * in one place, and room for all.
 *
 *   table_kill ROUNDS SEED        built with -Wl,--wrap=fgw_swap16
 *
 * Every change that an insertion makes is a swap, so these are all the instants that there are.
 * The table is as crowded as it may be: many keys have to choose. Prints how many have died, and
 * what they left half-made: places claimed at home, and keys coming.
 */
#include "limit_storm.h"

enum { KEYS = 400, INSERTERS = 3 };
static struct fgw_table table;
static struct fgw_segment segment;
static uint64_t keys[KEYS][2];
static uint64_t swaps_left; /* 0: for ever */

int __real_fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired);
int __wrap_fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired);

int __wrap_fgw_swap16(void *at, fgw_u128 *expected, fgw_u128 desired)
{
    int swapped = __real_fgw_swap16(at, expected, desired);
    if (swaps_left > 0 && --swaps_left == 0)
        _exit(9);
    return swapped;
}

static void insert_all(uint32_t first)
{
    for (uint32_t at = 0; at < KEYS; at++) {
        int inserted;
        uint64_t *key = keys[at ^ first];
        CHECK(fgw_table_insert(&table, key, FGW_CELL_PACE << 4, 0, &inserted) >= 0);
    }
}

static uint64_t let_some_die(uint64_t *random)
{
    struct gate gate = make_gate();
    uint64_t died = 0;
    for (uint32_t child = 0; child < INSERTERS; child++) {
        uint64_t swaps = 1 + next_random(random) % KEYS;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            wait_at(gate);
            swaps_left = swaps;
            insert_all(child);
            _exit(0);
        }
    }
    open_gate(gate);
    for (uint32_t child = 0; child < INSERTERS; child++) {
        int status;
        CHECK(wait(&status) > 0 && WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
        died += WEXITSTATUS(status) == 9;
    }
    return died;
}

/* Claimed and empty, and coming: as fgw_table.h draws it. */
static void count_half_made(uint64_t *claimed, uint64_t *coming)
{
    for (uint32_t group = 0; group < table.n_groups; group++) {
        const uint8_t *tags = (const uint8_t *)table.groups[group].header;
        for (int place = 0; place < FGW_TABLE_WAYS; place++) {
            const struct fgw_key *key = &table.groups[group].keys[place];
            *coming += tags[place] == 2;
            *claimed += tags[place] > 2 && (key->low | key->high) == 0;
        }
    }
}

static void check_each_once(void)
{
    uint64_t found = 0, key[2];
    uint8_t kind;
    uint16_t span;
    for (uint64_t entry = 0; entry < (uint64_t)table.n_groups * FGW_TABLE_WAYS; entry++)
        if (fgw_table_read(&table, entry, key, &kind, &span)) {
            CHECK(fgw_table_find(&table, key) == (int64_t)entry);
            CHECK(kind == FGW_CELL_PACE << 4);
            found++;
        }
    CHECK(found == KEYS);
}

/* Nobody runs any more, so nobody is waited for. Only what waits for a key of its tag stays. */
static void evict_all(void)
{
    uint64_t used = 0, claimed = 0, coming = 0;
    for (uint64_t entry = 0; entry < (uint64_t)table.n_groups * FGW_TABLE_WAYS; entry++)
        if (fgw_table_bury(&table, fgw_segment_dones(&segment), entry, NOW, WALL))
            fgw_table_free_buried(&table, entry);
    for (uint32_t group = 0; group < table.n_groups; group++)
        used += fgw_table_crowd(&table, group);
    count_half_made(&claimed, &coming);
    CHECK(used == claimed && coming == 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    uint64_t rounds = strtoull(argv[1], NULL, 10), random = strtoull(argv[2], NULL, 10) | 1;
    uint64_t died = 0, claimed = 0, coming = 0;
    segment = make_segment(1, 1, KEYS);
    table = fgw_segment_table(&segment);
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint32_t at = 0; at < KEYS; at++) {
            keys[at][0] = next_random(&random);
            keys[at][1] = next_random(&random);
        }
        memset(table.groups, 0, table.n_groups * sizeof *table.groups);
        died += let_some_die(&random);
        count_half_made(&claimed, &coming);
        insert_all(0);
        check_each_once();
        evict_all();
    }
    printf("died=%lu claimed=%lu coming=%lu\n", died, claimed, coming);
    return 0;
}
