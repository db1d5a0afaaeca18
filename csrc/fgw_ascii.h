/* fgw_ascii.h - which bytes may stand where in HTTP, by one look-up.
 *
 * tests/wire/test_head.py tries every byte in every place against the grammars of RFC 9110 and
 * 3986.
 */
#ifndef FGW_ASCII_H
#define FGW_ASCII_H

#include <stdint.h>

enum {
    FGW_ASCII_TOKEN = 1,  /* tchar */
    FGW_ASCII_TARGET = 2, /* path, query or authority of a URI, '%', and '[' ']' */
    FGW_ASCII_HOST = 4,   /* reg-name, without percent-encoding */
    FGW_ASCII_VALUE = 8,  /* field value: VCHAR, SP, HTAB, obs-text */
    FGW_ASCII_HEX = 16
};

static const uint8_t fgw_ascii_class[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  8,  0,  0,  0,  0,  0,  0,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
     8, 15,  8,  9, 15, 11, 15, 15, 14, 14, 15, 15, 14, 15, 15, 10,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 10, 14,  8, 14,  8, 10,
    10, 31, 31, 31, 31, 31, 31, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 10,  8, 10,  9, 15,
     9, 31, 31, 31, 31, 31, 31, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  8,  9,  8, 15,  0,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,  8,
};

static inline int fgw_ascii_is(uint8_t byte, uint8_t classes)
{
    return (fgw_ascii_class[byte] & classes) != 0;
}

static inline int fgw_ascii_is_digit(uint8_t byte) { return (uint8_t)(byte - '0') <= 9; }

/* 0-15; the byte must be of FGW_ASCII_HEX. */
static inline uint8_t fgw_ascii_hex(uint8_t byte)
{
    return (uint8_t)(byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
}

/* Whether `text` is `lower` (lower-case letters, digits, '-'), in any case. */
static inline int fgw_ascii_same(const uint8_t *text, uint32_t len, const char *lower,
                                 uint32_t lower_len)
{
    if (len != lower_len)
        return 0;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t byte = text[i];
        if (byte >= 'A' && byte <= 'Z')
            byte = (uint8_t)(byte | 0x20);
        if (byte != (uint8_t)lower[i])
            return 0;
    }
    return 1;
}

#endif
