#include "fgw_dialect_anthropic.h"

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    MODEL,
    STREAM,
    METADATA,
    USER,
    MAX_TOKENS,
    TOOLS,
    TOOL,
    BOUND_WORD,
    FORMAT,
    MESSAGES,
    MESSAGE,
    CONTENT,
    BLOCK,
    SOURCE,
    SERVERS,
    MORE_MODELS,
    TIER,
    SPEED,
    PLACE,
    BINARY,
    REMOTE,
    TEXT_TREE,
    TEXT,
};

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("max_tokens", MAX_TOKENS),
    FGW_JSON_EDGE("messages", MESSAGES),
    FGW_JSON_EDGE("stream", STREAM),
    FGW_JSON_EDGE("system", CONTENT),
    FGW_JSON_EDGE("tools", TOOLS),
    FGW_JSON_EDGE("metadata", METADATA),
    FGW_JSON_EDGE("mcp_servers", SERVERS),
    FGW_JSON_EDGE("fallbacks", MORE_MODELS),
    FGW_JSON_EDGE("service_tier", TIER),
    FGW_JSON_EDGE("speed", SPEED),
    FGW_JSON_EDGE("inference_geo", PLACE),
    FGW_JSON_EDGE("output_config", FORMAT),
    FGW_JSON_EDGE("output_format", FORMAT),
};

static const struct fgw_json_edge METADATA_EDGES[] = {FGW_JSON_EDGE("user_id", USER)};

static const struct fgw_json_edge TOOL_EDGES[] = {FGW_JSON_EDGE("type", BOUND_WORD)};

static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("role", NOTHING),
    FGW_JSON_EDGE("content", CONTENT),
};

static const struct fgw_json_edge BLOCK_EDGES[] = {
    FGW_JSON_EDGE("type", NOTHING),
    FGW_JSON_EDGE("text", TEXT),
    FGW_JSON_EDGE("source", SOURCE),
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("cache_control", NOTHING),
    FGW_JSON_EDGE("id", NOTHING),
    FGW_JSON_EDGE("tool_use_id", NOTHING),
    FGW_JSON_EDGE("signature", NOTHING),
    FGW_JSON_EDGE("data", NOTHING), /* redacted thinking */
    FGW_JSON_EDGE("encrypted_content", NOTHING),
    FGW_JSON_EDGE("file_id", REMOTE),
};

static const struct fgw_json_edge SOURCE_EDGES[] = {
    FGW_JSON_EDGE("data", BINARY),
    FGW_JSON_EDGE("media_type", BOUND_WORD),
    FGW_JSON_EDGE("url", REMOTE),
    FGW_JSON_EDGE("file_id", REMOTE),
    FGW_JSON_EDGE("content", CONTENT),
};

#define ONCE .flags = FGW_JSON_ONCE

static const struct fgw_json_node ASK_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), .slot = ASK_ROOT, .flags = FGW_JSON_CASES},
    [MODEL] = {.slot = ASK_MODEL, ONCE},
    [STREAM] = {.slot = ASK_STREAM, ONCE},
    [METADATA] = {FGW_NODE_EDGES(METADATA_EDGES), FGW_NODE_PLAIN},
    [USER] = {.slot = ASK_USER, ONCE},
    [MAX_TOKENS] = {.slot = ASK_MAX_TOKENS, ONCE},
    [TOOLS] = {.element = TOOL, .slot = ASK_TOOLS, ONCE},
    [TOOL] = {FGW_NODE_EDGES(TOOL_EDGES), FGW_NODE_PLAIN},
    [BOUND_WORD] = {.text = FGW_JSON_WORD, FGW_NODE_PLAIN},
    [FORMAT] = {.slot = ASK_FORMAT},
    [MESSAGES] = {.element = MESSAGE, .slot = ASK_MESSAGES, ONCE},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), FGW_NODE_PLAIN},
    [CONTENT] = {.element = BLOCK, .text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [BLOCK] = {FGW_NODE_EDGES(BLOCK_EDGES), .other = TEXT_TREE, .text = FGW_JSON_TEXT,
               FGW_NODE_PLAIN},
    [SOURCE] = {FGW_NODE_EDGES(SOURCE_EDGES), FGW_NODE_PLAIN},
    [SERVERS] = {.slot = ASK_STORED, .flags = FGW_JSON_STICKY},
    [MORE_MODELS] = {.slot = ASK_MORE_MODELS, ONCE},
    [TIER] = {.slot = ASK_TIER, ONCE},
    [SPEED] = {.slot = ASK_SPEED, ONCE},
    [PLACE] = {.slot = ASK_PLACE, ONCE},
    [BINARY] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [REMOTE] = {.text = FGW_JSON_REMOTE, FGW_NODE_PLAIN},
    [TEXT_TREE] = {.other = TEXT_TREE, .element = TEXT_TREE, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [TEXT] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ASK_ROOMS[ASK_SLOTS] = {
    [ASK_MODEL] = {0, FGW_MODEL_MAX},
    [ASK_USER] = {FGW_MODEL_MAX, FGW_USER_MAX},
    [ASK_TIER] = {FGW_MODEL_MAX + FGW_USER_MAX, FGW_TIER_MAX},
    [ASK_SPEED] = {FGW_MODEL_MAX + FGW_USER_MAX + FGW_TIER_MAX, FGW_TIER_MAX},
    [ASK_PLACE] = {FGW_MODEL_MAX + FGW_USER_MAX + 2 * FGW_TIER_MAX, FGW_TIER_MAX},
};

/* What a tool's type (they bear dates), or a source's media type, begins with if no more input
 * comes of it than is in the body. Other tools run at the provider; documents are
 * unpacked there. */
static const char *const BOUNDED[] = {"custom", "bash_", "text_editor_", "computer_", "memory_",
                                      "image/", "text/", NULL};

const struct fgw_json_spec fgw_anthropic_ask = {
    .nodes = ASK_NODES,
    .rooms = ASK_ROOMS,
    .words = BOUNDED,
    .node_count = sizeof ASK_NODES / sizeof *ASK_NODES,
    .slot_count = ASK_SLOTS,
};

const struct fgw_limit_members *fgw_anthropic_limits(uint8_t operation)
{
    static const struct fgw_limit_members LIMIT = {{ASK_MAX_TOKENS, FGW_LIMIT_NONE},
                                                   "\"max_tokens\":", NULL, NULL};

    return operation == FGW_OPERATION_MESSAGES ? &LIMIT : &fgw_limit_unknown;
}
