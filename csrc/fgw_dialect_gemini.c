#include "fgw_dialect_gemini.h"

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    MODEL,
    CONTENTS,
    CONTENT,
    PARTS,
    INLINE,
    MEDIA_TYPE,
    BINARY,
    FILE_PART,
    REMOTE,
    TOOLS,
    TOOL,
    STORED,
    CONFIG,
    MAX_TOKENS,
    N,
    FORMAT,
    REQUESTS,
    NESTED,
    TIER,
    TEXT_TREE,
    TEXT,
};

/* Both names of a member. */
#define BOTH(camel, snake, node) FGW_JSON_EDGE(camel, node), FGW_JSON_EDGE(snake, node)

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("contents", CONTENTS),
    BOTH("generationConfig", "generation_config", CONFIG),
    BOTH("systemInstruction", "system_instruction", CONTENT),
    FGW_JSON_EDGE("tools", TOOLS),
    BOTH("cachedContent", "cached_content", STORED),
    BOTH("serviceTier", "service_tier", TIER),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("content", CONTENT),   /* embedContent */
    FGW_JSON_EDGE("title", TEXT),
    FGW_JSON_EDGE("requests", REQUESTS), /* batchEmbedContents */
    BOTH("generateContentRequest", "generate_content_request", NESTED), /* countTokens */
    FGW_JSON_EDGE("instances", REQUESTS), /* Vertex: predict */
};

/* Of a request inside a request, each with a model that the API wants to be that of the path. */
static const struct fgw_json_edge NESTED_EDGES[] = {
    FGW_JSON_EDGE("model", NOTHING),
    FGW_JSON_EDGE("contents", CONTENTS),
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("title", TEXT),
    BOTH("systemInstruction", "system_instruction", CONTENT),
    FGW_JSON_EDGE("tools", TOOLS),
    BOTH("taskType", "task_type", NOTHING),
};

static const struct fgw_json_edge CONTENT_EDGES[] = {
    FGW_JSON_EDGE("role", NOTHING),
    FGW_JSON_EDGE("parts", PARTS),
};

static const struct fgw_json_edge PART_EDGES[] = {
    FGW_JSON_EDGE("text", TEXT),
    BOTH("inlineData", "inline_data", INLINE),
    BOTH("fileData", "file_data", FILE_PART),
    BOTH("thoughtSignature", "thought_signature", NOTHING),
    BOTH("mediaResolution", "media_resolution", NOTHING),
    BOTH("videoMetadata", "video_metadata", NOTHING),
};

static const struct fgw_json_edge INLINE_EDGES[] = {
    BOTH("mimeType", "mime_type", MEDIA_TYPE),
    FGW_JSON_EDGE("data", BINARY),
};

static const struct fgw_json_edge FILE_EDGES[] = {
    BOTH("fileUri", "file_uri", REMOTE),
    BOTH("mimeType", "mime_type", NOTHING),
};

/* Any other kind of tool runs at Google, and what it finds becomes input. */
static const struct fgw_json_edge TOOL_EDGES[] = {
    BOTH("functionDeclarations", "function_declarations", NOTHING),
    BOTH("computerUse", "computer_use", NOTHING),
};

static const struct fgw_json_edge CONFIG_EDGES[] = {
    BOTH("maxOutputTokens", "max_output_tokens", MAX_TOKENS),
    BOTH("candidateCount", "candidate_count", N),
    BOTH("responseSchema", "response_schema", FORMAT),
    BOTH("responseJsonSchema", "response_json_schema", FORMAT),
};

#define ONCE .flags = FGW_JSON_ONCE

static const struct fgw_json_node ASK_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), .slot = ASK_ROOT, .flags = FGW_JSON_CASES},
    [MODEL] = {.slot = ASK_MODEL, ONCE},
    [CONTENTS] = {FGW_NODE_EDGES(CONTENT_EDGES), .element = CONTENT, .slot = ASK_MESSAGES,
                  .text = FGW_JSON_TEXT, ONCE},
    [CONTENT] = {FGW_NODE_EDGES(CONTENT_EDGES), .text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [PARTS] = {FGW_NODE_EDGES(PART_EDGES), .element = PARTS, .other = TEXT_TREE,
               .text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [INLINE] = {FGW_NODE_EDGES(INLINE_EDGES), FGW_NODE_PLAIN},
    [MEDIA_TYPE] = {.text = FGW_JSON_WORD, FGW_NODE_PLAIN},
    [BINARY] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [FILE_PART] = {FGW_NODE_EDGES(FILE_EDGES), FGW_NODE_PLAIN},
    [REMOTE] = {.text = FGW_JSON_REMOTE, FGW_NODE_PLAIN},
    [TOOLS] = {FGW_NODE_EDGES(TOOL_EDGES), .element = TOOL, .other = STORED, .slot = ASK_TOOLS,
               ONCE},
    [TOOL] = {FGW_NODE_EDGES(TOOL_EDGES), .other = STORED, FGW_NODE_PLAIN},
    [TIER] = {.slot = ASK_TIER, ONCE},
    [STORED] = {.slot = ASK_STORED, .flags = FGW_JSON_STICKY},
    [CONFIG] = {FGW_NODE_EDGES(CONFIG_EDGES), .slot = ASK_OPTIONS,
                .flags = FGW_JSON_ONCE | FGW_JSON_CASES},
    [MAX_TOKENS] = {.slot = ASK_MAX_OUTPUT_TOKENS, ONCE},
    [N] = {.slot = ASK_N, ONCE},
    [FORMAT] = {.slot = ASK_FORMAT},
    [REQUESTS] = {FGW_NODE_EDGES(NESTED_EDGES), .element = NESTED, .other = TEXT_TREE,
                  .slot = ASK_INPUT, ONCE},
    [NESTED] = {FGW_NODE_EDGES(NESTED_EDGES), .other = TEXT_TREE, FGW_NODE_PLAIN},
    [TEXT_TREE] = {.other = TEXT_TREE, .element = TEXT_TREE, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [TEXT] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ASK_ROOMS[ASK_SLOTS] = {
    [ASK_MODEL] = {0, FGW_MODEL_MAX},
    [ASK_TIER] = {FGW_MODEL_MAX, FGW_TIER_MAX},
};

/* What a media type begins with if no more input comes of it than its bytes bound. Seconds of
 * sound and film are not in proportion to them, and documents are unpacked there. */
static const char *const BOUNDED[] = {"image/", "text/", NULL};

const struct fgw_json_spec fgw_gemini_ask = {
    .nodes = ASK_NODES,
    .rooms = ASK_ROOMS,
    .words = BOUNDED,
    .node_count = sizeof ASK_NODES / sizeof *ASK_NODES,
    .slot_count = ASK_SLOTS,
};

const struct fgw_limit_members *fgw_gemini_limits(uint8_t operation)
{
    static const struct fgw_limit_members GENERATE = {{ASK_MAX_OUTPUT_TOKENS, FGW_LIMIT_NONE},
                                                      "\"maxOutputTokens\":", NULL,
                                                      "\"generationConfig\":"};

    return operation == FGW_OPERATION_GENERATE ? &GENERATE : &fgw_limit_unknown;
}
