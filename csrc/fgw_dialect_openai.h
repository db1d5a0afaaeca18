/* fgw_dialect_openai.h - the openai dialect: where things stand in its requests.
 *
 * One root serves all operations: a member that an operation does not have is ignored by it.
 */
#ifndef FGW_DIALECT_OPENAI_H
#define FGW_DIALECT_OPENAI_H

#include "fgw_json.h"

enum { FGW_OPENAI_ASK_ROOT = 1 };

/* Slots: enum ask_slot. */
extern const struct fgw_json_spec fgw_openai_ask;

#endif
