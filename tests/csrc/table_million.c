/* A segment for a million live keys, filled to the last and kept full while keys come and go.
 *
 *   table_million KEYS COME_AND_GO SEED
 *
 * Prints what it took: bytes of the table and of the segment, keys refused, keys lost, and how
 * many places of the fullest group are in use.
 */
#include "limit_storm.h"

static struct fgw_table table;
static uint64_t (*keys)[2];
static int64_t *entries;

static void draw(uint64_t at, uint64_t *random)
{
    keys[at][0] = next_random(random);
    keys[at][1] = next_random(random);
}

static uint64_t insert(uint64_t at)
{
    int inserted;
    entries[at] = fgw_table_insert(&table, keys[at], FGW_CELL_PACE << 4, 0, &inserted);
    CHECK(entries[at] < 0 || inserted);
    return entries[at] < 0;
}

/* As the supervisor does, whom nobody disturbs here. */
static void evict(const struct fgw_segment *segment, uint64_t at)
{
    uint64_t entry = (uint64_t)entries[at];
    CHECK(fgw_table_bury(&table, fgw_segment_dones(segment), entry, NOW, WALL));
    fgw_table_free_buried(&table, entry);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    uint64_t n = strtoull(argv[1], NULL, 10), changes = strtoull(argv[2], NULL, 10);
    uint64_t random = strtoull(argv[3], NULL, 10) | 1, refused = 0, lost = 0, most = 0;
    struct fgw_segment segment = make_segment(2, 4096, (uint32_t)n);
    table = fgw_segment_table(&segment);
    keys = calloc(n, sizeof *keys);
    entries = calloc(n, sizeof *entries);
    CHECK(keys != NULL && entries != NULL);
    for (uint64_t at = 0; at < n; at++) {
        draw(at, &random);
        refused += insert(at);
    }
    for (uint64_t change = 0; change < changes; change++) {
        uint64_t at = next_random(&random) % n;
        if (entries[at] >= 0)
            evict(&segment, at);
        draw(at, &random);
        refused += insert(at);
    }
    for (uint64_t at = 0; at < n; at++)
        lost += fgw_table_find(&table, keys[at]) != entries[at];
    for (uint32_t group = 0; group < table.n_groups; group++)
        most = fgw_table_crowd(&table, group) > most ? fgw_table_crowd(&table, group) : most;
    printf("table=%lu segment=%lu refused=%lu lost=%lu most=%lu\n",
           table.n_groups * sizeof(struct fgw_table_group), segment.size, refused, lost, most);
    return 0;
}
