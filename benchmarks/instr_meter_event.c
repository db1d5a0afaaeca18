/* Meter one SSE event of 260 bytes in a stream of chat deltas: SSE, JSON and what it counts. */
#include "bench.h"
#include "fgw_dialect_meter.h"
#include "fgw_json_names.h"

static struct fgw_meter meter;
static struct fgw_json_names names;
static const char event[] = BENCH_EVENT;
_Static_assert(sizeof(event) - 1 == 260, "the size in the name");

void bench_setup(void)
{
    fgw_meter_init(&meter, FGW_DIALECT_OPENAI, FGW_OPERATION_CHAT, 1);
    meter.names = &names;
}

void bench_run(size_t n)
{
    while (n--) {
        size_t at = 0;
        bench_expect(fgw_meter_next(&meter, (const uint8_t *)event, sizeof(event) - 1, &at) ==
                     FGW_METER_EVENT);
        bench_expect(meter.event & FGW_EVENT_TEXT && at == sizeof(event) - 1);
    }
}
