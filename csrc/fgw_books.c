#include "fgw_books.h"

#include <string.h>

void fgw_books_close(struct fgw_books *books, const struct fgw_record_close *close)
{
    books->attempts++;
    books->tokens.input += close->tokens.input;
    books->tokens.cached_input += close->tokens.cached_input;
    books->tokens.cache_write += close->tokens.cache_write;
    books->tokens.cache_write_1h += close->tokens.cache_write_1h;
    books->tokens.output += close->tokens.output;
    books->tokens.reasoning += close->tokens.reasoning;
    books->tokens.audio_input += close->tokens.audio_input;
    books->tokens.audio_output += close->tokens.audio_output;
    if (close->cost_nano_usd >= 0)
        books->cost_nano_usd += (uint64_t)close->cost_nano_usd;
    else
        books->cost_unknown++;
    books->units.image_input += close->units.image_input;
    books->units.image_output += close->units.image_output;
    books->units.images += close->units.images;
    books->units.audio_ms += close->units.audio_ms;
    books->units.characters += close->units.characters;
    books->units.searches += close->units.searches;
}

void fgw_books_less(struct fgw_books *books, const struct fgw_books *by)
{
    uint64_t words[2][FGW_BOOKS_WORDS];

    memcpy(words[0], books, sizeof words[0]);
    memcpy(words[1], by, sizeof words[1]);
    for (uint32_t at = 0; at < FGW_BOOKS_WORDS; at++)
        words[0][at] -= words[1][at];
    memcpy(books, words[0], sizeof words[0]);
}

size_t fgw_books_add(struct fgw_books *books, const uint8_t *records, size_t length,
                     uint64_t before)
{
    struct fgw_record_close older;
    size_t at = 0;

    while (length - at >= sizeof(struct fgw_record)) {
        const struct fgw_record *record = (const void *)(records + at);

        if (record->size < sizeof *record || record->size > length - at ||
            record->sequence >= before)
            break;
        at += record->size;
        if (record->kind != FGW_RECORD_CLOSE || record->size < FGW_CLOSE_BYTES_1)
            continue;
        if (record->size >= sizeof older) {
            fgw_books_close(books, (const void *)record);
            continue;
        }
        memcpy(&older, record, FGW_CLOSE_BYTES_1);
        memset(&older.units, 0, sizeof older.units);
        fgw_books_close(books, &older);
    }
    return at;
}

uint64_t fgw_books_apart(const struct fgw_books *one, const struct fgw_books *one_before,
                         const struct fgw_books *other, const struct fgw_books *other_before)
{
    uint64_t words[4][FGW_BOOKS_WORDS], apart = 0;

    memcpy(words[0], one, sizeof words[0]);
    memcpy(words[1], one_before, sizeof words[1]);
    memcpy(words[2], other, sizeof words[2]);
    memcpy(words[3], other_before, sizeof words[3]);
    for (uint32_t at = 0; at < FGW_BOOKS_WORDS; at++) {
        uint64_t left = words[0][at] - words[1][at], right = words[2][at] - words[3][at];
        apart += left > right ? left - right : right - left;
    }
    return apart;
}

void fgw_cut_write(struct fgw_cut *cut, uint64_t generation, uint64_t position,
                   const struct fgw_books *books)
{
    const uint64_t *from = (const uint64_t *)(const void *)books;
    uint64_t *to = (uint64_t *)(void *)&cut->books;
    const uint64_t version = cut->version | 1;

    __atomic_store_n(&cut->version, version, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&cut->generation, generation, __ATOMIC_RELAXED);
    __atomic_store_n(&cut->position, position, __ATOMIC_RELAXED);
    for (uint32_t at = 0; at < FGW_BOOKS_WORDS; at++)
        __atomic_store_n(&to[at], from[at], __ATOMIC_RELAXED);
    __atomic_store_n(&cut->version, version + 1, __ATOMIC_RELEASE);
}

int fgw_cut_read(const struct fgw_cut *cut, struct fgw_cut *out)
{
    const uint64_t *from = (const uint64_t *)(const void *)&cut->books;
    uint64_t *to = (uint64_t *)(void *)&out->books;

    out->version = __atomic_load_n(&cut->version, __ATOMIC_ACQUIRE);
    out->generation = __atomic_load_n(&cut->generation, __ATOMIC_RELAXED);
    out->position = __atomic_load_n(&cut->position, __ATOMIC_RELAXED);
    for (uint32_t at = 0; at < FGW_BOOKS_WORDS; at++)
        to[at] = __atomic_load_n(&from[at], __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return out->version != 0 && !(out->version & 1) &&
           __atomic_load_n(&cut->version, __ATOMIC_RELAXED) == out->version;
}
