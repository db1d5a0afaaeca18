/* fgw_dialect_bedrock.h - the bedrock dialect: where things stand in its requests.
 *
 * Converse has one form for all models. The body of invoke is the model's own, so nothing of it is
 * read but its texts.
 */
#ifndef FGW_DIALECT_BEDROCK_H
#define FGW_DIALECT_BEDROCK_H

#include <stdint.h>

#include "fgw_json.h"

struct fgw_limit_members;

enum { FGW_BEDROCK_ASK_ROOT = 1 };

/* Slots: enum ask_slot. */
extern const struct fgw_json_spec fgw_bedrock_ask;

/* Where the limit of output tokens stands: inferenceConfig.maxTokens. */
const struct fgw_limit_members *fgw_bedrock_limits(uint8_t operation);

#endif
