/* fgw_bpe_merge.c - short pieces merged as written, long ones by their prefixes. */
#include "fgw_bpe_merge.h"

#define NEVER INT32_MAX

/* A rank and its place in one number: the least of these is the next merge, the leftmost of
 * equals. Signed, because that is what SSE2 compares. */
static inline int32_t order(uint32_t rank, size_t at)
{
    return rank == FGW_BPE_NONE ? NEVER : (int32_t)(rank << 8 | (uint32_t)at);
}

size_t fgw_bpe_merge(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes, size_t length,
                     uint32_t *tokens)
{
    const uint32_t *duets = fgw_bpe_part(v, v->duets);
    /* A part stays where its first byte is, so that finding the least is a loop without branches:
     * for its place, the order of merging it with the next one, and where its neighbours are. */
    int32_t orders[FGW_BPE_SHORT];
    uint16_t next[FGW_BPE_SHORT], before[FGW_BPE_SHORT + 1];

    for (size_t i = 0; i < length; i++) {
        tokens[i] = v->byte_token[bytes[i]];
        orders[i] = i + 1 < length ? order(duets[bytes[i] << 8 | bytes[i + 1]], i) : NEVER;
        next[i] = (uint16_t)(i + 1);
        before[i + 1] = (uint16_t)i;
    }
    for (;;) {
        int32_t least = NEVER;
        for (size_t i = 0; i < length; i++)
            least = orders[i] < least ? orders[i] : least;
        if (least == NEVER)
            break;
        size_t at = (size_t)least & 0xff, gone = next[at], after = next[gone];
        tokens[at] = (uint32_t)least >> 8;
        orders[gone] = orders[at] = NEVER;
        next[at] = (uint16_t)after;
        before[after] = (uint16_t)at;
        if (after < length)
            orders[at] = order(fgw_bpe_pair(v, tokens[at], tokens[after]), at);
        if (at > 0)
            orders[before[at]] = order(fgw_bpe_pair(v, tokens[before[at]], tokens[at]),
                                       before[at]);
    }
    size_t parts = 0;
    for (size_t at = 0; at < length; at = next[at])
        tokens[parts++] = tokens[at];
    return parts;
}

/* Whether two tokens stay as they are when they become neighbours.
 *
 * Their merges are undone from the greatest rank to the least, on whichever side it is. `limit`
 * is the merge that took the neighbour at the border away: a pair across the border that comes
 * before it would have been merged first. Of equal ranks the left one comes first. */
static int neighbours(const struct fgw_bpe_vocabulary *v, uint32_t left, uint32_t right)
{
    const uint32_t *splits = fgw_bpe_part(v, v->splits);
    uint32_t limit = FGW_BPE_NONE;
    for (;;) {
        if (fgw_bpe_pair(v, left, right) < limit)
            return 0;
        if (left > right) {
            if (left < 256)
                return 1; /* bytes both */
            limit = left;
            left = splits[2 * left + 1];
        } else {
            if (right < 256)
                return 1;
            limit = right + 1;
            right = splits[2 * right];
        }
    }
}

void fgw_bpe_run_start(struct fgw_bpe_run *run)
{
    run->length = 0;
    run->filled = 0;
    run->count[0] = 0;
}

/* Whether the last `length` bytes, up to `end`, are the last token; then notes it. */
static int ends_with(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v,
                     const uint8_t *end, size_t length)
{
    uint32_t token = fgw_bpe_find(v, end - length, length);
    uint64_t before = run->length - length;
    if (token == FGW_BPE_NONE
        || (before && !neighbours(v, run->last[before % FGW_BPE_TOKEN_MAX], token)))
        return 0;
    /* Before the write: a token as long as the ring stands on the place that it is read from. */
    uint32_t tokens = run->count[before % FGW_BPE_TOKEN_MAX] + 1;
    run->last[run->length % FGW_BPE_TOKEN_MAX] = token;
    run->count[run->length % FGW_BPE_TOKEN_MAX] = tokens;
    return 1;
}

static void step(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v, uint8_t byte)
{
    if (run->filled == sizeof run->bytes) {
        run->filled = FGW_BPE_TOKEN_MAX;
        memcpy(run->bytes, run->bytes + FGW_BPE_TOKEN_MAX, FGW_BPE_TOKEN_MAX);
    }
    run->bytes[run->filled++] = byte;
    run->length++;
    const uint8_t *end = run->bytes + run->filled;
    size_t longest = run->length < FGW_BPE_TOKEN_MAX ? (size_t)run->length : FGW_BPE_TOKEN_MAX;
    if (run->length > 1) { /* most often the last token has grown by this byte */
        const uint32_t *starts = fgw_bpe_part(v, v->starts);
        uint32_t last = run->last[(run->length - 1) % FGW_BPE_TOKEN_MAX];
        size_t grown = starts[last + 1] - starts[last] + 1;
        if (grown <= longest && ends_with(run, v, end, grown))
            return;
    }
    if (longest >= 3) {
        const uint64_t *endings = fgw_bpe_part(v, v->endings);
        uint64_t lengths = endings[fgw_bpe_ending(end - 3)];
        if (lengths >> 63)
            for (size_t length = longest; length >= 63; length--)
                if (ends_with(run, v, end, length))
                    return;
        lengths &= ~(UINT64_C(1) << 63);
        while (lengths) {
            size_t length = 63 - (size_t)__builtin_clzll(lengths);
            if (length <= longest && ends_with(run, v, end, length))
                return;
            lengths &= ~(UINT64_C(1) << length);
        }
    }
    if (longest >= 2 && ends_with(run, v, end, 2))
        return;
    ends_with(run, v, end, 1);
}

void fgw_bpe_run_feed(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v,
                      const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        step(run, v, bytes[i]);
}

uint32_t fgw_bpe_run_least(const struct fgw_bpe_run *run)
{
    /* The whole ends here, or a token that goes on from here began behind one of the prefixes. */
    uint32_t least = fgw_bpe_run_tokens(run);
    for (uint64_t back = 1; back < FGW_BPE_TOKEN_MAX && back <= run->length; back++) {
        uint32_t then = run->count[(run->length - back) % FGW_BPE_TOKEN_MAX] + 1;
        if (then < least)
            least = then;
    }
    return least;
}

uint64_t fgw_bpe_piece_tokens(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                              size_t length)
{
    if (length <= 2) {
        const uint32_t *duets = fgw_bpe_part(v, v->duets);
        return length == 1 || duets[bytes[0] << 8 | bytes[1]] != FGW_BPE_NONE ? 1 : 2;
    }
    if (fgw_bpe_find(v, bytes, length) != FGW_BPE_NONE)
        return 1;
    if (length <= FGW_BPE_SHORT) {
        uint32_t tokens[FGW_BPE_SHORT];
        return fgw_bpe_merge(v, bytes, length, tokens);
    }
    struct fgw_bpe_run run;
    fgw_bpe_run_start(&run);
    fgw_bpe_run_feed(&run, v, bytes, length);
    return fgw_bpe_run_tokens(&run);
}
