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

/* Two lines share a place: two that are read in turn do not push each other out. */
static inline size_t pair_of(uint32_t place) { return 2 * (place % (FGW_LINES / 2)); }

static inline int begins(const uint8_t *p, size_t have, const struct fgw_line *line)
{
    const size_t len = line->len;
    if (len == 0 || have < len || load8(p) != load8(line->bytes))
        return 0;
    /* Whole words, the last one overlapping: len >= 8. */
    for (size_t i = 8; i + 8 < len; i += 8)
        if (load8(p + i) != load8(line->bytes + i))
            return 0;
    return load8(p + len - 8) == load8(line->bytes + len - 8);
}

const struct fgw_line *fgw_lines_find(const struct fgw_lines *lines, uint32_t place,
                                      const uint8_t *p, const uint8_t *end)
{
    const struct fgw_line *line = &lines->line[pair_of(place)];
    if (begins(p, (size_t)(end - p), line))
        return line;
    line++;
    return begins(p, (size_t)(end - p), line) ? line : NULL;
}

void fgw_lines_keep(struct fgw_lines *lines, uint32_t place, const uint8_t *p,
                    const uint8_t *next, const struct fgw_header *header, const uint8_t *buf)
{
    const size_t len = (size_t)(next - p);
    if (!(KEPT >> header->id & 1) || len < FGW_LINE_MIN || len > FGW_LINE_MAX)
        return;
    struct fgw_line *line = &lines->line[pair_of(place)];
    line[1] = line[0];
    memcpy(line->bytes, p, len);
    line->len = (uint8_t)len;
    line->name_len = (uint8_t)header->name_len;
    line->value_off = (uint8_t)(buf + header->value_off - p);
    line->value_len = (uint8_t)header->value_len;
    line->id = header->id;
    line->plain = header->plain;
}

static inline struct fgw_name *name_at(struct fgw_lines *lines, uint32_t index, const uint8_t *p)
{
    return &lines->name[(load8(p) * 0x9e3779b97f4a7c15u >> 56 ^ index) % FGW_NAMES];
}

const struct fgw_name *fgw_names_find(struct fgw_lines *lines, uint32_t index, const uint8_t *p,
                                      const uint8_t *end)
{
    const struct fgw_name *name = name_at(lines, index, p);
    const size_t len = name->len;
    if (len < 8 || (size_t)(end - p) < len || load8(p) != load8(name->bytes))
        return NULL;
    for (size_t i = 8; i + 8 < len; i += 8)
        if (load8(p + i) != load8(name->bytes + i))
            return NULL;
    return load8(p + len - 8) == load8(name->bytes + len - 8) ? name : NULL;
}

void fgw_names_keep(struct fgw_lines *lines, uint32_t index, const uint8_t *p,
                    const struct fgw_header *header)
{
    const uint32_t len = header->name_len + 2u;
    if (len < 8 || len > FGW_NAME_MAX || p[len - 1] != ' ')
        return;
    struct fgw_name *name = name_at(lines, index, p);
    memcpy(name->bytes, p, len);
    name->len = (uint8_t)len;
    name->id = header->id;
    name->kept = (KEPT >> header->id & 1) != 0;
}
