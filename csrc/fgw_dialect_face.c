#include "fgw_dialect_face.h"

#include "fgw_dialect_anthropic.h"
#include "fgw_dialect_anthropic_answer.h"
#include "fgw_dialect_openai.h"
#include "fgw_dialect_openai_answer.h"

#define CLAUDE_TOOLS_TOKENS 350 /* what Anthropic adds to a request that has tools */

const struct fgw_limit_members fgw_limit_unknown = {{FGW_LIMIT_NONE, FGW_LIMIT_NONE},
                                                    NULL, NULL, NULL};

#define OPENAI_FACE \
    { \
        .ask = &fgw_openai_ask, .ask_root = FGW_OPENAI_ASK_ROOT, .limits = fgw_openai_limits, \
        .usage_option = 1, .answer = &fgw_openai_answer, .root = fgw_openai_root, \
        .pass = fgw_openai_pass, .fold = fgw_openai_fold, .final = fgw_openai_final, \
        .classes = fgw_openai_classes, .voice = fgw_openai_voice, \
    }

static const struct fgw_dialect_face FACES[FGW_DIALECTS] = {
    [FGW_DIALECT_NONE] = OPENAI_FACE,
    [FGW_DIALECT_OPENAI] = OPENAI_FACE,
    [FGW_DIALECT_ANTHROPIC] = {
        .ask = &fgw_anthropic_ask,
        .ask_root = FGW_ANTHROPIC_ASK_ROOT,
        .limits = fgw_anthropic_limits,
        .cache_word = "cache_control",
        .tools_tokens = CLAUDE_TOOLS_TOKENS,
        .placeholder = 1,
        .answer = &fgw_anthropic_answer,
        .root = fgw_anthropic_root,
        .begin = fgw_anthropic_begin,
        .pass = fgw_anthropic_pass,
        .fold = fgw_anthropic_fold,
        .final = fgw_anthropic_final,
        .classes = fgw_anthropic_classes,
        .voice = fgw_anthropic_voice,
    },
};

const struct fgw_dialect_face *fgw_dialect_face(uint8_t dialect)
{
    if (dialect >= FGW_DIALECTS || !FACES[dialect].ask)
        dialect = FGW_DIALECT_OPENAI;
    return &FACES[dialect];
}
