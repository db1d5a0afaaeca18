/* fgw_bpe_merge.c - a short piece merged as written, all merges of a rank at once. */
#include "fgw_bpe_merge.h"

#define NEVER INT32_MAX /* ranks are signed here, because that is what SSE2 compares */
#define STALE (-1)

static inline int32_t rank_of(const struct fgw_bpe_vocabulary *v, int32_t a, int32_t b)
{
    uint32_t rank = fgw_bpe_pair(v, (uint32_t)a, (uint32_t)b);
    return rank == FGW_BPE_NONE ? NEVER : (int32_t)rank;
}

/* The token of the character of 2 or 3 bytes at p, if it surely becomes one before anything else
 * happens to it; else FGW_BPE_NONE. `before` is the byte before it and `behind` the one behind,
 * or 0: no character that is not ASCII has it. */
static inline uint32_t calm_letter(const struct fgw_bpe_vocabulary *v, const uint8_t *p,
                                   size_t width, int first, int final)
{
    const uint32_t *letters = fgw_bpe_part(v, v->letters);
    uint32_t code = width == 2 ? (p[0] & 31u) << 6 | (p[1] & 63u)
                               : (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    uint32_t letter = letters[code], token = letter & FGW_BPE_LETTER_TOKEN;
    if (token == FGW_BPE_LETTER_TOKEN
        || (!first && !(letter & FGW_BPE_CALM_BEFORE) && fgw_bpe_straddles(v, p[-1], p[0]))
        || (!final && !(letter & FGW_BPE_CALM_BEHIND)
            && fgw_bpe_straddles(v, p[width - 1], p[width])))
        return FGW_BPE_NONE;
    return token;
}

/* The parts that merging begins with, bytes and characters that are calm, and the rank of each
 * with the next one. */
static size_t first_parts(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes, size_t length,
                          int32_t *parts, int32_t *ranks)
{
    const uint32_t *duets = fgw_bpe_part(v, v->duets);
    size_t n = 0, before = 0;
    for (size_t at = 0; at < length;) {
        size_t width = bytes[at] < 0xc2 || bytes[at] > 0xef ? 1 : bytes[at] < 0xe0 ? 2 : 3;
        uint32_t token = width == 1 || length - at < width
                             ? FGW_BPE_NONE
                             : calm_letter(v, bytes + at, width, at == 0, length - at == width);
        if (token == FGW_BPE_NONE) {
            token = v->byte_token[bytes[at]];
            width = 1;
        }
        if (n && width == 1 && before == 1) {
            uint32_t rank = duets[bytes[at - 1] << 8 | bytes[at]];
            ranks[n - 1] = rank == FGW_BPE_NONE ? NEVER : (int32_t)rank;
        } else if (n) {
            ranks[n - 1] = rank_of(v, parts[n - 1], (int32_t)token);
        }
        before = width;
        parts[n++] = (int32_t)token;
        at += width;
    }
    ranks[n - 1] = NEVER;
    return n;
}

/* Merges all neighbours of that rank, from the left, and takes out the gaps. What arises has
 * greater ranks, so the order of merges is as if they were found one by one. Returns the number of
 * parts that are left. */
static size_t merge_all(const struct fgw_bpe_vocabulary *v, int32_t *parts, int32_t *ranks,
                        size_t n, size_t from, int32_t rank)
{
    size_t out = from;
    for (size_t at = from; at < n; out++) {
        if (ranks[at] == rank) {
            parts[out] = rank;
            ranks[out] = STALE;
            if (out)
                ranks[out - 1] = rank_of(v, parts[out - 1], rank);
            at += 2;
        } else {
            parts[out] = parts[at];
            ranks[out] = ranks[at];
            if (out && ranks[out - 1] == STALE)
                ranks[out - 1] = rank_of(v, parts[out - 1], parts[out]);
            at++;
        }
    }
    if (ranks[out - 1] == STALE)
        ranks[out - 1] = NEVER;
    return out;
}

size_t fgw_bpe_merge(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes, size_t length,
                     uint32_t *tokens)
{
    int32_t parts[FGW_BPE_SHORT], ranks[FGW_BPE_SHORT];
    size_t n = first_parts(v, bytes, length, parts, ranks);
    for (;;) {
        int32_t least = NEVER;
        size_t from = 0;
        for (size_t i = 0; i < n; i++)
            least = ranks[i] < least ? ranks[i] : least;
        if (least == NEVER)
            break;
        while (ranks[from] != least)
            from++;
        n = merge_all(v, parts, ranks, n, from, least);
    }
    for (size_t i = 0; i < n; i++)
        tokens[i] = (uint32_t)parts[i];
    return n;
}

/* Their merges are undone from the greatest rank to the least, on whichever side it is. `limit`
 * is the merge that took the neighbour at the border away: a pair across the border that comes
 * before it would have been merged first. Of equal ranks the left one comes first. */
int fgw_bpe_neighbours(const struct fgw_bpe_vocabulary *v, uint32_t left, uint32_t right)
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
