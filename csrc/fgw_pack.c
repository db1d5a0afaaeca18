#include "fgw_pack.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "fgw_record.h"
#include "fgw_ring.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "low bytes stand first");

#define KINDS 8
#define WORDS_MAX (FGW_RING_RECORD_MAX / 8)
#define HEAD 4

/* The last record of each kind, zero beyond its end. */
struct memory {
    const uint8_t *record[KINDS];
    size_t words[KINDS];
};

static uint64_t word_at(const uint8_t *bytes, size_t index)
{
    uint64_t word;

    memcpy(&word, bytes + 8 * index, sizeof(word));
    return word;
}

static uint64_t earlier(const struct memory *memory, unsigned kind, size_t index)
{
    return index < memory->words[kind] ? word_at(memory->record[kind], index) : 0;
}

/* Which of eight words differ: a bit each. */
static inline unsigned changed(const uint8_t *words, const uint8_t *before)
{
    unsigned bits = 0;
#ifdef __SSE2__
    for (unsigned i = 0; i < 4; i++) {
        __m128i pair = _mm_loadu_si128((const __m128i *)(const void *)(words + 16 * i));
        __m128i other = _mm_loadu_si128((const __m128i *)(const void *)(before + 16 * i));
        __m128i same = _mm_cmpeq_epi32(pair, other); /* SSE2 has no comparison of 64 bits: both */
        same = _mm_and_si128(same, _mm_shuffle_epi32(same, _MM_SHUFFLE(2, 3, 0, 1))); /* halves */
        bits |= (unsigned)_mm_movemask_pd(_mm_castsi128_pd(same)) << 2 * i;
    }
    return bits ^ 0xff;
#else
    for (unsigned i = 0; i < 8; i++)
        bits |= (unsigned)(word_at(words, i) != word_at(before, i)) << i;
    return bits;
#endif
}

/* The words that differ from the record before, xored, to the front of `differing`; a bit each in
 * the bitmap. Returns how many. */
static size_t differences(const uint8_t *record, size_t words, const struct memory *memory,
                          unsigned kind, uint8_t *bitmap, uint64_t *differing)
{
    const uint8_t *before = memory->record[kind];
    size_t common = (memory->words[kind] < words ? memory->words[kind] : words) & ~(size_t)7;
    size_t count = 0;

    for (size_t index = 0; index < common; index += 8) {
        unsigned bits = changed(record + 8 * index, before + 8 * index);
        bitmap[index >> 3] = (uint8_t)bits;
        for (; bits; bits &= bits - 1) {
            size_t at = index + (unsigned)__builtin_ctz(bits);
            differing[count++] = word_at(record, at) ^ word_at(before, at);
        }
    }
    memset(bitmap + common / 8, 0, (words - common + 7) / 8);
    for (size_t index = common; index < words; index++) {
        uint64_t word = word_at(record, index) ^ earlier(memory, kind, index);
        differing[count] = word;
        count += word != 0;
        bitmap[index >> 3] = (uint8_t)(bitmap[index >> 3] | (unsigned)(word != 0) << (index & 7));
    }
    return count;
}

static size_t pack_one(const uint8_t *record, size_t words, const struct memory *memory,
                       unsigned kind, uint8_t *out)
{
    uint8_t *nibbles = out + HEAD + (words + 7) / 8;
    uint64_t differing[WORDS_MAX + 1];
    size_t count = differences(record, words, memory, kind, out + HEAD, differing);
    uint8_t *bytes = nibbles + (count + 1) / 2;

    out[0] = (uint8_t)words;
    out[1] = (uint8_t)(words >> 8);
    out[2] = (uint8_t)kind;
    out[3] = 0;
    for (size_t index = 0; index < count; index++) {
        unsigned size = (71u - (unsigned)__builtin_clzll(differing[index])) / 8;

        if (index & 1)
            nibbles[index >> 1] = (uint8_t)(nibbles[index >> 1] | (size - 1) << 4);
        else
            nibbles[index >> 1] = (uint8_t)(size - 1);
        /* All eight, for a copy of known size is one store: what is too much is overwritten, or
         * lies in the room behind. */
        memcpy(bytes, &differing[index], 8);
        bytes += size;
    }
    return (size_t)(bytes - out);
}

int64_t fgw_pack(const uint8_t *records, size_t length, uint8_t *out)
{
    struct memory memory;
    size_t at = 0;
    size_t written = 0;

    memset(&memory, 0, sizeof(memory));
    while (at < length) {
        const struct fgw_record *record = (const void *)(records + at);

        if (length - at < sizeof(*record) || record->size < sizeof(*record) ||
            record->size > length - at || record->size > FGW_RING_RECORD_MAX ||
            (record->size & 7) != 0 || record->kind >= KINDS) {
            return -1;
        }
        written += pack_one(records + at, record->size / 8, &memory, record->kind, out + written);
        memory.record[record->kind] = records + at;
        memory.words[record->kind] = record->size / 8;
        at += record->size;
    }
    return (int64_t)written;
}

static size_t bits_in(const uint8_t *bitmap, size_t bytes)
{
    size_t count = 0;

    for (size_t index = 0; index < bytes; index++) {
        count += (size_t)__builtin_popcount(bitmap[index]);
    }
    return count;
}

/* One packed record, its parts within bounds. */
struct packed {
    size_t words;
    unsigned kind;
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

static int open_packed(const uint8_t *bytes, size_t length, struct packed *packed)
{
    size_t bitmap_bytes;

    if (length < HEAD) {
        return -1;
    }
    packed->words = bytes[0] | ((size_t)bytes[1] << 8);
    packed->kind = bytes[2];
    packed->bitmap = bytes + HEAD;
    bitmap_bytes = (packed->words + 7) / 8;
    if (packed->words < sizeof(struct fgw_record) / 8 || packed->words > WORDS_MAX ||
        packed->kind >= KINDS || length < HEAD + bitmap_bytes ||
        ((packed->words & 7) != 0 &&
         packed->bitmap[bitmap_bytes - 1] >> (packed->words & 7) != 0)) {
        return -1;
    }
    packed->differing = bits_in(packed->bitmap, bitmap_bytes);
    packed->nibbles = packed->bitmap + bitmap_bytes;
    packed->size = HEAD + bitmap_bytes + (packed->differing + 1) / 2;
    if (length < packed->size) {
        return -1;
    }
    packed->bytes = bytes + packed->size;
    for (size_t index = 0; index < packed->differing; index++) {
        packed->size += nibble(packed, index) + 1;
        if (nibble(packed, index) > 7) {
            return -1;
        }
    }
    return length < packed->size ? -1 : 0;
}

int64_t fgw_unpacked_size(const uint8_t *packed, size_t length)
{
    size_t total = 0;

    while (length > 0) {
        struct packed one;

        if (open_packed(packed, length, &one) != 0) {
            return -1;
        }
        total += one.words * 8;
        packed += one.size;
        length -= one.size;
    }
    return (int64_t)total;
}

static void unpack_one(const struct packed *packed, const struct memory *memory, uint8_t *out)
{
    const uint8_t *bytes = packed->bytes;
    size_t used = 0;

    for (size_t index = 0; index < packed->words; index++) {
        uint64_t word = earlier(memory, packed->kind, index);

        if ((packed->bitmap[index >> 3] >> (index & 7)) & 1) {
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
    struct memory memory;
    size_t written = 0;

    memset(&memory, 0, sizeof(memory));
    while (length > 0) {
        struct packed one;

        if (open_packed(packed, length, &one) != 0 || one.words * 8 > room - written) {
            return -1;
        }
        unpack_one(&one, &memory, out + written);
        memory.record[one.kind] = out + written;
        memory.words[one.kind] = one.words;
        written += one.words * 8;
        packed += one.size;
        length -= one.size;
    }
    return (int64_t)written;
}
