/* fgw_json_fast.h - the JSON scan of what lies whole in one piece; not for callers. */
#ifndef FGW_JSON_FAST_H
#define FGW_JSON_FAST_H

#include "fgw_json_state.h"

/* From state VALUE, FIRST_KEY, KEY or AFTER at p < end: as far as values and members are whole in
 * this piece and plain (strings without escapes and non-ASCII bytes, numbers without exponents).
 * Returns where it stopped (perhaps p), with the state that goes on from there: never NULL, for
 * what is not valid is left to the scan at any cut. Stops behind a container at a PAUSE node. */
const uint8_t *fgw_json_fast(struct fgw_json *json, const uint8_t *p, const uint8_t *end);

#endif
