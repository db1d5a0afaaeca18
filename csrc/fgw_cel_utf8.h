/* fgw_cel_utf8.h - characters of UTF-8 texts: counts, places and validity. Sizes and indexes of
 * CEL count code points; a byte that belongs to none is taken as one. */
#ifndef FGW_CEL_UTF8_H
#define FGW_CEL_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define FGW_CEL_NO_CHARACTER 0xFFFFFFFFu

/* The character at p < end: its length 1-4, *code the code point or FGW_CEL_NO_CHARACTER. */
static inline uint32_t fgw_cel_utf8_next(const uint8_t *p, const uint8_t *end, uint32_t *code)
{
    uint32_t first = *p, length, least;
    *code = first;
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first < 0xE0)
        length = 2, least = 0x80, first &= 0x1F;
    else if (first >= 0xE0 && first < 0xF0)
        length = 3, least = 0x800, first &= 0x0F;
    else if (first >= 0xF0 && first < 0xF5)
        length = 4, least = 0x10000, first &= 0x07;
    else
        length = 0, least = 0;
    *code = FGW_CEL_NO_CHARACTER;
    if (length == 0 || (size_t)(end - p) < length)
        return 1;
    for (uint32_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        first = first << 6 | (p[i] & 0x3Fu);
    }
    if (first < least || first > 0x10FFFF || (first >= 0xD800 && first < 0xE000))
        return 1;
    *code = first;
    return length;
}

static inline int fgw_cel_utf8_valid(const uint8_t *p, uint32_t length)
{
    const uint8_t *end = p + length;
    uint32_t code = 0;
    while (p < end) {
        p += fgw_cel_utf8_next(p, end, &code);
        if (code == FGW_CEL_NO_CHARACTER)
            return 0;
    }
    return 1;
}

/* Characters of a text. */
static inline uint32_t fgw_cel_utf8_count(const uint8_t *p, uint32_t length)
{
    const uint8_t *end = p + length;
    uint32_t count = 0, code;
    for (; p < end; count++)
        p += fgw_cel_utf8_next(p, end, &code);
    return count;
}

/* The byte at which character `index` begins, `length` for the one behind the last, or -1. */
static inline int64_t fgw_cel_utf8_place(const uint8_t *text, uint32_t length, int64_t index)
{
    const uint8_t *p = text, *end = text + length;
    uint32_t code;
    if (index < 0)
        return -1;
    for (; index > 0; index--) {
        if (p == end)
            return -1;
        p += fgw_cel_utf8_next(p, end, &code);
    }
    return p - text;
}

/* Writes a code point; returns its length. */
static inline uint32_t fgw_cel_utf8_write(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

#endif
