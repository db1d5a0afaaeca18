/* fgw_json_names.h - names of members that were read before.
 *
 * One provider's answers have the same members, one after the other and each time; so have one
 * client's requests. A name that is, byte for byte, one that was kept of an object at the same
 * node leads where that led:
 *
 *     hash of (node of the object, first eight bytes) --> one of two places: name | where it leads
 *                                                                                | what came next
 *
 * And what came behind a name the last time, in whatever object, is looked at first: mostly it is
 * what comes now, and nothing needs to be hashed.
 *
 * Zeroed memory is empty. The caller owns it; one worker's scans may share it, of any specs that
 * live as long. Not for names that are secret: how long a look takes tells whether one is kept
 * (of requests, only names are that stand where their spec knows some).
 */
#ifndef FGW_JSON_NAMES_H
#define FGW_JSON_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "fgw_json.h"

enum {
    FGW_JSON_NAMES = 256,
    FGW_JSON_NAME_MAX = 45
};

struct fgw_json_name {
    const struct fgw_json_node *inside; /* NULL: nothing is kept here */
    uint32_t rest;                      /* bits of its first sixteen bytes that are none, and up */
    uint16_t next;                      /* bytes from the first place to that of the name that came
                                           behind it the last time */
    uint8_t length;                     /* of text */
    uint8_t node;                       /* of the value that follows */
    char text[FGW_JSON_NAME_MAX + 3];   /* in quotes, with the colon behind it */
};
_Static_assert(sizeof(struct fgw_json_name) == 64, "one cache line");
_Static_assert(FGW_JSON_NAMES * sizeof(struct fgw_json_name) <= 1 << 16, "as `next` has it");

struct fgw_json_names {
    struct fgw_json_name name[FGW_JSON_NAMES];
    uint16_t last; /* of the name that was read last, as `next` */
};

/* The place so many bytes behind the first. */
static inline const struct fgw_json_name *fgw_json_names_at(const struct fgw_json_name *first,
                                                            size_t bytes)
{
    return (const struct fgw_json_name *)(const void *)((const char *)first + bytes);
}

/* Keeps the name of `length` bytes whose quote is at p, plain and with a quote and a colon behind
 * it, which leads from an object at `inside`, one of a spec's `nodes`, to `node`. Returns it, or
 * NULL: too long. */
const struct fgw_json_name *fgw_json_names_keep(struct fgw_json_names *names,
                                                const struct fgw_json_node *nodes,
                                                const struct fgw_json_node *inside,
                                                const uint8_t *p, size_t length, uint8_t node);

static inline uint64_t fgw_json_eight(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* The first eight bytes of the name at p, without the quote that ends it and what is behind. */
static inline uint64_t fgw_json_first(const uint8_t *p)
{
    const uint64_t each = 0x0101010101010101u;
    const uint64_t word = fgw_json_eight(p), other = word ^ each * '"';
    /* The lowest bit marks the first quote; those above may be none. */
    const uint64_t quotes = (other - each) & ~other & each * 0x80;
    return quotes ? word & ((quotes & -quotes) / 0x80 - 1) : word;
}

/* Of the node its number in its spec, not its address: so instructions can be counted. */
static inline size_t fgw_json_place(size_t number, uint64_t word)
{
    return ((word ^ number * 0xff51afd7ed558ccdu) * 0x9e3779b97f4a7c15u) >> 57 << 1;
}
_Static_assert(FGW_JSON_NAMES == 2 << (64 - 57), "as fgw_json_place has it");

#ifdef __SSE2__
/* Bit per byte of the sixteen at each place: they are the same. */
static inline unsigned fgw_json_same(const void *one, const void *other)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)one),
                                                      _mm_loadu_si128((const __m128i *)other)));
}
#endif

/* Whether [p, end) begins with this name in quotes, and a colon behind it. */
static inline int fgw_json_is_name(const struct fgw_json_name *name, const uint8_t *p,
                                   const uint8_t *end)
{
    const size_t length = name->length;
#ifdef __SSE2__
    if (p + 16 <= end) {
        if ((fgw_json_same(p, name->text) | name->rest) != UINT32_MAX)
            return 0;
        if (length <= 16)
            return 1;
        if ((size_t)(end - p) < length ||
            (length > 32 && fgw_json_same(p + 16, name->text + 16) != 0xffff))
            return 0;
        return fgw_json_same(p + length - 16, name->text + length - 16) == 0xffff;
    }
#endif
    return (size_t)(end - p) >= length && !memcmp(p, name->text, length);
}

/* The kept name that [p, end) begins with, in its quotes, of an object at `inside`; or NULL. */
static inline const struct fgw_json_name *fgw_json_names_find(
    const struct fgw_json_names *names, const struct fgw_json_node *nodes,
    const struct fgw_json_node *inside, const uint8_t *p, const uint8_t *end)
{
    if (end - p < 10)
        return NULL;
    const struct fgw_json_name *name =
        &names->name[fgw_json_place((size_t)(inside - nodes), fgw_json_first(p + 1))];
    for (int way = 0; way < 2; way++, name++)
        if (name->inside == inside && fgw_json_is_name(name, p, end))
            return name;
    return NULL;
}

#endif
