/* Identify a chat request of 10 KiB: a long prompt with a few escapes, as documents have. */
#include "bench.h"
#include "fgw_dialect.h"
#include "fgw_json_names.h"

enum { SIZE = 10240 };
static struct fgw_json json;
static struct fgw_json_names names;
static struct fgw_ask ask;
static struct fgw_route route;
static uint8_t body[SIZE];

void bench_setup(void)
{
    const char path[] = "/v1/chat/completions";
    const char head[] = BENCH_CHAT_HEAD, tail[] = BENCH_CHAT_TAIL;
    const char line[] = "A line of a document that is asked about, some ninety bytes long. \\n";
    size_t at = sizeof(head) - 1, end = SIZE - (sizeof(tail) - 1);
    json.names = &names;
    memcpy(body, head, at);
    while (at + sizeof(line) - 1 <= end) {
        memcpy(body + at, line, sizeof(line) - 1);
        at += sizeof(line) - 1;
    }
    memset(body + at, 'x', end - at);
    memcpy(body + end, tail, sizeof(tail) - 1);
    bench_expect(fgw_route_find("POST", 4, path, sizeof(path) - 1, 0, &route) == 0);
}

void bench_run(size_t n)
{
    while (n--) bench_expect(fgw_ask_scan(&ask, &json, &route, body, SIZE) == 0);
    bench_expect(ask.body_bytes == SIZE);
}
