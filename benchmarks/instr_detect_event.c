/* Look for all kinds in one SSE event of 260 bytes of a chat stream: JSON, channel, text. */
#include "bench.h"
#include "fgw_detect_job.h"

static struct fgw_detect_job job;
static struct fgw_detect_report report;
static struct fgw_detect_cut row[64];
static struct fgw_detect_cuts cuts = {row, 0, 64, 0, 255, 0, NULL};
static struct fgw_screen_channel channels[2];
static struct fgw_screen screen = {channels, 2, 0, 0, 0};
static const char event[] = BENCH_EVENT;

void bench_setup(void)
{
    job.report = &report;
    job.cuts = &cuts;
    job.screen = &screen;
    job.kinds = 255;
}

void bench_run(size_t n)
{
    uint32_t base = 0;

    while (n--) {
        bench_expect(fgw_screen_event(&job, (const uint8_t *)event, sizeof(event) - 1, base) == 0);
        bench_expect(fgw_screen_decided(&screen, base, sizeof(event) - 1) < sizeof(event) - 1);
        base += sizeof(event) - 1;
    }
    bench_expect(report.found == 0);
}
