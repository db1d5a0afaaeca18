#include "fgw_dialect_bedrock.h"

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    CONFIG,
    MAX_TOKENS,
    TOOLS,
    MESSAGES,
    MESSAGE,
    CONTENT,
    BLOCK,
    MEDIUM,
    SOURCE,
    BINARY,
    REMOTE,
    TEXT_TREE,
    TEXT,
};

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("messages", MESSAGES),
    FGW_JSON_EDGE("system", CONTENT),
    FGW_JSON_EDGE("inferenceConfig", CONFIG),
    FGW_JSON_EDGE("toolConfig", TOOLS),
    FGW_JSON_EDGE("guardrailConfig", NOTHING),
    FGW_JSON_EDGE("requestMetadata", NOTHING),
    FGW_JSON_EDGE("performanceConfig", NOTHING),
    FGW_JSON_EDGE("serviceTier", NOTHING),
};

static const struct fgw_json_edge CONFIG_EDGES[] = {FGW_JSON_EDGE("maxTokens", MAX_TOKENS)};

static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("role", NOTHING),
    FGW_JSON_EDGE("content", CONTENT),
};

static const struct fgw_json_edge BLOCK_EDGES[] = {
    FGW_JSON_EDGE("text", TEXT),
    FGW_JSON_EDGE("image", MEDIUM),
    FGW_JSON_EDGE("document", MEDIUM),
    FGW_JSON_EDGE("video", MEDIUM),
    FGW_JSON_EDGE("audio", MEDIUM),
    FGW_JSON_EDGE("cachePoint", NOTHING),
};

static const struct fgw_json_edge MEDIUM_EDGES[] = {FGW_JSON_EDGE("source", SOURCE)};

static const struct fgw_json_edge SOURCE_EDGES[] = {
    FGW_JSON_EDGE("bytes", BINARY),
    FGW_JSON_EDGE("s3Location", REMOTE),
    FGW_JSON_EDGE("text", TEXT),
};

#define ONCE .flags = FGW_JSON_ONCE

static const struct fgw_json_node ASK_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    /* What converse does not know belongs to a model's own body. */
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), .other = TEXT_TREE, .slot = ASK_ROOT},
    [CONFIG] = {FGW_NODE_EDGES(CONFIG_EDGES), .slot = ASK_OPTIONS, ONCE},
    [MAX_TOKENS] = {.slot = ASK_MAX_TOKENS, ONCE},
    [TOOLS] = {.slot = ASK_TOOLS, ONCE},
    [MESSAGES] = {.element = MESSAGE, .slot = ASK_MESSAGES, ONCE},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), .other = TEXT_TREE, FGW_NODE_PLAIN},
    [CONTENT] = {.element = BLOCK, .text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [BLOCK] = {FGW_NODE_EDGES(BLOCK_EDGES), .other = TEXT_TREE, .text = FGW_JSON_TEXT,
               FGW_NODE_PLAIN},
    [MEDIUM] = {FGW_NODE_EDGES(MEDIUM_EDGES), FGW_NODE_PLAIN},
    [SOURCE] = {FGW_NODE_EDGES(SOURCE_EDGES), FGW_NODE_PLAIN},
    [BINARY] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [REMOTE] = {.other = REMOTE, .text = FGW_JSON_REMOTE, FGW_NODE_PLAIN},
    [TEXT_TREE] = {.other = TEXT_TREE, .element = TEXT_TREE, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [TEXT] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ASK_ROOMS[ASK_SLOTS] = {{0, 0}};

const struct fgw_json_spec fgw_bedrock_ask = {
    .nodes = ASK_NODES,
    .rooms = ASK_ROOMS,
    .node_count = sizeof ASK_NODES / sizeof *ASK_NODES,
    .slot_count = ASK_SLOTS,
};

const struct fgw_limit_members *fgw_bedrock_limits(uint8_t operation)
{
    static const struct fgw_limit_members LIMIT = {{ASK_MAX_TOKENS, FGW_LIMIT_NONE},
                                                   "\"maxTokens\":", NULL,
                                                   "\"inferenceConfig\":"};

    return operation == FGW_OPERATION_CONVERSE ? &LIMIT : &fgw_limit_unknown;
}
