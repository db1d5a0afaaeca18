/* What prices and estimates add to one request: its estimate before, its ceiling at one candidate,
 * and once it is answered its cost and what is learned of it. */
#include "bench.h"
#include "fgw_estimate.h"
#include "fgw_price.h"

static struct fgw_estimates table;
static struct fgw_price price;

void bench_setup(void)
{
    price.version = 1;
    price.rows = 3;
    for (unsigned i = 0; i < FGW_PRICE_CLASSES; i++) {
        price.row[0].nano_usd[i] = 2500000000u + i;
        price.row[1].nano_usd[i] = 5000000000u + i;
        price.row[2].nano_usd[i] = 4250000000u + i;
    }
    price.row[1].above = 200000;
    price.row[2].tier = FGW_TIER_PRIORITY;
    for (uint64_t model = 1; model < 200; model++)
        fgw_estimate_learn_output(fgw_estimates_place(&table, model * 977), 300, 0);
}

void bench_run(size_t n)
{
    const struct fgw_tokens tokens = {.input = 900, .cached_input = 100, .output = 250};
    const struct fgw_units units = {0};
    while (n--) {
        const struct fgw_estimate *known = fgw_estimates_find(&table, 977);
        bench_expect(fgw_estimate_input(known, 1000, 0) > 0 && fgw_estimate_output(known) > 0);
        bench_expect(fgw_price_ceiling(&price, 7, 5000, 16384, 0, 0) > 0);
        bench_expect(fgw_price_cost(&price, FGW_TIER_STANDARD, &tokens, &units, 0) > 0);
        struct fgw_estimate *place = fgw_estimates_place(&table, 977);
        fgw_estimate_learn_input(place, 1000, 0, 1000);
        fgw_estimate_learn_output(place, 250, 0);
    }
}
