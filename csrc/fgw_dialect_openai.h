/* fgw_dialect_openai.h - the openai dialect: where things stand in its requests.
 *
 * One root serves all operations: a member that an operation does not have is ignored by it.
 */
#ifndef FGW_DIALECT_OPENAI_H
#define FGW_DIALECT_OPENAI_H

#include <stdint.h>

#include "fgw_json.h"

struct fgw_limit_members;

enum { FGW_OPENAI_ASK_ROOT = 1 };

/* Slots: enum ask_slot. */
extern const struct fgw_json_spec fgw_openai_ask;

/* For default_model. */
const char *fgw_openai_default_model(uint8_t operation);

/* Where the limit of output tokens stands. */
const struct fgw_limit_members *fgw_openai_limits(uint8_t operation);

#endif
