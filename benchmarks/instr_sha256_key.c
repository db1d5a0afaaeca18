/* Hash a presented access key and compare it with the stored hash in constant time. */
#include "bench.h"
#include "fgw_hash.h"

static const char key[] = "sk-fgw-0123456789abcdef0123456789abcdef";
static uint8_t stored[FGW_SHA256_BYTES];

void bench_setup(void) { fgw_sha256((const uint8_t *)key, sizeof(key) - 1, stored); }

void bench_run(size_t n)
{
    uint8_t digest[FGW_SHA256_BYTES];
    while (n--) {
        fgw_sha256((const uint8_t *)key, sizeof(key) - 1, digest);
        bench_expect(fgw_equal_constant_time(digest, stored, sizeof stored));
    }
}
