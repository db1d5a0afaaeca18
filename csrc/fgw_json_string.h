/* fgw_json_string.h - the part of the JSON scan that is inside strings; not for callers. */
#ifndef FGW_JSON_STRING_H
#define FGW_JSON_STRING_H

#include "fgw_json_state.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __SSE2__
/* Bit per byte of the sixteen at p that is not plain. */
FGW_JSON_INLINE unsigned odd_bytes(const uint8_t *p)
{
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Signed: bytes >= 0x80 are negative, so one comparison finds them and controls. */
    const __m128i odd = _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(0x20)),
                                     _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                                  _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
    return (unsigned)_mm_movemask_epi8(odd);
}
#endif

/* The first byte of [p, end) that is not plain inside a string: quote, backslash, control or
 * >= 0x80; or end. */
FGW_JSON_INLINE const uint8_t *plain_end(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        const unsigned odd = odd_bytes(p);
        if (odd)
            return p + __builtin_ctz(odd);
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
        p++;
    return p;
}

/* Puts decoded bytes where json->sink says. */
void fgw_json_sink(struct fgw_json *json, const uint8_t *bytes, size_t length);

/* Takes decoded bytes of the string being read. */
static inline void pour(struct fgw_json *json, const uint8_t *bytes, size_t length)
{
    json->string_bytes += length;
    if (json->sink)
        fgw_json_sink(json, bytes, length);
}

/* From anywhere inside a string: to its closing quote (state STRING, *result is the quote), to the
 * end of the piece, or NULL. */
const uint8_t *fgw_json_in_string(struct fgw_json *json, const uint8_t *p, const uint8_t *end);

#endif
