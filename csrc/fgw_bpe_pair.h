/* fgw_bpe_pair.h - which two neighbours merge, and to what; not for callers.
 *
 * Merging looks up pairs that are mostly none, two for each merge, and waits for memory most of
 * the time. So they lie in groups, such that a text of one writing needs few that are near to each
 * other: by the script of the second of the two and by the length of both together. A token is
 * handed about as a *grain*, which knows what that needs:
 *
 *     | script of its first byte 3 | bytes 8 | token 18 |
 *
 * Each group is a perfect hash with a filter before it: every pair has a place that no other has,
 * so that nothing is searched for. A bucket's pairs were moved on together, by as many steps as
 * let them all fall on free places:
 *
 *     known, bit           that there may be such a pair; else it is none, as at the place 0
 *     moves[bucket]        how many steps: a byte
 *     pairs[place + moves[bucket] * step]      | a 18 | b 18 | token 18 |
 */
#ifndef FGW_BPE_PAIR_H
#define FGW_BPE_PAIR_H

#include "fgw_bpe_vocabulary.h"

#define FGW_BPE_TOKEN ((1u << 18) - 1)
#define FGW_BPE_KNOWN 8u /* bits of a place */

/* By the first byte: blanks, `a` to `z`, the rest of ASCII; Cyrillic, others of two bytes; Chinese
 * and Japanese, others of three; of four, and what begins no character. */
static inline uint32_t fgw_bpe_script(uint8_t first)
{
    if (first < 0x80)
        return first <= ' ' ? 0 : first - (unsigned)'a' < 26u ? 1 : 2;
    if (first < 0xc2 || first > 0xef)
        return 7;
    if (first < 0xe0)
        return first >= 0xd0 && first <= 0xd3 ? 3 : 4;
    return first >= 0xe3 && first <= 0xe9 ? 5 : 6;
}

/* The token of so many bytes, of which the first is that. */
static inline uint32_t fgw_bpe_grain(uint32_t token, size_t length, uint8_t first)
{
    return fgw_bpe_script(first) << 26 | (uint32_t)length << 18 | token;
}

/* Those of both together. */
static inline uint32_t fgw_bpe_joined(uint32_t token, uint32_t a, uint32_t b)
{
    return (a & ~FGW_BPE_TOKEN) + (b & 0xffu << 18) + token;
}

static inline size_t fgw_bpe_grain_length(uint32_t grain)
{
    return grain >> 18 & 0xff;
}

/* Two bits a length: up to 4 bytes, 6, 9, more. */
#define FGW_BPE_SIZES 0xfffa9400u

static inline const struct fgw_bpe_group *fgw_bpe_group(const struct fgw_bpe_vocabulary *v,
                                                        uint32_t a, uint32_t b)
{
    const uint32_t length = (a >> 18 & 0xff) + (b >> 18 & 0xff), most = length < 15 ? length : 15;
    return v->groups + 4 * (b >> 26) + (FGW_BPE_SIZES >> 2 * most & 3);
}

static inline uint64_t fgw_bpe_pair_key(uint32_t a, uint32_t b)
{
    return (uint64_t)(a & FGW_BPE_TOKEN) << 18 | (b & FGW_BPE_TOKEN);
}

static inline uint64_t fgw_bpe_pair_hash(const struct fgw_bpe_vocabulary *v, uint64_t key)
{
    return fgw_bpe_mix(key ^ v->seed, 0x9e3779b97f4a7c15u);
}

static inline uint64_t fgw_bpe_pair_bit(const struct fgw_bpe_group *group, uint64_t hash)
{
    return group->pairs * UINT64_C(8) + (hash >> 20 & (8 * (uint64_t)group->mask + 7));
}

static inline uint64_t fgw_bpe_pair_bucket(const struct fgw_bpe_group *group, uint64_t hash)
{
    return group->moves + (hash >> 44 & group->mask >> 2);
}

static inline uint64_t fgw_bpe_pair_place(const struct fgw_bpe_group *group, uint64_t hash,
                                          unsigned moves)
{
    return group->pairs + ((hash + moves * (hash >> 32 | 1)) & group->mask);
}

static inline uint32_t fgw_bpe_pair_with(const struct fgw_bpe_vocabulary *v, uint32_t a,
                                         uint32_t b, int waits)
{
    const uint64_t *pairs = fgw_bpe_part(v, v->pairs), *known = fgw_bpe_part(v, v->known);
    const uint8_t *moves = fgw_bpe_part(v, v->moves);
    const struct fgw_bpe_group *group = fgw_bpe_group(v, a, b);
    const uint64_t key = fgw_bpe_pair_key(a, b), hash = fgw_bpe_pair_hash(v, key);
    const uint64_t bit = fgw_bpe_pair_bit(group, hash);
    const uint64_t there = known[bit >> 6] >> (bit & 63) & 1;
    if (!waits && !there)
        return FGW_BPE_APART;
    uint64_t place = fgw_bpe_pair_place(group, hash, moves[fgw_bpe_pair_bucket(group, hash)]);
    const uint64_t pair = pairs[waits ? place & -there : place];
    return ((uint32_t)pair & FGW_BPE_TOKEN) | (-(uint32_t)(pair >> 18 != key) & FGW_BPE_APART);
}

/* The token that two neighbours merge to, which is its rank too, or FGW_BPE_APART. Foretells that
 * they are apart, so that what follows need not wait. */
static inline uint32_t fgw_bpe_pair(const struct fgw_bpe_vocabulary *v, uint32_t a, uint32_t b)
{
    return fgw_bpe_pair_with(v, a, b, 0);
}

/* The same without a branch: for many at once. */
static inline uint32_t fgw_bpe_pair_plain(const struct fgw_bpe_vocabulary *v, uint32_t a,
                                          uint32_t b)
{
    return fgw_bpe_pair_with(v, a, b, 1);
}

/* Finds the last merge that makes a token of its bytes, by the merges of lower rank, and notes it
 * in `splits`, as grains; all lower ones have theirs. -1: there is none. */
int fgw_bpe_pair_split(struct fgw_bpe_vocabulary *v, uint32_t token, const uint8_t *bytes,
                       size_t length);

/* How many places, buckets, and bytes of scratch so many tokens need at most. */
uint64_t fgw_bpe_pair_places(uint64_t tokens);
uint64_t fgw_bpe_pair_buckets(uint64_t tokens);
uint64_t fgw_bpe_pair_scratch(uint64_t tokens);

/* Fills `groups`, `pairs`, `known` and `moves`, and says `size`, when all tokens have splits. -1
 * where no seed has moves for all, which chance will not bring about. */
int fgw_bpe_pair_settle(struct fgw_bpe_vocabulary *v, uint32_t *scratch);

#endif
