/* Identify a chat request of 300 bytes: one pass over its JSON, then what it asks for. */
#include "bench.h"
#include "fgw_dialect.h"
#include "fgw_json_names.h"

static struct fgw_json json;
static struct fgw_json_names names;
static struct fgw_ask ask;
static struct fgw_route route;
static const char body[] = BENCH_CHAT_HEAD BENCH_CHAT_TAIL;
_Static_assert(sizeof(body) - 1 == 300, "the size in the name");

void bench_setup(void)
{
    const char path[] = "/v1/chat/completions";
    json.names = &names;
    bench_expect(fgw_route_find("POST", 4, path, sizeof(path) - 1, 0, &route) == 0);
}

void bench_run(size_t n)
{
    while (n--)
        bench_expect(fgw_ask_scan(&ask, &json, &route, (const uint8_t *)body,
                                  sizeof(body) - 1) == 0);
    bench_expect(ask.output_limit == 256 && ask.flags & FGW_ASK_STREAM);
}
