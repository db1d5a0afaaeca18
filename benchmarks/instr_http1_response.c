/* Parse one response head as a provider sends it: 8 fields, in one read. */
#include "bench.h"
#include "fgw_http1.h"

static struct fgw_head head;
static const struct fgw_http1_limits limits = {32768, 8192, 100};
static const char response[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sat, 21 Nov 2026 09:00:00 GMT\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 635\r\n"
    "Connection: keep-alive\r\n"
    "openai-processing-ms: 312\r\n"
    "x-ratelimit-remaining-requests: 9999\r\n"
    "x-request-id: req_0123456789abcdef\r\n"
    "Server: cloudflare\r\n\r\n";

void bench_setup(void) {}

void bench_run(size_t n)
{
    while (n--) {
        fgw_http1_begin(&head);
        bench_expect(fgw_http1_response(&head, (const uint8_t *)response, sizeof(response) - 1,
                                        &limits, NULL, FGW_M_POST) ==
                     (int32_t)sizeof(response) - 1);
    }
    bench_expect(head.n_headers == 8 && head.status == 200);
}
