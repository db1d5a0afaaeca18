/* fgw_detect_names.h - members whose values no person wrote, by their names alone. */
#ifndef FGW_DETECT_NAMES_H
#define FGW_DETECT_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* 1 for what is no person's words wherever it stands, outside the arguments of tools. */
int fgw_detect_is_passed(const uint8_t *name, size_t length);

/* 1 for what is a setting as a member of a request itself. */
int fgw_detect_is_setting(const uint8_t *name, size_t length);

/* 1 for what repeats the client's own words as a member of an answer of `responses`. */
int fgw_detect_is_echo(const uint8_t *name, size_t length);

#endif
