/* A limit table for so many keys, filled step by step, in ordinary memory: bench_limit.py times
 * look-ups in it. */
#include <stdlib.h>
#include <string.h>

#include "fgw_segment.h"

static struct fgw_table table = {.secret = {0x5bf03635dd9a1f0b, 0xc2b2ae3d27d4eb4f}};

static void key_of(uint64_t i, uint64_t key[2])
{
    key[0] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    key[1] = (key[0] ^ key[0] >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* Makes it empty; returns its bytes, 0 if there is no memory. */
uint64_t table_load_make(uint32_t entries)
{
    free(table.groups);
    table.n_groups = fgw_segment_groups(entries);
    uint64_t size = table.n_groups * sizeof *table.groups;
    table.groups = aligned_alloc(sizeof *table.groups, size);
    if (table.groups == NULL)
        return 0;
    memset(table.groups, 0, size);
    return size;
}

/* Inserts the keys first to end - 1; returns how many found no place. */
uint64_t table_load_fill(uint64_t first, uint64_t end)
{
    uint64_t refused = 0, key[2];
    int inserted;
    for (uint64_t i = first; i < end; i++) {
        key_of(i, key);
        refused += fgw_table_insert(&table, key, FGW_CELL_PACE << 4, 0, &inserted) < 0;
    }
    return refused;
}

/* Looks n keys up, in no order, among `among` from `first` on; returns how many are there. */
uint64_t table_load_find(uint64_t n, uint64_t first, uint64_t among)
{
    uint64_t found = 0, random = 88172645463325252u, key[2];
    while (n-- > 0) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        key_of(first + (random >> 32) % among, key);
        found += fgw_table_find(&table, key) >= 0;
    }
    return found;
}
