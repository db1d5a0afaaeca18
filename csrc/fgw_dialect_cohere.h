/* fgw_dialect_cohere.h - the cohere dialect (v2): where things stand in its requests. */
#ifndef FGW_DIALECT_COHERE_H
#define FGW_DIALECT_COHERE_H

#include <stdint.h>

#include "fgw_json.h"

struct fgw_limit_members;

enum { FGW_COHERE_ASK_ROOT = 1 };

/* Slots: enum ask_slot. */
extern const struct fgw_json_spec fgw_cohere_ask;

/* Where the limit of output tokens stands. */
const struct fgw_limit_members *fgw_cohere_limits(uint8_t operation);

#endif
