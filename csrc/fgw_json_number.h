/* fgw_json_number.h - the part of the JSON scan that is inside numbers; not for callers. */
#ifndef FGW_JSON_NUMBER_H
#define FGW_JSON_NUMBER_H

#include "fgw_json_state.h"

/* A number begins at p (`-` or a digit). Both stop at the first byte that is none of its own, with
 * state still that of a number: fgw_json_end_number then checks and values it. */
const uint8_t *fgw_json_begin_number(struct fgw_json *json, const uint8_t *p, const uint8_t *end);
const uint8_t *fgw_json_in_number(struct fgw_json *json, const uint8_t *p, const uint8_t *end);

/* 0 with `*value` set (truncated, saturated; json->inexact), or -1: cut short, or no double holds
 * it. */
int fgw_json_end_number(struct fgw_json *json, int64_t *value);

#endif
