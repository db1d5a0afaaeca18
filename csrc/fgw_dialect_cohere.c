#include "fgw_dialect_cohere.h"

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    MODEL,
    STREAM,
    MAX_TOKENS,
    TOOLS,
    FORMAT,
    MESSAGES,
    MESSAGE,
    CONTENT,
    PART,
    IMAGE,
    DATA_URL,
    INPUT,
    INPUTS,
    IMAGES,
    DOCUMENTS,
    CONNECTORS,
    TEXT_TREE,
    TEXT,
};

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("messages", MESSAGES),
    FGW_JSON_EDGE("stream", STREAM),
    FGW_JSON_EDGE("max_tokens", MAX_TOKENS),
    FGW_JSON_EDGE("tools", TOOLS),
    FGW_JSON_EDGE("documents", DOCUMENTS), /* chat, rerank */
    FGW_JSON_EDGE("response_format", FORMAT),
    FGW_JSON_EDGE("connectors", CONNECTORS),
    FGW_JSON_EDGE("texts", INPUT),   /* embed */
    FGW_JSON_EDGE("inputs", INPUTS), /* embed: of texts and pictures */
    FGW_JSON_EDGE("images", IMAGES), /* embed */
    FGW_JSON_EDGE("query", TEXT),    /* rerank */
};

static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("role", NOTHING),
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("tool_call_id", NOTHING),
};

static const struct fgw_json_edge PART_EDGES[] = {
    FGW_JSON_EDGE("type", NOTHING),
    FGW_JSON_EDGE("text", TEXT),
    FGW_JSON_EDGE("thinking", TEXT),
    FGW_JSON_EDGE("image_url", IMAGE),
};

static const struct fgw_json_edge IMAGE_EDGES[] = {
    FGW_JSON_EDGE("url", DATA_URL),
    FGW_JSON_EDGE("detail", NOTHING),
};

#define ONCE .flags = FGW_JSON_ONCE

static const struct fgw_json_node ASK_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), .slot = ASK_ROOT, .flags = FGW_JSON_CASES},
    [MODEL] = {.slot = ASK_MODEL, ONCE},
    [STREAM] = {.slot = ASK_STREAM, ONCE},
    [MAX_TOKENS] = {.slot = ASK_MAX_TOKENS, ONCE},
    [TOOLS] = {.slot = ASK_TOOLS, ONCE},
    [FORMAT] = {.slot = ASK_FORMAT},
    [MESSAGES] = {.element = MESSAGE, .slot = ASK_MESSAGES, ONCE},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), .other = TEXT_TREE, FGW_NODE_PLAIN},
    [CONTENT] = {.element = PART, .text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [PART] = {FGW_NODE_EDGES(PART_EDGES), .other = TEXT_TREE, .text = FGW_JSON_TEXT,
              FGW_NODE_PLAIN},
    [IMAGE] = {FGW_NODE_EDGES(IMAGE_EDGES), .text = FGW_JSON_DATA_URL, FGW_NODE_PLAIN},
    [DATA_URL] = {.text = FGW_JSON_DATA_URL, FGW_NODE_PLAIN},
    [INPUT] = {.element = TEXT, .slot = ASK_INPUT, .text = FGW_JSON_TEXT, ONCE},
    [INPUTS] = {.element = MESSAGE, .slot = ASK_PROMPT, ONCE},
    [IMAGES] = {.element = DATA_URL, FGW_NODE_PLAIN},
    [DOCUMENTS] = {.element = TEXT_TREE, FGW_NODE_PLAIN},
    [CONNECTORS] = {.slot = ASK_STORED, .flags = FGW_JSON_STICKY},
    [TEXT_TREE] = {.other = TEXT_TREE, .element = TEXT_TREE, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [TEXT] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ASK_ROOMS[ASK_SLOTS] = {
    [ASK_MODEL] = {0, FGW_MODEL_MAX},
};

const struct fgw_json_spec fgw_cohere_ask = {
    .nodes = ASK_NODES,
    .rooms = ASK_ROOMS,
    .node_count = sizeof ASK_NODES / sizeof *ASK_NODES,
    .slot_count = ASK_SLOTS,
};

const struct fgw_limit_members *fgw_cohere_limits(uint8_t operation)
{
    static const struct fgw_limit_members LIMIT = {{ASK_MAX_TOKENS, FGW_LIMIT_NONE},
                                                   "\"max_tokens\":", NULL, NULL};

    return operation == FGW_OPERATION_CHAT ? &LIMIT : &fgw_limit_unknown;
}
