/* fgw_bpe_word.h - the commonest pieces, eight bytes at a time; not for callers.
 *
 * Most of what people write is words of lower letters of ASCII, mostly behind a space or another
 * sign. Where such a word begins and ends is seen in one number of eight bytes, and the very same
 * number, cut off behind the word, is what a vocabulary looks it up by (fgw_bpe_brief).
 *
 *     " the quic"     20 74 68 65 20 71 75 69
 *       lower letters  0  1  1  1  0  1  1  1     from the second on: three
 *       the word      20 74 68 65 00 00 00 fc     marked with its length
 *
 * What such a look cannot decide, fgw_bpe_piece does.
 */
#ifndef FGW_BPE_WORD_H
#define FGW_BPE_WORD_H

#include "fgw_bpe_vocabulary.h"

#define FGW_BPE_WORD_ROOM 16 /* bytes that must be there */

/* The high bit of each byte that is `a` to `z`. */
static inline uint64_t fgw_bpe_lowers(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
    uint64_t low = bytes & ~high;
    return (low + (0x80 - 'a') * ones) & ~(low + (0x7f - 'z') * ones) & ~bytes & high;
}

/* The length of the piece at p[0, n), n >= FGW_BPE_WORD_ROOM, if it is such a word and ends before
 * p + n, else 0. `brief`, where it is of at most FGW_BPE_BRIEF_MAX bytes: these. */
static inline size_t fgw_bpe_word(unsigned kind, const uint8_t *p, size_t n, uint64_t *brief)
{
    const uint64_t eight = fgw_bpe_word64(p);
    const unsigned first = p[0], fold = first | 0x20u;
    const int o200k = kind == FGW_BPE_O200K, letter = fold - 'a' < 26u;
    size_t lead;
    if (letter)
        lead = o200k && first < 'a' ? 1 : 0;
    else if (first >= 0x80 || first - '0' < 10u || first == '\n' || first == '\r'
             || (first == '\'' && !o200k))
        return 0;
    else
        lead = o200k && p[1] - (unsigned)'A' < 26u ? 2 : 1;
    uint64_t rest = eight >> 8 * lead;
    if (!o200k)
        rest |= 0x2020202020202020u >> 8 * lead;
    uint64_t others = ~fgw_bpe_lowers(rest) & 0x8080808080808080u;
    size_t end = 8;
    if (others) {
        end = lead + ((size_t)__builtin_ctzll(others) >> 3);
        if (end == lead)
            return 0;
    }
    if (end >= 8) {
        end = 8;
        while (end < n && (o200k ? p[end] : p[end] | 0x20u) - (unsigned)'a' < 26u)
            end++;
        if (end == n)
            return 0;
    }
    if (p[end] >= 0x80 || (o200k && p[end] == '\''))
        return 0;
    *brief = end < 8 ? fgw_bpe_marked(eight & ((UINT64_C(1) << 8 * end) - 1), end) : eight;
    return end;
}

#endif
