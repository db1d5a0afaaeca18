/* Parse one request head as the OpenAI SDK sends it: 17 fields, in one read; by a worker that has
 * read none yet (instr_http1_again.c: one that has). */
#include "bench.h"
#include "fgw_http1.h"

#ifndef LINES
#define LINES NULL
#endif

static struct fgw_head head;
static const struct fgw_http1_limits limits = {32768, 8192, 100};
static const char request[] =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: 127.0.0.1:8080\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 2.54.0\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 2.54.0\r\n"
    "X-Stainless-OS: Linux\r\n"
    "X-Stainless-Arch: x64\r\n"
    "X-Stainless-Runtime: CPython\r\n"
    "X-Stainless-Runtime-Version: 3.11.7\r\n"
    "Authorization: Bearer sk-fgw-0123456789abcdef0123456789abcdef\r\n"
    "X-Stainless-Async: false\r\n"
    "x-stainless-retry-count: 0\r\n"
    "x-stainless-read-timeout: 600\r\n"
    "Content-Length: 300\r\n\r\n";

void bench_setup(void) {}

void bench_run(size_t n)
{
    while (n--) {
        fgw_http1_begin(&head);
        bench_expect(fgw_http1_request(&head, (const uint8_t *)request, sizeof(request) - 1,
                                       &limits, LINES) == (int32_t)sizeof(request) - 1);
    }
    bench_expect(head.n_headers == 17 && head.content_length == 300);
}
