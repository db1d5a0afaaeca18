/* fgw_dialect_ollama.h - the ollama dialect: where things stand in its requests.
 *
 * Its server is Go, whose JSON decoder takes member names in any case; a limit below zero asks for
 * none (-1: until the model ends, -2: until the context is full).
 */
#ifndef FGW_DIALECT_OLLAMA_H
#define FGW_DIALECT_OLLAMA_H

#include <stdint.h>

#include "fgw_json.h"

struct fgw_limit_members;

enum { FGW_OLLAMA_ASK_ROOT = 1 };

/* Slots: enum ask_slot. */
extern const struct fgw_json_spec fgw_ollama_ask;

/* Where the limit of output tokens stands: options.num_predict. */
const struct fgw_limit_members *fgw_ollama_limits(uint8_t operation);

#endif
