/* Look for all kinds in a request body of 10 KB of prose: the walk, the window, the scan. */
#include "bench.h"
#include "fgw_detect_job.h"

static struct fgw_detect_job job;
static struct fgw_detect_report report;
static struct fgw_detect_cut row[64];
static struct fgw_detect_cuts cuts = {row, 0, 64, 0, 255, 0, NULL};
static char body[10240];

void bench_setup(void)
{
    static const char words[] = " a proxy should count what passes through it, 24 hours a day;";
    size_t used = sizeof(BENCH_CHAT_HEAD) - 1, tail = sizeof(BENCH_CHAT_TAIL) - 1;

    memcpy(body, BENCH_CHAT_HEAD, used);
    for (; used < sizeof(body) - tail; used++)
        body[used] = words[used % (sizeof(words) - 1)];
    memcpy(body + used, BENCH_CHAT_TAIL, tail);
    job.report = &report;
    job.cuts = &cuts;
    job.kinds = 255;
}

void bench_run(size_t n)
{
    while (n--)
        bench_expect(fgw_detect_document(&job, FGW_WALK_REQUEST, (const uint8_t *)body,
                                         sizeof(body)) == 0);
    bench_expect(report.found == 0);
}
