/* Take one request from a token bucket, later give it back: what pace costs a request. */
#include "bench.h"
#include "fgw_bucket.h"

static struct fgw_bucket bucket;
static struct fgw_quota quota;

void bench_setup(void) { bench_expect(fgw_quota_init(&quota, 100000, 60000000000u) == 0); }

void bench_run(size_t n)
{
    uint64_t now = 1000000000, owed = 0;
    while (n--) {
        bench_expect(fgw_bucket_take(&bucket, &quota, 700, now, &owed) == 0);
        bench_expect(fgw_bucket_refund(&bucket, &quota, 600, owed, now + 1000) == 0);
        now += 60000000;
    }
}
