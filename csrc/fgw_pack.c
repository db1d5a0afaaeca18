#include "fgw_pack.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "fgw_record.h"
#include "fgw_ring.h"
#include "fgw_unpack_1.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "low bytes stand first");

#define WORDS_MAX (FGW_RING_RECORD_MAX / 8)
#define GROUP 64 /* bytes: eight words, a byte of the bitmap */
#define SIZED 0x80u
#define HEAD_WORDS (sizeof(struct fgw_record) / 8)

enum { WORD_SIZE = 0, WORD_SEQUENCE = 1, WORD_WORKER = 2, WORD_REQUEST = 3, WORD_WALL = 4 };
_Static_assert(offsetof(struct fgw_record, sequence) == 8 * WORD_SEQUENCE &&
                   offsetof(struct fgw_record, id) == 8 * WORD_WORKER &&
                   offsetof(struct fgw_record, wall_ns) == 8 * WORD_WALL && HEAD_WORDS == 5,
               "the head by words");

static inline uint64_t word_at(const uint8_t *bytes, size_t index)
{
    uint64_t word;

    memcpy(&word, bytes + 8 * index, sizeof(word));
    return word;
}

/* Whether the record before is of the same attempt: what it says of request and time holds. */
static inline int follows(unsigned kind, const uint8_t *before)
{
    return kind == FGW_RECORD_OPEN ||
           (kind == FGW_RECORD_CLOSE && before[offsetof(struct fgw_record, kind)] ==
                                            FGW_RECORD_NAME && word_at(before, WORD_REQUEST));
}

/* The first eight words that are expected of a record of `words` words. */
static inline void expect(const struct fgw_packer *packer, unsigned kind, size_t words,
                          uint64_t expected[8])
{
    const uint8_t *before = packer->before;
    size_t known = packer->words[kind];

    if (known >= 8) {
        memcpy(expected, packer->record[kind], GROUP);
    } else {
        memset(expected, 0, GROUP);
        if (known)
            memcpy(expected, packer->record[kind], 8 * known);
    }
    if (known != words)
        expected[WORD_SIZE] = (expected[WORD_SIZE] & ~(uint64_t)0xffffffffff) |
                              (uint64_t)kind << 32 | 8 * words;
    if (before == NULL)
        return;
    expected[WORD_SEQUENCE] =
        word_at(before, WORD_SEQUENCE) + (uint32_t)word_at(before, WORD_SIZE);
    if (follows(kind, before)) {
        memcpy(expected + WORD_WORKER, before + 8 * WORD_WORKER, 8 * (HEAD_WORDS - WORD_WORKER));
    } else if (expected[WORD_REQUEST]) {
        expected[WORD_REQUEST]++;
    }
}

/* Which of eight words differ: a bit each. */
static inline unsigned changed(const uint8_t *words, const uint8_t *expected)
{
#ifdef __SSE2__
    __m128i same[4];

    for (unsigned i = 0; i < 4; i++)
        same[i] = _mm_cmpeq_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(words + 16 * i)),
            _mm_loadu_si128((const __m128i *)(const void *)(expected + 16 * i)));
    /* 16 halves of words to a byte each, then a word is the same where both are. */
    same[0] = _mm_packs_epi16(_mm_packs_epi32(same[0], same[1]),
                              _mm_packs_epi32(same[2], same[3]));
    same[0] = _mm_cmpeq_epi16(same[0], _mm_set1_epi16(-1));
    same[0] = _mm_packs_epi16(same[0], _mm_setzero_si128());
    return ~(unsigned)_mm_movemask_epi8(same[0]) & 0xff;
#else
    unsigned bits = 0;

    for (unsigned i = 0; i < 8; i++)
        bits |= (unsigned)(word_at(words, i) != word_at(expected, i)) << i;
    return bits;
#endif
}

/* Eight words from `index` on, of which `words` there are: where they stand, or, where they end
 * before that or reading so far were too far, a copy with zeros behind them. */
static inline const uint8_t *eight(const struct fgw_packer *packer, const uint8_t *record,
                                   size_t index, size_t words, int zeros, uint8_t copy[GROUP])
{
    size_t left = index < words ? words - index : 0;

    if (left >= 8 || (!zeros && packer->end - record >= (ptrdiff_t)(8 * index + GROUP)))
        return record + 8 * index;
    memset(copy, 0, GROUP);
    if (left)
        memcpy(copy, record + 8 * index, 8 * left);
    return copy;
}

/* Puts what differs of eight words, xored, to the front of `differing`. Returns how many. */
static inline size_t take(const uint8_t *new, const uint8_t *old, unsigned bits,
                          uint64_t *differing)
{
    size_t count = 0;

    for (; bits; bits &= bits - 1) {
        size_t at = (unsigned)__builtin_ctz(bits);
        differing[count++] = word_at(new, at) ^ word_at(old, at);
    }
    return count;
}

/* Groups and bitmap to `out`, and what differs to `differing`. Returns how many words. */
static size_t differences(const struct fgw_packer *packer, const uint8_t *record, unsigned kind,
                          size_t words, uint8_t **out, uint64_t *differing)
{
    uint64_t expected[8];
    uint8_t copies[2][GROUP];
    const uint8_t *old = (const uint8_t *)expected;
    uint8_t *groups = *out, *bitmap = groups + (words + 63) / 64;
    const int same_size = packer->words[kind] == words;
    size_t count = 0;

    expect(packer, kind, words, expected);
    memset(groups, 0, (words + 63) / 64);
    for (size_t index = 0; index < words; index += 8) {
        const uint8_t *new = eight(packer, record, index, words, 0, copies[0]);
        unsigned bits;

        if (index)
            old = eight(packer, packer->record[kind], index, packer->words[kind], !same_size,
                        copies[1]);
        bits = changed(new, old);
        if (words - index < 8)
            bits &= (1u << (words - index)) - 1;
        if (bits) {
            groups[index >> 6] |= (uint8_t)(1u << (index >> 3 & 7));
            *bitmap++ = (uint8_t)bits;
            count += take(new, old, bits, differing + count);
        }
    }
    *out = bitmap;
    return count;
}

/* The same, of a record of at most 64 words that is as long as the one of its kind before it, and
 * behind which so much may be read: all but a few. */
static inline size_t differences_alike(const struct fgw_packer *packer, const uint8_t *record,
                                       unsigned kind, size_t words, uint8_t **out,
                                       uint64_t *differing)
{
    uint64_t expected[8];
    const uint8_t *new = record, *old = (const uint8_t *)expected;
    const uint8_t *before = packer->record[kind];
    const size_t groups = (words + 7) / 8;
    uint8_t *bitmap = *out + 1;
    size_t count = 0;
    unsigned seen = 0;

    expect(packer, kind, words, expected);
    for (size_t group = 1;; group++) {
        unsigned bits = changed(new, old);

        if (group == groups)
            bits &= 0xffu >> (8 * groups - words);
        if (bits) {
            seen |= 1u << (group - 1);
            *bitmap++ = (uint8_t)bits;
            count += take(new, old, bits, differing + count);
        }
        if (group == groups)
            break;
        new += GROUP;
        old = before += GROUP;
    }
    **out = (uint8_t)seen;
    *out = bitmap;
    return count;
}

static inline unsigned last_byte(uint64_t word) /* that is not 0: there is one */
{
    return (63u ^ (unsigned)__builtin_clzll(word)) >> 3;
}

size_t fgw_pack_begin(struct fgw_packer *packer, const uint8_t *end, uint8_t *out)
{
    memset(packer, 0, sizeof(*packer));
    packer->end = end;
    out[0] = FGW_PACK_FORMAT;
    out[1] = 0;
    return 2;
}

size_t fgw_pack_one(struct fgw_packer *packer, const uint8_t *record, uint8_t *out)
{
    const struct fgw_record *head = (const void *)record;
    const unsigned kind = head->kind;
    const size_t words = head->size / 8;
    uint64_t differing[WORDS_MAX + 1];
    uint8_t *nibbles = out + 1, *bytes;
    size_t count;

    out[0] = (uint8_t)kind;
    if (words == packer->words[kind] && words <= 64 && packer->end - record >= 64 * 8) {
        count = differences_alike(packer, record, kind, words, &nibbles, differing);
    } else {
        if (words != packer->words[kind]) {
            out[0] |= SIZED;
            out[1] = (uint8_t)words;
            out[2] = (uint8_t)(words >> 8);
            nibbles += 2;
        }
        count = differences(packer, record, kind, words, &nibbles, differing);
    }
    differing[count] = 1; /* where the number is odd, the last nibble is its */
    bytes = nibbles + (count + 1) / 2;
    for (size_t index = 0; index < count; index += 2) {
        unsigned one = last_byte(differing[index]), other = last_byte(differing[index + 1]);

        *nibbles++ = (uint8_t)(one | other << 4);
        /* All eight, for a copy of known size is one store: what is too much is overwritten, or
         * lies in the room behind. */
        memcpy(bytes, &differing[index], 8);
        memcpy(bytes + one + 1, &differing[index + 1], 8);
        bytes += one + other + 2;
    }
    packer->before = packer->record[kind] = record;
    packer->words[kind] = words;
    return (size_t)(bytes - (count & 1) - out);
}

int64_t fgw_pack(const uint8_t *records, size_t length, uint8_t *out)
{
    struct fgw_packer packer;
    size_t written;

    if (length == 0)
        return 0;
    written = fgw_pack_begin(&packer, records + length, out);
    for (size_t at = 0; at < length;) {
        const struct fgw_record *record = (const void *)(records + at);

        if (length - at < sizeof(*record) || record->size < sizeof(*record) ||
            record->size > length - at || record->size > FGW_RING_RECORD_MAX ||
            (record->size & 7) != 0 || record->kind >= FGW_PACK_KINDS) {
            return -1;
        }
        written += fgw_pack_one(&packer, records + at, out + written);
        at += record->size;
    }
    return (int64_t)written;
}

/* One packed record, its parts within bounds. */
struct packed {
    unsigned kind;
    size_t words;
    const uint8_t *groups;
    const uint8_t *bitmap;
    const uint8_t *nibbles;
    const uint8_t *bytes;
    size_t differing;
    size_t size; /* of all of it */
};

static unsigned nibble(const struct packed *packed, size_t index)
{
    return ((unsigned)packed->nibbles[index >> 1] >> (4 * (index & 1))) & 15u;
}

/* Counts the words of which something is stored, and steps over the bitmap. -1: it is too long,
 * or says something of words that there are not. */
static int open_bitmap(const uint8_t *end, struct packed *packed)
{
    const uint8_t *at = packed->bitmap;

    packed->differing = 0;
    for (size_t index = 0; index < ((packed->words + 63) / 64) * 8; index++) {
        if (!(packed->groups[index >> 3] >> (index & 7) & 1))
            continue;
        if (8 * index >= packed->words || at == end ||
            (packed->words - 8 * index < 8 && *at >> (packed->words - 8 * index) != 0))
            return -1;
        packed->differing += (size_t)__builtin_popcount(*at++);
    }
    packed->nibbles = at;
    return 0;
}

/* `words`: of the last record of each kind; this one's is put there. */
static int open_packed(const uint8_t *bytes, size_t length, size_t words[FGW_PACK_KINDS],
                       struct packed *packed)
{
    const uint8_t *end = bytes + length, *at = bytes;

    if (length == 0 || (*at & ~SIZED) >= FGW_PACK_KINDS)
        return -1;
    packed->kind = *at & ~SIZED;
    if (*at++ & SIZED) {
        if (length < 3)
            return -1;
        words[packed->kind] = at[0] | (size_t)at[1] << 8;
        at += 2;
    }
    packed->words = words[packed->kind];
    if (packed->words < HEAD_WORDS || packed->words > WORDS_MAX ||
        (size_t)(end - at) < (packed->words + 63) / 64)
        return -1;
    packed->groups = at;
    packed->bitmap = at + (packed->words + 63) / 64;
    if (open_bitmap(end, packed) != 0 ||
        (size_t)(end - packed->nibbles) < (packed->differing + 1) / 2)
        return -1;
    packed->bytes = packed->nibbles + (packed->differing + 1) / 2;
    packed->size = (size_t)(packed->bytes - bytes);
    for (size_t index = 0; index < packed->differing; index++) {
        if (nibble(packed, index) > 7)
            return -1;
        packed->size += nibble(packed, index) + 1;
    }
    return length < packed->size ? -1 : 0;
}

/* Whether this build's format is there; an empty batch has none. */
static int is_ours(const uint8_t *packed, size_t length)
{
    return length >= 2 && packed[0] == FGW_PACK_FORMAT && packed[1] == 0;
}

int64_t fgw_unpacked_size(const uint8_t *packed, size_t length)
{
    size_t total = 0, words[FGW_PACK_KINDS] = {0};
    struct packed one;

    if (!is_ours(packed, length))
        return fgw_unpacked_size_1(packed, length);
    for (size_t at = 2; at < length; at += one.size) {
        if (open_packed(packed + at, length - at, words, &one) != 0)
            return -1;
        total += one.words * 8;
    }
    return (int64_t)total;
}

static void unpack_one(const struct packed *packed, const struct fgw_packer *packer, uint8_t *out)
{
    const uint8_t *bytes = packed->bytes, *bitmap = packed->bitmap;
    const uint8_t *last = packer->record[packed->kind];
    size_t known = packer->words[packed->kind], used = 0;
    uint64_t expected[8];
    unsigned bits = 0;

    expect(packer, packed->kind, packed->words, expected);
    for (size_t index = 0; index < packed->words; index++) {
        uint64_t word = index < 8 ? expected[index] : index < known ? word_at(last, index) : 0;

        if ((index & 7) == 0)
            bits = packed->groups[index >> 6] >> (index >> 3 & 7) & 1 ? *bitmap++ : 0;
        if (bits >> (index & 7) & 1) {
            uint64_t difference = 0;
            unsigned size = nibble(packed, used++) + 1;

            memcpy(&difference, bytes, size);
            bytes += size;
            word ^= difference;
        }
        memcpy(out + 8 * index, &word, sizeof(word));
    }
}

int64_t fgw_unpack(const uint8_t *packed, size_t length, uint8_t *out, size_t room)
{
    struct fgw_packer packer;
    size_t written = 0, words[FGW_PACK_KINDS] = {0};
    struct packed one;

    if (!is_ours(packed, length))
        return fgw_unpack_1(packed, length, out, room);
    memset(&packer, 0, sizeof(packer));
    for (size_t at = 2; at < length; at += one.size) {
        if (open_packed(packed + at, length - at, words, &one) != 0 ||
            one.words * 8 > room - written)
            return -1;
        unpack_one(&one, &packer, out + written);
        packer.before = packer.record[one.kind] = out + written;
        packer.words[one.kind] = one.words;
        written += one.words * 8;
    }
    return (int64_t)written;
}
