/* Phase LIMIT and its settling for one request: a request bucket and a token bucket, looked up in
 * the shared table beside 1,000 other keys, taken together, settled to the truth. */
#include "bench.h"
#include "fgw_limit.h"

enum { GROUPS = 1024, OTHERS = 1000 };
static struct fgw_table_group groups[GROUPS];
static struct fgw_worker_slot slot;
static struct fgw_done done[1];
static struct fgw_hold hold;
static struct fgw_limit_spec specs[2];
static struct fgw_limits limits;
static struct fgw_demand demands[2];

static uint64_t mixed(uint64_t x) { return (x + 1) * UINT64_C(0x9e3779b97f4a7c15); }

void bench_setup(void)
{
    limits = (struct fgw_limits){.specs = specs, .n_specs = 2, .table = {groups, {41, 43}, GROUPS},
                                 .dones = {done, 1}, .slot = &slot};
    for (uint64_t i = 0; i < OTHERS; i++) {
        uint64_t key[2] = {mixed(i), mixed(mixed(i))};
        int inserted = 0;
        fgw_table_insert(&limits.table, key, FGW_CELL_PACE << 4, 0, &inserted);
        bench_expect(inserted);
    }
    for (uint16_t i = 0; i < 2; i++) {
        bench_expect(fgw_quota_init(&specs[i].quota, 1000000, 60000000000u) == 0);
        specs[i].unit = i == 0 ? FGW_UNIT_REQUESTS : FGW_UNIT_TOKENS;
        specs[i].algorithm = FGW_ALGORITHM_TOKEN_BUCKET;
        specs[i].enforced = 1;
        demands[i] = (struct fgw_demand){.identity = {mixed(5000 + i), mixed(6000 + i)},
                                         .limit = i, .enforced = 1};
    }
}

void bench_run(size_t n)
{
    const struct fgw_request_id id = {0};
    const struct fgw_amounts held = {.by_unit = {1, 700, 200, 500, 0, 1}};
    const struct fgw_amounts used = {.by_unit = {1, 150, 100, 50, 0, 1}};
    struct fgw_limit_trace traces[2];
    uint64_t now = 1000000000;
    while (n--) {
        uint32_t inserted = 0;
        fgw_hold_begin(&hold, &id, now);
        bench_expect(fgw_limits_take(&limits, demands, 2, &held, &held, now, now, &hold,
                                     traces, &inserted) == 0);
        fgw_limits_settle(&limits, &hold, &used, now + 100000);
        fgw_hold_end(&hold);
        now += 100000000;
    }
}
