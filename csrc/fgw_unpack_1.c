#include "fgw_unpack_1.h"

#include <string.h>

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

int64_t fgw_unpacked_size_1(const uint8_t *packed, size_t length)
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

int64_t fgw_unpack_1(const uint8_t *packed, size_t length, uint8_t *out, size_t room)
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
