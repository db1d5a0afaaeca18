/* Post the three records of a request (REQUEST with one rule and two limits, OPEN, CLOSE) into a
 * worker's ring, as the journey does: the room of the CLOSE is set aside with the OPEN. */
#include "bench.h"
#include "fgw_ring.h"

enum { SIZE = 1 << 20 };
static _Alignas(4096) uint8_t memory[FGW_RING_HEADER + SIZE];
static struct fgw_ring producer, consumer;

void bench_setup(void)
{
    const struct fgw_ring_facts facts = {.ring = 1, .size = SIZE};
    bench_expect(fgw_ring_format(memory, &facts) == 0);
    bench_expect(fgw_ring_open_producer(&producer, memory, sizeof memory) == 0);
    bench_expect(fgw_ring_open_consumer(&consumer, memory, sizeof memory) == 0);
}

static void post(uint8_t kind, size_t bytes, uint32_t reserved)
{
    uint32_t rounded = (uint32_t)(bytes + 7) & ~7u;
    struct fgw_record *record = fgw_ring_claim(&producer, rounded, reserved);
    bench_expect(record != NULL);
    record->kind = kind;
    record->version = FGW_RECORD_VERSION;
    fgw_ring_publish(&producer, reserved);
}

void bench_run(size_t n)
{
    const uint32_t close = (sizeof(struct fgw_record_close) + 7) & ~7u;
    const size_t request = sizeof(struct fgw_record_request) + sizeof(struct fgw_rule_trace) +
                           2 * sizeof(struct fgw_limit_trace);
    const size_t open = offsetof(struct fgw_record_open, held) + 2 * sizeof(struct fgw_held);
    while (n--) {
        bench_expect(fgw_ring_reserve(&producer, close, open) == 0);
        post(FGW_RECORD_OPEN, open, 0);
        post(FGW_RECORD_REQUEST, request, 0);
        post(FGW_RECORD_CLOSE, close, close);
        if (n % 64 == 0) {
            bench_expect(fgw_ring_look(&consumer) > 0);
            bench_expect(fgw_ring_release(&consumer, consumer.head) == 0);
        }
    }
}
