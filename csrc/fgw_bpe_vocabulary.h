/* fgw_bpe_vocabulary.h - a byte-pair vocabulary as one relocatable piece of memory.
 *
 * Built once from the file that tiktoken publishes (a line a token: base64 of its bytes, a space,
 * its rank), read by all: it holds offsets, no pointers, so it may be mapped anywhere, and a
 * fork shares it. o200k_base takes 11.8 MB, cl100k_base 6.1 MB.
 *
 *     | header | briefs | ids | slots | splits | starts | endings | duets | letters | straddles
 *     | bytes of all tokens | known | moves | pairs |
 *
 * briefs   tokens of 1 to 8 bytes: the bytes themselves (fgw_bpe_brief), so that whether a word is
 *          a token is one look at one cache line.
 * ids      the token of each of them, place for place.
 * slots    longer ones -> token. One word: token 18, length 8, start 22, fingerprint 16 bits.
 * pairs    a, b  -> token (fgw_bpe_pair.h). Only the pair of the last merge that makes the token:
 *          whoever merges in order of rank can never have two neighbours that make a token in
 *          another way.
 * known    a bit a pair, FGW_BPE_KNOWN a place: whether there may be one.
 * moves    what makes the hash of the pairs a perfect one.
 * splits   token -> a, b, as grains (fgw_bpe_pair.h). A byte is its own a and b.
 * starts   token -> where its bytes begin.
 * endings  last three bytes -> the lengths that a token ending so can have (bit 63: 63 and more).
 *          Different endings may share a word; so it can only say too much.
 * duets    two bytes -> token or FGW_BPE_APART.
 * letters  characters of 2 to 4 bytes, those of 4 from U+1F000 to U+1FFFF only (fgw_bpe_letter) ->
 *          the grain of all or the first of its bytes, if that is a token and the others are to be
 *          taken one by one, and two bits: that nothing before it (FGW_BPE_CALM_BEFORE), or behind
 *          it, merges with a part of it before it is whole. So what is calm on both sides may be
 *          taken whole before all else.
 * straddles a bit for each two bytes: that there is a merge at all of what ends with the one and
 *          what begins with the other, where a character ends between them and one of the two
 *          halves is less than a character. Both vocabularies have about a hundred such merges.
 *
 * Briefs and slots are open-addressed, at most four fifths full. The token that is its
 * bytes' encoding is itself for every token of both vocabularies; building fails where it is not.
 */
#ifndef FGW_BPE_VOCABULARY_H
#define FGW_BPE_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FGW_BPE_NONE UINT32_MAX
#define FGW_BPE_APART ((1u << 22) - 1) /* the rank of what does not merge: greater than all */
#define FGW_BPE_TOKEN_MAX 128       /* bytes of the longest token: of both, 128 spaces */
#define FGW_BPE_TOKENS_MAX (1u << 18)

enum fgw_bpe_kind { /* how text is cut into pieces, each encoded by itself */
    FGW_BPE_CL100K = 1,
    FGW_BPE_O200K = 2,
};

#define FGW_BPE_GROUPS 32u

struct fgw_bpe_group { /* of pairs: fgw_bpe_pair.h */
    uint32_t pairs, mask; /* the first of its places, and how many less 1 */
    uint32_t moves;       /* of its buckets, of which there are a quarter as many */
};

struct fgw_bpe_vocabulary {
    uint64_t size;            /* of all of it, in bytes */
    uint32_t kind;
    uint32_t tokens;
    uint32_t briefs_shift;    /* 64 - log2 of the number of briefs, */
    uint32_t slots_shift;     /* of slots */
    /* Offsets from here: */
    uint64_t briefs, ids, slots, pairs, known, moves, splits, starts, endings, duets, letters;
    uint64_t straddles, bytes;
    uint64_t seed; /* of the hash of pairs */
    struct fgw_bpe_group groups[FGW_BPE_GROUPS];
    uint32_t byte_grain[256];
};

/* Bytes that building will need, or -1 where `text` is no such file. Those behind `size` are free
 * again when it is built. */
int64_t fgw_bpe_vocabulary_measure(const char *text, size_t length);

/* Builds into `room` bytes at `vocabulary`, zeroed and aligned to 8. 0, or -1 where `text` is no
 * vocabulary of this form or the room is too small. */
int fgw_bpe_vocabulary_build(struct fgw_bpe_vocabulary *vocabulary, size_t room, unsigned kind,
                             const char *text, size_t length);

static inline const void *fgw_bpe_part(const struct fgw_bpe_vocabulary *v, uint64_t offset)
{
    return (const char *)v + offset;
}

static inline uint64_t fgw_bpe_word64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

static inline uint32_t fgw_bpe_word32(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, 4);
    return word;
}

static inline uint64_t fgw_bpe_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of `length` >= 1 bytes, reading nothing beyond them. */
static inline uint64_t fgw_bpe_hash(const uint8_t *bytes, size_t length)
{
    const uint64_t k0 = 0x9e3779b97f4a7c15u, k1 = 0xd6e8feb86659fd93u;
    uint64_t a, b = length;
    if (length >= 8) {
        uint64_t seed = k1;
        size_t at = 0;
        for (; length - at > 16; at += 16)
            seed = fgw_bpe_mix(fgw_bpe_word64(bytes + at) ^ k0,
                               fgw_bpe_word64(bytes + at + 8) ^ seed);
        a = fgw_bpe_word64(length >= 16 ? bytes + length - 16 : bytes) ^ seed;
        b ^= fgw_bpe_word64(bytes + length - 8);
    } else if (length >= 4) {
        a = (uint64_t)fgw_bpe_word32(bytes) << 32 | fgw_bpe_word32(bytes + length - 4);
        a ^= k1;
    } else {
        a = (uint64_t)bytes[0] << 16 | (uint64_t)bytes[length >> 1] << 8 | bytes[length - 1];
        a ^= k1;
    }
    return fgw_bpe_mix(a, b * k0 ^ k0);
}

static inline int fgw_bpe_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
    if (length >= 8) {
        for (size_t at = 0; at + 8 < length; at += 8)
            if (fgw_bpe_word64(a + at) != fgw_bpe_word64(b + at))
                return 0;
        return fgw_bpe_word64(a + length - 8) == fgw_bpe_word64(b + length - 8);
    }
    if (length >= 4)
        return fgw_bpe_word32(a) == fgw_bpe_word32(b)
               && fgw_bpe_word32(a + length - 4) == fgw_bpe_word32(b + length - 4);
    return a[0] == b[0] && a[length - 1] == b[length - 1] && a[length >> 1] == b[length >> 1];
}

/* 1 to 8 bytes of text as one number: the bytes, and in the last place how many, where it is free.
 * Those values no byte of UTF-8 has. 0 is no brief. */
#define FGW_BPE_BRIEF_MAX 8
#define FGW_BPE_BRIEF_MARK 0xf8u

static inline uint64_t fgw_bpe_marked(uint64_t bytes, size_t length)
{
    return bytes | (uint64_t)(FGW_BPE_BRIEF_MARK + length) << 56;
}

static inline uint64_t fgw_bpe_brief(const uint8_t *bytes, size_t length)
{
    if (length == 8)
        return fgw_bpe_word64(bytes);
    if (length >= 4)
        return fgw_bpe_marked(fgw_bpe_word32(bytes)
                                  | (uint64_t)fgw_bpe_word32(bytes + length - 4)
                                        << 8 * (length - 4),
                              length);
    return fgw_bpe_marked(bytes[0] | (uint64_t)bytes[length >> 1] << 8 * (length >> 1)
                              | (uint64_t)bytes[length - 1] << 8 * (length - 1),
                          length);
}

static inline uint64_t fgw_bpe_brief_at(const struct fgw_bpe_vocabulary *v, uint64_t brief)
{
    return fgw_bpe_mix(brief ^ 0xd6e8feb86659fd93u, 0x9e3779b97f4a7c15u) >> v->briefs_shift;
}

/* The place of a brief, or of the gap where it would stand. */
static inline uint64_t fgw_bpe_brief_place(const struct fgw_bpe_vocabulary *v, uint64_t brief)
{
    const uint64_t *briefs = fgw_bpe_part(v, v->briefs);
    uint64_t mask = (UINT64_C(1) << (64 - v->briefs_shift)) - 1, at = fgw_bpe_brief_at(v, brief);
    while (briefs[at] != brief && briefs[at])
        at = (at + 1) & mask;
    return at;
}

/* Whether these are a token. */
static inline int fgw_bpe_is_brief(const struct fgw_bpe_vocabulary *v, uint64_t brief)
{
    const uint64_t *briefs = fgw_bpe_part(v, v->briefs);
    return briefs[fgw_bpe_brief_place(v, brief)] != 0;
}

static inline uint32_t fgw_bpe_find_brief(const struct fgw_bpe_vocabulary *v, uint64_t brief)
{
    const uint64_t *briefs = fgw_bpe_part(v, v->briefs);
    const uint32_t *ids = fgw_bpe_part(v, v->ids);
    uint64_t at = fgw_bpe_brief_place(v, brief);
    return briefs[at] ? ids[at] : FGW_BPE_NONE;
}

/* The token that more than FGW_BPE_BRIEF_MAX bytes are, or FGW_BPE_NONE. */
static inline uint32_t fgw_bpe_find_long(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                                         size_t length)
{
    const uint64_t *slots = fgw_bpe_part(v, v->slots);
    const uint8_t *texts = fgw_bpe_part(v, v->bytes);
    if (length > FGW_BPE_TOKEN_MAX)
        return FGW_BPE_NONE;
    uint64_t hash = fgw_bpe_hash(bytes, length);
    uint64_t mask = (UINT64_C(1) << (64 - v->slots_shift)) - 1, at = hash >> v->slots_shift;
    uint64_t wanted = (hash & 0xffff) << 8 | length;
    for (uint64_t slot; (slot = slots[at]) != 0; at = (at + 1) & mask)
        if ((slot & 0xffffff) == wanted && fgw_bpe_equal(texts + (slot >> 24 & 0x3fffff), bytes,
                                                         length))
            return (uint32_t)(slot >> 46);
    return FGW_BPE_NONE;
}

/* The token that `length` >= 1 bytes are, or FGW_BPE_NONE. */
static inline uint32_t fgw_bpe_find(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                                    size_t length)
{
    return length <= FGW_BPE_BRIEF_MAX ? fgw_bpe_find_brief(v, fgw_bpe_brief(bytes, length))
                                       : fgw_bpe_find_long(v, bytes, length);
}

static inline size_t fgw_bpe_ending(const uint8_t *last_three)
{
    uint32_t three = (uint32_t)last_three[0] << 16 | (uint32_t)last_three[1] << 8 | last_three[2];
    return (three * 0x9e3779b1u) >> 17;
}
#define FGW_BPE_ENDINGS (1u << 15)

#define FGW_BPE_LETTERS_END 0x11000u
#define FGW_BPE_CALM_BEFORE (1u << 30)
#define FGW_BPE_CALM_BEHIND (1u << 31)
#define FGW_BPE_LETTER_GRAIN (FGW_BPE_CALM_BEFORE - 1) /* all bits set: it is none */

/* The place of a character of 2 to 4 bytes among the letters. */
static inline uint32_t fgw_bpe_letter(const uint8_t *p, size_t width)
{
    if (width == 3)
        return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    if (width == 2)
        return (p[0] & 31u) << 6 | (p[1] & 63u);
    /* The surrogates' places are nobody's, as is what they hold. */
    return p[0] == 0xf0 && p[1] == 0x9f ? 0x10000u | (p[2] & 63u) << 6 | (p[3] & 63u) : 0xd800u;
}

/* Whether anything of less than a character merges across these two, `b` beginning one. */
static inline int fgw_bpe_straddles(const struct fgw_bpe_vocabulary *v, uint8_t a, uint8_t b)
{
    const uint64_t *straddles = fgw_bpe_part(v, v->straddles);
    return (int)(straddles[a << 2 | b >> 6] >> (b & 63) & 1);
}

#endif
