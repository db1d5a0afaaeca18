#include "fgw_dialect_face.h"

#include "fgw_dialect_anthropic.h"
#include "fgw_dialect_anthropic_answer.h"
#include "fgw_dialect_gemini.h"
#include "fgw_dialect_gemini_answer.h"
#include "fgw_dialect_bedrock.h"
#include "fgw_dialect_bedrock_answer.h"
#include "fgw_dialect_cohere.h"
#include "fgw_dialect_cohere_answer.h"
#include "fgw_dialect_ollama.h"
#include "fgw_dialect_ollama_answer.h"
#include "fgw_dialect_openai.h"
#include "fgw_dialect_openai_answer.h"
#include "fgw_dialect_openai_usage.h"
#include "fgw_dialect_realtime.h"

#define CLAUDE_TOOLS_TOKENS 350 /* what Anthropic adds to a request that has tools */
#define COMMAND_TOOLS_TOKENS 1400 /* what Cohere's template for tools has (recorded: 906, 1510) */

const struct fgw_limit_members fgw_limit_unknown = {{FGW_LIMIT_NONE, FGW_LIMIT_NONE},
                                                    NULL, NULL, NULL};

/* A project's setting; and what is left of a commitment. */
#define OPENAI_UNASKED (FGW_TIER_BIT(FGW_TIER_FLEX) | FGW_TIER_BIT(FGW_TIER_PRIORITY))
#define CLAUDE_UNASKED (FGW_TIER_BIT(FGW_TIER_PRIORITY) | FGW_TIER_BIT(FGW_TIER_REGION))

#define OPENAI_FACE \
    { \
        .ask = &fgw_openai_ask, .ask_root = FGW_OPENAI_ASK_ROOT, .limits = fgw_openai_limits, \
        .default_model = fgw_openai_default_model, \
        .unasked_tiers = OPENAI_UNASKED, .usage_option = 1, \
        .answer = &fgw_openai_answer, .root = fgw_openai_root, \
        .pass = fgw_openai_pass, .fold = fgw_openai_fold, .final = fgw_openai_final, \
        .classes = fgw_openai_classes, .voice = fgw_openai_voice, \
    }

static const struct fgw_dialect_face FACES[FGW_DIALECTS] = {
    [FGW_DIALECT_NONE] = OPENAI_FACE,
    [FGW_DIALECT_OPENAI] = OPENAI_FACE,
    [FGW_DIALECT_AZURE] = OPENAI_FACE,
    [FGW_DIALECT_ANTHROPIC] = {
        .ask = &fgw_anthropic_ask,
        .ask_root = FGW_ANTHROPIC_ASK_ROOT,
        .unasked_tiers = CLAUDE_UNASKED,
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
    [FGW_DIALECT_GEMINI] = {
        .ask = &fgw_gemini_ask,
        .ask_root = FGW_GEMINI_ASK_ROOT,
        .limits = fgw_gemini_limits,
        .model_prefix = "models/",
        .bare_errors = 1,
        .answer = &fgw_gemini_answer,
        .root = fgw_gemini_root,
        .begin = fgw_gemini_begin,
        .pass = fgw_gemini_pass,
        .fold = fgw_gemini_fold,
        .final = fgw_gemini_final,
        .classes = fgw_gemini_classes,
        .voice = fgw_gemini_voice,
    },
    [FGW_DIALECT_BEDROCK] = {
        .ask = &fgw_bedrock_ask,
        .ask_root = FGW_BEDROCK_ASK_ROOT,
        .limits = fgw_bedrock_limits,
        .cache_word = "cachePoint",
        .tools_tokens = CLAUDE_TOOLS_TOKENS,
        .placeholder = 1,
        .wraps = 1,
        .answer = &fgw_bedrock_answer,
        .root = fgw_bedrock_root,
        .begin = fgw_bedrock_begin,
        .pass = fgw_bedrock_pass,
        .fold = fgw_bedrock_fold,
        .final = fgw_bedrock_final,
        .classes = fgw_bedrock_classes,
        .voice = fgw_bedrock_voice,
    },
    [FGW_DIALECT_OLLAMA] = {
        .ask = &fgw_ollama_ask,
        .ask_root = FGW_OLLAMA_ASK_ROOT,
        .limits = fgw_ollama_limits,
        .streams_unasked = 1,
        .below_zero = 1,
        .answer = &fgw_ollama_answer,
        .root = fgw_ollama_root,
        .fold = fgw_ollama_fold,
        .final = fgw_ollama_final,
        .classes = fgw_ollama_classes,
        .voice = fgw_ollama_voice,
    },
    [FGW_DIALECT_COHERE] = {
        .ask = &fgw_cohere_ask,
        .ask_root = FGW_COHERE_ASK_ROOT,
        .limits = fgw_cohere_limits,
        .tools_tokens = COMMAND_TOOLS_TOKENS,
        .answer = &fgw_cohere_answer,
        .root = fgw_cohere_root,
        .fold = fgw_cohere_fold,
        .final = fgw_cohere_final,
        .classes = fgw_cohere_classes,
        .voice = fgw_cohere_voice,
    },
};

static const struct fgw_dialect_face REALTIME = {
    .limits = fgw_openai_limits,
    .answer = &fgw_realtime_answer,
    .root = fgw_realtime_root,
    .begin = fgw_realtime_begin,
    .pass = fgw_realtime_pass,
    .fold = fgw_realtime_fold,
    .final = fgw_realtime_final,
    .classes = fgw_realtime_classes,
    .voice = fgw_realtime_voice,
};

const struct fgw_dialect_face *fgw_dialect_face(uint8_t dialect)
{
    if (dialect >= FGW_DIALECTS || !FACES[dialect].ask)
        dialect = FGW_DIALECT_OPENAI;
    return &FACES[dialect];
}

const struct fgw_dialect_face *fgw_dialect_answer_face(uint8_t dialect, uint8_t operation)
{
    return operation == FGW_OPERATION_REALTIME ? &REALTIME : fgw_dialect_face(dialect);
}
