/* fgw_http1_scan.h - the two inner loops of a head: to the end of a name, to the end of a value.
 *
 * Private to the http1 kernels. Sixteen bytes a step with SSE2 where sixteen are left, else one;
 * no byte at or behind `end` is read. FGW_NO_SIMD leaves the one-byte loops alone (tests compare
 * the two).
 */
#ifndef FGW_HTTP1_SCAN_H
#define FGW_HTTP1_SCAN_H

#include <stdint.h>

#include "fgw_ascii.h"

#if defined(__SSE2__) && !defined(FGW_NO_SIMD)
#define FGW_HTTP1_SSE2 1
#include <emmintrin.h>
#endif

/* First byte in [p, end) that is no tchar, or end. *odd: it may have passed other bytes than
 * letters, digits and '-'. */
static inline const uint8_t *fgw_scan_name(const uint8_t *p, const uint8_t *end, int *odd)
{
#ifdef FGW_HTTP1_SSE2
    /* Letters, digits and '-': nearly every name. What stops this loop goes to the table below. */
    while (end - p >= 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
                                             _mm_cmpgt_epi8(_mm_set1_epi8('z' + 1), lower));
        const __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)),
                                            _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), bytes));
        const __m128i dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
        const uint32_t common =
            (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), dash));
        if (common != 0xffff) {
            p += __builtin_ctz(~common);
            break;
        }
        p += 16;
    }
#endif
    const uint8_t *const plain = p;
    while (p < end && fgw_ascii_is(*p, FGW_ASCII_TOKEN))
        p++;
    *odd = p > plain;
    return p;
}

/* First byte in [p, end) that may not stand in a field value (CR and LF are such), or end. */
static inline const uint8_t *fgw_scan_value(const uint8_t *p, const uint8_t *end)
{
#ifdef FGW_HTTP1_SSE2
    while (end - p >= 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        const __m128i below = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
        const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
        const uint32_t bad =
            (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, below), del));
        if (bad)
            return p + __builtin_ctz(bad);
        p += 16;
    }
#endif
    while (p < end && fgw_ascii_is(*p, FGW_ASCII_VALUE))
        p++;
    return p;
}

#endif
