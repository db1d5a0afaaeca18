/* fgw_dialect_anthropic.h - the anthropic dialect: where things stand in its requests. */
#ifndef FGW_DIALECT_ANTHROPIC_H
#define FGW_DIALECT_ANTHROPIC_H

#include "fgw_json.h"

enum { FGW_ANTHROPIC_ASK_ROOT = 1 };

/* Slots: enum ask_slot. */
extern const struct fgw_json_spec fgw_anthropic_ask;

#endif
