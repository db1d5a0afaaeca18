/* fgw_glob.h - patterns of names in which each * stands for any bytes: "gpt-4*". */
#ifndef FGW_GLOB_H
#define FGW_GLOB_H

#include <stddef.h>
#include <stdint.h>

/* 1 if `pattern`, in which each * stands for any bytes, covers all of `text`; else 0.
 * At most length x length steps. */
int fgw_glob_match(const uint8_t *pattern, size_t pattern_length, const uint8_t *text,
                   size_t text_length);

#endif
