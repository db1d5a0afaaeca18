/* fgw_json_names.h - names of members that were read before.
 *
 * One provider's answers have the same members, one after the other and each time. A name that is,
 * byte for byte, one that was kept of an object at the same node leads where that led:
 *
 *     hash of (node of the object, first eight bytes) --> one of two places: name | where it leads
 *
 * Zeroed memory is empty. The caller owns it; one worker's scans may share it, of any specs that
 * live as long. Not for names that are secret: how long a look takes tells whether one is kept.
 */
#ifndef FGW_JSON_NAMES_H
#define FGW_JSON_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fgw_json.h"

enum {
    FGW_JSON_NAMES = 256,
    FGW_JSON_NAME_MAX = 44
};

struct fgw_json_name {
    const struct fgw_json_node *inside; /* NULL: nothing is kept here */
    uint64_t word;                      /* its first eight bytes, the first one lowest */
    char text[FGW_JSON_NAME_MAX + 2];   /* with the quote and the colon behind it */
    uint8_t length;                     /* of text */
    uint8_t node;                       /* of the value that follows */
};
_Static_assert(sizeof(struct fgw_json_name) == 64, "one cache line");

struct fgw_json_names {
    struct fgw_json_name name[FGW_JSON_NAMES];
};

/* Keeps the name of `length` bytes at p, plain and with a quote and a colon behind it, which leads
 * from an object at `inside`, one of a spec's `nodes`, to `node`. */
void fgw_json_names_keep(struct fgw_json_names *names, const struct fgw_json_node *nodes,
                         const struct fgw_json_node *inside, const uint8_t *p, size_t length,
                         uint8_t node);

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

/* Whether [p, end) begins with this name, quote and colon behind it; its first word does. */
static inline int fgw_json_is_name(const struct fgw_json_name *name, const uint8_t *p,
                                   const uint8_t *end)
{
    const size_t length = name->length;
    if (length < 10) /* nothing kept has a zero in it: so this is as long, if it ends there */
        return p[length - 2] == '"' && p[length - 1] == ':';
    if ((size_t)(end - p) < length)
        return 0;
    for (size_t at = 8; at + 8 < length; at += 8)
        if (fgw_json_eight(p + at) != fgw_json_eight(name->text + at))
            return 0;
    return fgw_json_eight(p + length - 8) == fgw_json_eight(name->text + length - 8);
}

/* The kept name that [p, end) begins with, of an object at `inside`; or NULL. */
static inline const struct fgw_json_name *fgw_json_names_find(
    const struct fgw_json_names *names, const struct fgw_json_node *nodes,
    const struct fgw_json_node *inside, const uint8_t *p, const uint8_t *end)
{
    if (end - p < 10)
        return NULL;
    const uint64_t word = fgw_json_first(p);
    const struct fgw_json_name *name =
        &names->name[fgw_json_place((size_t)(inside - nodes), word)];
    for (int way = 0; way < 2; way++, name++)
        if (name->word == word && name->inside == inside && fgw_json_is_name(name, p, end))
            return name;
    return NULL;
}

#endif
