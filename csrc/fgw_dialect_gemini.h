/* fgw_dialect_gemini.h - the gemini dialect, also of Vertex AI: where things stand in requests.
 *
 * Model and stream stand in the path. Bodies are proto-JSON: each member has two names
 * (`maxOutputTokens`, `max_output_tokens`), which lead to one node, and what is a list may be a
 * single object.
 */
#ifndef FGW_DIALECT_GEMINI_H
#define FGW_DIALECT_GEMINI_H

#include <stdint.h>

#include "fgw_json.h"

struct fgw_limit_members;

enum { FGW_GEMINI_ASK_ROOT = 1 };

/* Slots: enum ask_slot; options are generationConfig. */
extern const struct fgw_json_spec fgw_gemini_ask;

/* Where the limit of output tokens stands. */
const struct fgw_limit_members *fgw_gemini_limits(uint8_t operation);

#endif
