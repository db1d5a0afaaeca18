/* Find one key, at home, in the shared limit table, which holds 10,000. */
#include "bench.h"
#include "fgw_table.h"

enum { GROUPS = 1112, KEYS = 10000 };
static struct fgw_table_group groups[GROUPS];
static const struct fgw_table table = {groups, {41, 43}, GROUPS};

static void key_of(uint64_t i, uint64_t key[2])
{
    key[0] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    key[1] = (key[0] ^ key[0] >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

void bench_setup(void)
{
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t key[2];
        int inserted;
        key_of(i, key);
        fgw_table_insert(&table, key, FGW_CELL_PACE << 4, 0, &inserted);
    }
}

void bench_run(size_t n)
{
    uint64_t key[2];
    key_of(77, key);
    while (n--) bench_expect(fgw_table_find(&table, key) >= 0);
}
