/* fgw_bpe_merge.c - a short piece merged as written, the least rank first. */
#include "fgw_bpe_merge.h"

#define LANES 8u /* keys that are compared at once */
#define PLACE 9  /* bits */
#define APART ((int32_t)(FGW_BPE_APART << PLACE))

/* A piece while it is merged: a list of parts, each at the place of its first unit, from 1 on; on
 * either side is one that merges with nothing. A key is the rank of a part with the next one, and
 * behind it the place: the least of all is the leftmost pair of the least rank. */
struct row {
    int32_t keys[FGW_BPE_SHORT + 2 + LANES]; /* signed, because that is what SSE2 compares */
    uint32_t parts[FGW_BPE_SHORT + 2];
    uint16_t next[FGW_BPE_SHORT + 2];
    uint16_t before[FGW_BPE_SHORT + 2];
};

static inline int32_t key_of(uint32_t rank, size_t place)
{
    return (int32_t)(rank << PLACE | (uint32_t)place);
}

/* The grain that the character of `width` bytes at p begins with, if it surely becomes that before
 * anything else happens to it; else FGW_BPE_NONE. */
static inline uint32_t calm_letter(const struct fgw_bpe_vocabulary *v, const uint8_t *p,
                                   size_t width, int first, int final)
{
    const uint32_t *letters = fgw_bpe_part(v, v->letters);
    const uint32_t letter = letters[fgw_bpe_letter(p, width)];
    /* Without branches, which nobody could foretell; a border has no neighbour to look at. */
    const uint8_t before = p[first ? 0 : -1], behind = p[final ? 0 : width];
    const uint32_t uneasy_before = (uint32_t)fgw_bpe_straddles(v, before, p[0])
                                   & (letter >> 30 ^ 1) & (uint32_t)!first;
    const uint32_t uneasy_behind = (uint32_t)fgw_bpe_straddles(v, p[width - 1], behind)
                                   & (letter >> 31 ^ 1) & (uint32_t)!final;
    const uint32_t grain = letter & FGW_BPE_LETTER_GRAIN;
    return (grain == FGW_BPE_LETTER_GRAIN) | uneasy_before | uneasy_behind ? FGW_BPE_NONE : grain;
}

/* The units that merging begins with, bytes and characters that are calm. Returns how many. */
static inline size_t first_units(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                                 size_t length, struct row *row)
{
    const uint32_t *duets = fgw_bpe_part(v, v->duets);
    size_t n = 0, before = 0;
    for (size_t at = 0; at < length;) {
        const uint8_t lead = bytes[at];
        uint32_t grain = FGW_BPE_NONE;
        size_t width = 1;
        if (lead >= 0xc2) {
            width = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
            if (length - at >= width)
                grain = calm_letter(v, bytes + at, width, at == 0, length - at == width);
            width = fgw_bpe_grain_length(grain);
        }
        if (grain == FGW_BPE_NONE) {
            grain = v->byte_grain[lead];
            width = 1;
        }
        row->keys[n] = key_of(width == 1 && before == 1 ? duets[bytes[at - 1] << 8 | lead]
                              : n ? fgw_bpe_pair_plain(v, row->parts[n], grain)
                                  : FGW_BPE_APART, n);
        before = width;
        row->parts[++n] = grain;
        at += width;
    }
    return n;
}

static inline int32_t least_key(const int32_t *keys, size_t n)
{
    int32_t least[LANES];
    for (unsigned lane = 0; lane < LANES; lane++)
        least[lane] = keys[lane];
    for (size_t i = LANES; i < n; i += LANES)
        for (unsigned lane = 0; lane < LANES; lane++)
            least[lane] = keys[i + lane] < least[lane] ? keys[i + lane] : least[lane];
    for (unsigned half = LANES / 2; half; half /= 2)
        for (unsigned lane = 0; lane < half; lane++)
            least[lane] = least[lane + half] < least[lane] ? least[lane + half] : least[lane];
    return least[0];
}

/* Merges the pair at `at`, and those of the same rank that follow it at once. What arises has
 * greater ranks, so the order of merges is as if they were found one by one. Returns how many. */
static inline size_t merge_at(const struct fgw_bpe_vocabulary *v, struct row *row, size_t at,
                              uint32_t rank)
{
    const size_t left = row->before[at];
    const uint32_t grain = fgw_bpe_joined(rank, row->parts[at], row->parts[row->next[at]]);
    uint32_t twice = 0; /* the rank of two of these */
    size_t merges = 1;
    row->keys[left] = key_of(fgw_bpe_pair(v, row->parts[left], grain), left);
    for (;; merges++) {
        const size_t gone = row->next[at], behind = row->next[gone];
        row->parts[at] = grain;
        row->keys[gone] = APART;
        row->next[at] = (uint16_t)behind;
        row->before[behind] = (uint16_t)at;
        if ((uint32_t)row->keys[behind] >> PLACE != rank) {
            row->keys[at] = key_of(fgw_bpe_pair(v, grain, row->parts[behind]), at);
            return merges;
        }
        if (twice == 0)
            twice = fgw_bpe_pair(v, grain, grain);
        row->keys[at] = key_of(twice, at);
        at = behind;
    }
}

/* Returns the number of parts that are left. */
static inline size_t merge(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes, size_t length,
                           struct row *row)
{
    const size_t n = first_units(v, bytes, length, row);
    size_t left = n;
    row->parts[0] = row->parts[n + 1] = FGW_BPE_TOKEN;
    for (unsigned lane = 0; lane <= LANES; lane++)
        row->keys[n + lane] = APART;
    for (size_t i = 0; i <= n; i++) {
        row->next[i] = (uint16_t)(i + 1);
        row->before[i + 1] = (uint16_t)i;
    }
    for (int32_t least; (least = least_key(row->keys, n)) < APART;)
        left -= merge_at(v, row, (size_t)least & ((1u << PLACE) - 1), (uint32_t)least >> PLACE);
    return left;
}

size_t fgw_bpe_merge(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes, size_t length,
                     uint32_t *tokens)
{
    struct row row;
    size_t n = merge(v, bytes, length, &row), at = 0;
    for (size_t i = 0; i < n; i++) {
        at = row.next[at];
        tokens[i] = row.parts[at];
    }
    return n;
}

size_t fgw_bpe_merge_count(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                           size_t length)
{
    struct row row;
    return merge(v, bytes, length, &row);
}

/* Their merges are undone from the greatest rank to the least, on whichever side it is. `limit`
 * is the merge that took the neighbour at the border away: a pair across the border that comes
 * before it would have been merged first. Of equal ranks the left one comes first. */
int fgw_bpe_neighbours(const struct fgw_bpe_vocabulary *v, uint32_t left, uint32_t right)
{
    const uint32_t *splits = fgw_bpe_part(v, v->splits);
    uint32_t limit = FGW_BPE_APART;
    for (;;) {
        const uint32_t a = left & FGW_BPE_TOKEN, b = right & FGW_BPE_TOKEN;
        if (fgw_bpe_pair(v, left, right) < limit)
            return 0;
        if (a > b) {
            if (a < 256)
                return 1; /* bytes both */
            limit = a;
            left = splits[2 * a + 1];
        } else {
            if (b < 256)
                return 1;
            limit = b + 1;
            right = splits[2 * b];
        }
    }
}
