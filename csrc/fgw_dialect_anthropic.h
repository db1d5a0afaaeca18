/* fgw_dialect_anthropic.h - the anthropic dialect: where things stand in its requests. */
#ifndef FGW_DIALECT_ANTHROPIC_H
#define FGW_DIALECT_ANTHROPIC_H

#include <stdint.h>

#include "fgw_json.h"

struct fgw_limit_members;

enum { FGW_ANTHROPIC_ASK_ROOT = 1 };

/* Slots: enum ask_slot. */
extern const struct fgw_json_spec fgw_anthropic_ask;

/* Where the limit of output tokens stands. */
const struct fgw_limit_members *fgw_anthropic_limits(uint8_t operation);

#endif
