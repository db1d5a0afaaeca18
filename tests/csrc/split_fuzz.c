/* split_fuzz.c - hostile streams through every splitter, under the sanitizers: ROUNDS SEED.
 *
 * Streams are shuffled from pieces of each framing and from bytes; every input is an allocation
 * of exactly its size, so that one byte beyond it ends the program. What is handed out must lie
 * in the input, and must not depend on where the input was cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fgw_crc32.h"
#include "fgw_event_stream.h"
#include "fgw_json_array.h"
#include "fgw_ndjson.h"
#include "fgw_sse.h"

enum framing { SSE, NDJSON, JSON_ARRAY, EVENT_STREAM, FRAMINGS };

union state {
    struct fgw_sse sse;
    struct fgw_ndjson lines;
    struct fgw_json_array array;
    struct fgw_event_stream frames;
};

static const char *const PIECES[] = {
    "[", "]", "{", "}", "\"", "\\", ",", ":", "\n", "\r", "\r\n", " ", "data:", "data: ",
    "event: x", "id: 1", "retry:", "{\"a\":1}", "[DONE]", "\xEF\xBB\xBF", "null", "12", "\xFF",
    "\xC3", "\"\\u00e9\"", "{\"error\":\"no\"}", ": ping",
};
#define N_PIECES (sizeof PIECES / sizeof *PIECES)

static uint64_t seed;

static uint32_t pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void big_endian(uint8_t *to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* A message whose headers and payload are noise, mostly framed as they should be. */
static size_t make_message(uint8_t *to)
{
    uint32_t headers = pick(60), payload = pick(60), total = 16 + headers + payload;

    for (uint32_t i = 0; i < headers + payload; i++)
        to[12 + i] = (uint8_t)(pick(3) ? pick(12) : pick(256));
    if (headers > 20 && pick(2)) {
        memcpy(to + 12, "\x0b:event-type\x07\0\x05", 15);
        if (pick(2))
            headers = 20;
    }
    total = 16 + headers + payload;
    big_endian(to, pick(20) ? total : pick(2) ? pick(64) : 0xFFFFFFFFu - pick(64));
    big_endian(to + 4, pick(20) ? headers : pick(256));
    big_endian(to + 8, fgw_crc32(0, to, 8) ^ (pick(30) == 0));
    big_endian(to + total - 4, fgw_crc32(0, to, total - 4) ^ (pick(30) == 0));
    return total;
}

static size_t make_stream(uint8_t *to, enum framing framing)
{
    size_t length = 0;

    for (uint32_t n = pick(30); n > 0; n--) {
        if (framing == EVENT_STREAM && pick(8)) {
            length += make_message(to + length);
        } else if (pick(12)) {
            const char *piece = PIECES[pick(N_PIECES)];
            memcpy(to + length, piece, strlen(piece));
            length += strlen(piece);
        } else {
            to[length++] = (uint8_t)pick(256);
        }
    }
    return length;
}

static enum fgw_split_kind next(enum framing framing, union state *state, const uint8_t *bytes,
                                size_t length, size_t *at, struct fgw_split_piece *piece)
{
    switch (framing) {
    case SSE:
        return fgw_sse_next(&state->sse, bytes, length, at, piece);
    case NDJSON:
        return fgw_ndjson_next(&state->lines, bytes, length, at, piece);
    case JSON_ARRAY:
        return fgw_json_array_next(&state->array, bytes, length, at, piece);
    default:
        return fgw_event_stream_next(&state->frames, bytes, length, at, piece);
    }
}

struct digest {
    uint32_t crc;
    uint8_t last; /* kind of the piece before */
};

/* Takes a piece so that the sum is the same where one value comes in more pieces. */
static void take(struct digest *digest, const struct fgw_split_piece *piece, size_t offset)
{
    uint8_t head[10] = {piece->kind, piece->dispatch};

    if (piece->kind == FGW_SPLIT_END)
        memcpy(head + 2, &offset, sizeof offset);
    if (piece->kind == FGW_SPLIT_END || piece->fresh || piece->kind != digest->last)
        digest->crc = fgw_crc32(digest->crc, head, sizeof head);
    if (piece->length)
        digest->crc = fgw_crc32(digest->crc, piece->bytes, piece->length);
    digest->last = piece->kind;
}

static uint32_t run(enum framing framing, const uint8_t *stream, size_t length, int cut)
{
    union state state;
    struct digest digest = {0, FGW_SPLIT_MORE};

    memset(&state, 0, sizeof state);
    for (size_t from = 0; from < length;) {
        size_t now = cut ? 1 + pick(cut > 1 ? 40 : 1) : length, at = 0, steps = 0;
        struct fgw_split_piece piece;
        now = now < length - from ? now : length - from;
        uint8_t *input = malloc(now);
        memcpy(input, stream + from, now);
        while (next(framing, &state, input, now, &at, &piece) != FGW_SPLIT_MORE) {
            if (piece.length && (piece.bytes < input || piece.bytes + piece.length > input + now))
                abort();
            if (at > now || ++steps > 2 * now + 2)
                abort();
            take(&digest, &piece, from + at);
        }
        if (at != now)
            abort();
        free(input);
        from += now;
    }
    return digest.crc;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000;
    static uint8_t stream[30 * 160];

    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (long i = 0; i < rounds; i++) {
        enum framing framing = (enum framing)(i % FRAMINGS);
        size_t length = make_stream(stream, framing);
        uint32_t whole = run(framing, stream, length, 0);
        /* A CR at the end of a piece ends an SSE line there: its LF moves no other offset. */
        if (run(framing, stream, length, 1) != whole && framing != SSE)
            abort();
        if (run(framing, stream, length, 2) != whole && framing != SSE)
            abort();
    }
    puts("ok");
    return 0;
}
