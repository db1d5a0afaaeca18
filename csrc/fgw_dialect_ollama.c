#include "fgw_dialect_ollama.h"

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    MODEL,
    STREAM,
    OPTIONS,
    NUM_PREDICT,
    TOOLS,
    FORMAT,
    MESSAGES,
    MESSAGE,
    INPUT,
    PROMPT,
    IMAGES,
    BINARY,
    TEXT_TREE,
    TEXT,
};

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("messages", MESSAGES),
    FGW_JSON_EDGE("stream", STREAM),
    FGW_JSON_EDGE("options", OPTIONS),
    FGW_JSON_EDGE("tools", TOOLS),
    FGW_JSON_EDGE("format", FORMAT),
    FGW_JSON_EDGE("prompt", PROMPT),
    FGW_JSON_EDGE("suffix", TEXT),
    FGW_JSON_EDGE("system", TEXT),
    FGW_JSON_EDGE("template", TEXT),
    FGW_JSON_EDGE("images", IMAGES),
    FGW_JSON_EDGE("input", INPUT), /* embed */
};

static const struct fgw_json_edge OPTIONS_EDGES[] = {
    FGW_JSON_EDGE("num_predict", NUM_PREDICT),
};

static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("role", NOTHING),
    FGW_JSON_EDGE("content", TEXT),
    FGW_JSON_EDGE("thinking", TEXT),
    FGW_JSON_EDGE("images", IMAGES),
    FGW_JSON_EDGE("tool_name", NOTHING),
};

#define ONCE .flags = FGW_JSON_ONCE

static const struct fgw_json_node ASK_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), .slot = ASK_ROOT, .flags = FGW_JSON_CASES},
    [MODEL] = {.slot = ASK_MODEL, ONCE},
    [STREAM] = {.slot = ASK_STREAM, ONCE},
    /* A map there, so its names are as they are written. */
    [OPTIONS] = {FGW_NODE_EDGES(OPTIONS_EDGES), .slot = ASK_OPTIONS, ONCE},
    [NUM_PREDICT] = {.slot = ASK_MAX_TOKENS, ONCE},
    [TOOLS] = {.slot = ASK_TOOLS, ONCE},
    [FORMAT] = {.slot = ASK_FORMAT},
    [MESSAGES] = {.element = MESSAGE, .slot = ASK_MESSAGES, ONCE},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), .other = TEXT_TREE, FGW_NODE_PLAIN},
    [INPUT] = {.element = TEXT, .slot = ASK_INPUT, .text = FGW_JSON_TEXT, ONCE},
    [PROMPT] = {.slot = ASK_PROMPT, .text = FGW_JSON_TEXT, ONCE},
    [IMAGES] = {.element = BINARY, FGW_NODE_PLAIN},
    [BINARY] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [TEXT_TREE] = {.other = TEXT_TREE, .element = TEXT_TREE, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [TEXT] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ASK_ROOMS[ASK_SLOTS] = {
    [ASK_MODEL] = {0, FGW_MODEL_MAX},
};

const struct fgw_json_spec fgw_ollama_ask = {
    .nodes = ASK_NODES,
    .rooms = ASK_ROOMS,
    .node_count = sizeof ASK_NODES / sizeof *ASK_NODES,
    .slot_count = ASK_SLOTS,
};

const struct fgw_limit_members *fgw_ollama_limits(uint8_t operation)
{
    static const struct fgw_limit_members LIMIT = {{ASK_MAX_TOKENS, FGW_LIMIT_NONE},
                                                   "\"num_predict\":", NULL, "\"options\":"};

    if (operation == FGW_OPERATION_CHAT || operation == FGW_OPERATION_GENERATE)
        return &LIMIT;
    return &fgw_limit_unknown;
}
