/* fgw_bpe_vocabulary.h - a byte-pair vocabulary as one relocatable piece of memory.
 *
 * Built once from the file that tiktoken publishes (a line a token: base64 of its bytes, a space,
 * its rank), read by all: it holds offsets, no pointers, so it may be mapped anywhere, and a
 * fork shares it. o200k_base takes 13.0 MB, cl100k_base 6.7 MB.
 *
 *     | header | slots | pairs | known | splits | starts | endings | duets | bytes of all tokens |
 *
 * slots    bytes -> token.    One word: token 18, length 8, start 22, fingerprint 16 bits.
 * pairs    a, b  -> token.    One word: a 18, b 18, token 28 bits. Only the pair of the last merge
 *                             that makes the token: whoever merges in order of rank can never
 *                             have two neighbours that make a token in another way.
 * known    a bit a pair, 4 a slot: most neighbours merge to nothing, and this, a sixteenth of the
 *          pairs, stays in the cache that is near.
 * splits   token -> a, b.     A byte is its own a and b.
 * starts   token -> where its bytes begin.
 * endings  last three bytes -> the lengths that a token ending so can have (bit 63: 63 and more).
 *          Different endings may share a word; so it can only say too much.
 * duets    two bytes -> token or FGW_BPE_NONE.
 *
 * Slots and pairs are open-addressed, at most half full. The token that is its bytes' encoding is
 * itself for every token of both vocabularies; building fails where it is not.
 */
#ifndef FGW_BPE_VOCABULARY_H
#define FGW_BPE_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FGW_BPE_NONE UINT32_MAX
#define FGW_BPE_TOKEN_MAX 128       /* bytes of the longest token: of both, 128 spaces */
#define FGW_BPE_TOKENS_MAX (1u << 18)

enum fgw_bpe_kind { /* how text is cut into pieces, each encoded by itself */
    FGW_BPE_CL100K = 1,
    FGW_BPE_O200K = 2,
};

struct fgw_bpe_vocabulary {
    uint64_t size;            /* of all of it, in bytes */
    uint32_t kind;
    uint32_t tokens;
    uint32_t slots_shift;     /* 64 - log2 of the number of slots, and of pairs */
    uint32_t reserved;
    uint64_t slots, pairs, known, splits, starts, endings, duets, bytes; /* offsets from here */
    uint32_t byte_token[256];
};

/* Bytes that building will need, or -1 where `text` is no such file. */
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

/* The token that `length` >= 1 bytes are, or FGW_BPE_NONE. */
static inline uint32_t fgw_bpe_find(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
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

static inline uint64_t fgw_bpe_pair_at(const struct fgw_bpe_vocabulary *v, uint64_t key)
{
    return (key * 0x9e3779b97f4a7c15u) >> v->slots_shift;
}

static inline uint64_t fgw_bpe_known_bit(const struct fgw_bpe_vocabulary *v, uint64_t key)
{
    return (key * 0xd6e8feb86659fd93u) >> (v->slots_shift - 2);
}

/* The token that two neighbours merge to, which is its rank too, or FGW_BPE_NONE. */
static inline uint32_t fgw_bpe_pair(const struct fgw_bpe_vocabulary *v, uint32_t a, uint32_t b)
{
    const uint64_t *pairs = fgw_bpe_part(v, v->pairs);
    const uint64_t *known = fgw_bpe_part(v, v->known);
    uint64_t mask = (UINT64_C(1) << (64 - v->slots_shift)) - 1, key = (uint64_t)a << 18 | b;
    uint64_t at = fgw_bpe_pair_at(v, key), bit = fgw_bpe_known_bit(v, key);
    if (!(known[bit >> 6] >> (bit & 63) & 1))
        return FGW_BPE_NONE;
    for (uint64_t pair; (pair = pairs[at]) != 0; at = (at + 1) & mask)
        if (pair >> 28 == key)
            return (uint32_t)(pair & 0xfffffff);
    return FGW_BPE_NONE;
}

static inline size_t fgw_bpe_ending(const uint8_t *last_three)
{
    uint32_t three = (uint32_t)last_three[0] << 16 | (uint32_t)last_three[1] << 8 | last_three[2];
    return (three * 0x9e3779b1u) >> 17;
}
#define FGW_BPE_ENDINGS (1u << 15)

#endif
