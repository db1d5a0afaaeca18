#include "fgw_http1_lines.h"

#include <string.h>

/* What clients and providers repeat. No credentials, no names of people or organisations; nothing
 * that is another each time, for it would push out what is not. */
#define KEPT                                                                                      \
    (FGW_H_BIT(FGW_H_HOST) | FGW_H_BIT(FGW_H_CONNECTION) | FGW_H_BIT(FGW_H_KEEP_ALIVE) |          \
     FGW_H_BIT(FGW_H_CONTENT_TYPE) | FGW_H_BIT(FGW_H_CONTENT_ENCODING) |                          \
     FGW_H_BIT(FGW_H_ACCEPT) | FGW_H_BIT(FGW_H_ACCEPT_ENCODING) |                                 \
     FGW_H_BIT(FGW_H_ANTHROPIC_VERSION) | FGW_H_BIT(FGW_H_ANTHROPIC_BETA) |                       \
     FGW_H_BIT(FGW_H_USER_AGENT) | FGW_H_BIT(FGW_H_X_SHOULD_RETRY) | FGW_H_BIT(FGW_H_DATE) |      \
     FGW_H_BIT(FGW_H_SERVER) | FGW_H_BIT(FGW_H_X_STAINLESS))

static inline uint64_t load8(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    return word;
}

static inline uint64_t turned(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline size_t place_of(const uint8_t *p)
{
    const uint64_t all = load8(p) ^ turned(load8(p + 8), 21) ^ turned(load8(p + 16), 42);
    return all * 0x9e3779b97f4a7c15u >> 56;
}
_Static_assert(FGW_LINES == 256 && FGW_LINE_HASHED == 24, "as place_of has it");

const struct fgw_line *fgw_lines_find(const struct fgw_lines *lines, const uint8_t *p,
                                      const uint8_t *end)
{
    if (end - p < FGW_LINE_HASHED)
        return NULL;
    const struct fgw_line *line = &lines->line[place_of(p)];
    const size_t len = line->len;
    if (len == 0 || (size_t)(end - p) < len)
        return NULL;
    /* Whole words, the last one overlapping: len >= 8. */
    for (size_t i = 0; i + 8 < len; i += 8)
        if (load8(p + i) != load8(line->bytes + i))
            return NULL;
    return load8(p + len - 8) == load8(line->bytes + len - 8) ? line : NULL;
}

void fgw_lines_keep(struct fgw_lines *lines, const uint8_t *p, const uint8_t *next,
                    const uint8_t *end, const struct fgw_header *header, const uint8_t *buf)
{
    const size_t len = (size_t)(next - p);
    if (!(KEPT >> header->id & 1) || end - p < FGW_LINE_HASHED || len < FGW_LINE_MIN ||
        len > FGW_LINE_MAX)
        return;
    struct fgw_line *line = &lines->line[place_of(p)];
    memcpy(line->bytes, p, len);
    line->len = (uint8_t)len;
    line->name_len = (uint8_t)header->name_len;
    line->value_off = (uint8_t)(buf + header->value_off - p);
    line->value_len = (uint8_t)header->value_len;
    line->id = header->id;
}
