/* Fuzzes the dialects' kernels under sanitizers, by hand:
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -std=c11 -Icsrc tools/fuzz_dialect.c \
 *         csrc/fgw_json*.c csrc/fgw_sse.c csrc/fgw_dialect*.c -o /tmp/fuzz_dialect
 *     /tmp/fuzz_dialect -max_total_time=60 -max_len=6000 /tmp/corpus ../shared/vectors/streams
 *
 * The first byte chooses dialect and wishes, the second the size of reads; the rest is a body, a
 * stream and a path at once. Every piece stands in a block of its own size. Invariants beside the
 * sanitizers': an edited body is accepted again and has the length foretold; event ends ascend; a
 * meter takes all it is given.
 */
#include <stdlib.h>
#include <string.h>

#include "fgw_dialect.h"
#include "fgw_dialect_meter.h"

static void must(int holds)
{
    if (!holds)
        abort();
}

static uint8_t *block_of(const uint8_t *bytes, size_t length)
{
    uint8_t *block = malloc(length ? length : 1);

    must(block != NULL);
    return length ? memcpy(block, bytes, length) : block;
}

static void play_ask(const struct fgw_route *route, uint8_t wishes, const uint8_t *body,
                     size_t length)
{
    static struct fgw_json json;
    static struct fgw_ask ask, again;
    static struct fgw_edits edits;
    char name[FGW_MODEL_MAX];
    struct fgw_want want = {
        .output_limit = wishes & 4 ? 5 : INT64_MAX,
        .model = name,
        .model_bytes = wishes & 8 ? FGW_MODEL_MAX : 1,
        .include_usage = 1,
    };

    memset(name, '"', sizeof name);
    memset(&json, 0xa5, sizeof json); /* init must leave nothing to chance */
    if (fgw_ask_scan(&ask, &json, route, body, length))
        return;
    int count = fgw_edits_plan(&edits, &ask, &want);
    must(count >= 0 && count <= FGW_EDITS_MAX);
    size_t foretold = (size_t)((int64_t)length + edits.length_change);
    uint8_t *edited = malloc(foretold);
    must(edited != NULL && fgw_edits_copy(&edits, body, length, edited) == foretold);
    must(!fgw_ask_scan(&again, &json, route, edited, foretold));
    free(edited);
}

static void play_meter(uint8_t dialect, uint8_t operation, int streaming, size_t step,
                       const uint8_t *body, size_t length)
{
    static struct fgw_meter meter;
    struct fgw_usage usage;

    memset(&meter, 0xa5, sizeof meter);
    fgw_meter_init(&meter, dialect, operation, streaming);
    meter.hide_usage = 1;
    for (size_t from = 0; from < length; from += step) {
        size_t now = length - from < step ? length - from : step, at = 0, last = 0;
        uint8_t *piece = block_of(body + from, now);
        while (fgw_meter_next(&meter, piece, now, &at) == FGW_METER_EVENT) {
            must(at > last && at <= now);
            last = at;
        }
        must(at == now);
        free(piece);
    }
    fgw_meter_end(&meter);
    fgw_meter_usage(&meter, &usage);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char *const PATHS[] = {"/v1/chat/completions", "/v1/responses", "/v1/messages",
                                        "/v1/completions"};
    struct fgw_route route;

    if (length < 3)
        return 0;
    uint8_t wishes = bytes[0];
    const char *path = PATHS[wishes & 3];
    fgw_route_find("POST", 4, path, strlen(path), 0, &route);
    uint8_t *body = block_of(bytes + 2, length - 2);
    play_ask(&route, wishes, body, length - 2);
    play_meter(wishes & 16 ? FGW_DIALECT_ANTHROPIC : FGW_DIALECT_OPENAI, route.operation,
               wishes & 32, bytes[1] ? bytes[1] : length, body, length - 2);
    fgw_route_find("GET", 3, (const char *)body, length - 2,
                   wishes & 64 ? FGW_DIALECT_ANTHROPIC : FGW_DIALECT_NONE, &route);
    free(body);
    return 0;
}
