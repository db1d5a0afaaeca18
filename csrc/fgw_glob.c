#include "fgw_glob.h"

int fgw_glob_match(const uint8_t *pattern, size_t pattern_length, const uint8_t *text,
                   size_t text_length)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text_length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = p++; /* try it with nothing first */
            from = t;
        } else if (p < pattern_length && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1; /* the last * takes one byte more */
            t = ++from;
        } else {
            return 0;
        }
    }
    while (p < pattern_length && pattern[p] == '*')
        p++;
    return p == pattern_length;
}
