/* Decode one chunk that carries one event of 260 bytes, in a body that goes on. */
#include "bench.h"
#include "fgw_chunk.h"

static struct fgw_chunk chunk;
static const char wire[] = "104\r\n" BENCH_EVENT "\r\n";

void bench_setup(void) { fgw_chunk_begin(&chunk); }

void bench_run(size_t n)
{
    struct fgw_span piece;
    while (n--) {
        uint32_t at = 0, size = sizeof(wire) - 1;
        fgw_chunk_mark(&chunk, 0);
        bench_expect(fgw_chunk_next(&chunk, (const uint8_t *)wire, size, &at, &piece) ==
                     FGW_CHUNK_DATA);
        bench_expect(piece.len == 260);
        bench_expect(fgw_chunk_next(&chunk, (const uint8_t *)wire, size, &at, &piece) == -2);
        bench_expect(at == size);
    }
}
