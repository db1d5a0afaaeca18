#include "fgw_dialect_openai.h"

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    MODEL,
    STREAM,
    N,
    BEST_OF,
    USER,
    SAFETY_ID,
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    MAX_OUTPUT_TOKENS,
    OPTIONS,
    INCLUDE_USAGE,
    TOOLS,
    TOOL,
    BOUND_WORD,
    FUNCTIONS,
    FORMAT,
    MESSAGES,
    INPUT,
    PROMPT,
    PROMPT_PART,
    MORE_MODELS,
    STORED,
    MESSAGE,
    INPUT_ITEM,
    KIND,
    SAID_BEFORE,
    CONTENT,
    PART,
    IMAGE,
    AUDIO,
    FILE_PART,
    DATA_URL,
    BINARY,
    REMOTE,
    TEXT_TREE,
    TEXT,
    BACKGROUND,
    TIER,
    QUALITY,
    SIZE,
};

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("messages", MESSAGES),
    FGW_JSON_EDGE("stream", STREAM),
    FGW_JSON_EDGE("stream_options", OPTIONS),
    FGW_JSON_EDGE("max_tokens", MAX_TOKENS),
    FGW_JSON_EDGE("max_completion_tokens", MAX_COMPLETION_TOKENS),
    FGW_JSON_EDGE("max_output_tokens", MAX_OUTPUT_TOKENS),
    FGW_JSON_EDGE("n", N),
    FGW_JSON_EDGE("best_of", BEST_OF),
    FGW_JSON_EDGE("user", USER),
    FGW_JSON_EDGE("safety_identifier", SAFETY_ID),
    FGW_JSON_EDGE("tools", TOOLS),
    FGW_JSON_EDGE("functions", FUNCTIONS),
    FGW_JSON_EDGE("response_format", FORMAT), /* chat */
    FGW_JSON_EDGE("text", FORMAT),            /* responses */
    FGW_JSON_EDGE("input", INPUT),
    FGW_JSON_EDGE("prompt", PROMPT),
    FGW_JSON_EDGE("instructions", TEXT),
    FGW_JSON_EDGE("suffix", TEXT),
    FGW_JSON_EDGE("prediction", TEXT_TREE),
    FGW_JSON_EDGE("previous_response_id", STORED),
    FGW_JSON_EDGE("conversation", STORED),
    FGW_JSON_EDGE("web_search_options", STORED),
    FGW_JSON_EDGE("plugins", STORED),     /* OpenRouter: web search, file parsers */
    FGW_JSON_EDGE("models", MORE_MODELS), /* OpenRouter, Vercel: tried in order */
    FGW_JSON_EDGE("background", BACKGROUND), /* responses */
    FGW_JSON_EDGE("deferred", BACKGROUND),   /* xAI: chat */
    FGW_JSON_EDGE("service_tier", TIER),
    FGW_JSON_EDGE("quality", QUALITY), /* images */
    FGW_JSON_EDGE("size", SIZE),
};

static const struct fgw_json_edge OPTIONS_EDGES[] = {
    FGW_JSON_EDGE("include_usage", INCLUDE_USAGE),
};

static const struct fgw_json_edge TOOL_EDGES[] = {FGW_JSON_EDGE("type", BOUND_WORD)};

/* A message of chat, or an item of responses' input; as content parts, whose types say little. */
static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("role", NOTHING),
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("type", KIND),
    FGW_JSON_EDGE("tool_call_id", NOTHING),
    FGW_JSON_EDGE("call_id", NOTHING),
    FGW_JSON_EDGE("id", NOTHING),
    FGW_JSON_EDGE("status", NOTHING),
    FGW_JSON_EDGE("output", CONTENT),
    FGW_JSON_EDGE("encrypted_content", NOTHING),
    FGW_JSON_EDGE("cache_control", NOTHING),
    FGW_JSON_EDGE("text", TEXT),
    FGW_JSON_EDGE("image_url", IMAGE),
    FGW_JSON_EDGE("video_url", IMAGE),
    FGW_JSON_EDGE("audio_url", IMAGE), /* vLLM */
    FGW_JSON_EDGE("audio", SAID_BEFORE),
    FGW_JSON_EDGE("input_audio", AUDIO),
    FGW_JSON_EDGE("file", FILE_PART),
    FGW_JSON_EDGE("file_data", BOUND_WORD),
    FGW_JSON_EDGE("file_id", REMOTE),
    FGW_JSON_EDGE("file_url", REMOTE),
    FGW_JSON_EDGE("detail", NOTHING),
    FGW_JSON_EDGE("filename", NOTHING),
};

static const struct fgw_json_edge IMAGE_EDGES[] = {
    FGW_JSON_EDGE("url", DATA_URL),
    FGW_JSON_EDGE("detail", NOTHING),
};

static const struct fgw_json_edge AUDIO_EDGES[] = {FGW_JSON_EDGE("data", BINARY)};

/* Sound of an earlier answer, by its id alone: it is heard again, and is not in the body. */
static const struct fgw_json_edge SAID_BEFORE_EDGES[] = {
    FGW_JSON_EDGE("id", REMOTE),
    FGW_JSON_EDGE("url", DATA_URL),
    FGW_JSON_EDGE("data", BINARY),
};

static const struct fgw_json_edge FILE_EDGES[] = {
    FGW_JSON_EDGE("file_data", BOUND_WORD),
    FGW_JSON_EDGE("file_id", REMOTE),
    FGW_JSON_EDGE("file_url", REMOTE),
};

#define ONCE .flags = FGW_JSON_ONCE

static const struct fgw_json_node ASK_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), .slot = ASK_ROOT, .flags = FGW_JSON_CASES},
    [MODEL] = {.slot = ASK_MODEL, ONCE},
    [STREAM] = {.slot = ASK_STREAM, ONCE},
    [N] = {.slot = ASK_N, ONCE},
    [BEST_OF] = {.slot = ASK_BEST_OF, ONCE},
    [USER] = {.slot = ASK_USER, ONCE},
    [SAFETY_ID] = {.slot = ASK_SAFETY_ID, ONCE},
    [MAX_COMPLETION_TOKENS] = {.slot = ASK_MAX_COMPLETION_TOKENS, ONCE},
    [MAX_TOKENS] = {.slot = ASK_MAX_TOKENS, ONCE},
    [MAX_OUTPUT_TOKENS] = {.slot = ASK_MAX_OUTPUT_TOKENS, ONCE},
    [OPTIONS] = {FGW_NODE_EDGES(OPTIONS_EDGES), .slot = ASK_OPTIONS, ONCE},
    [INCLUDE_USAGE] = {.slot = ASK_INCLUDE_USAGE, ONCE},
    [TOOLS] = {.element = TOOL, .slot = ASK_TOOLS, ONCE},
    [TOOL] = {FGW_NODE_EDGES(TOOL_EDGES), FGW_NODE_PLAIN},
    [BOUND_WORD] = {.text = FGW_JSON_WORD, FGW_NODE_PLAIN},
    [FUNCTIONS] = {.slot = ASK_FUNCTIONS, ONCE},
    [FORMAT] = {.slot = ASK_FORMAT},
    [MESSAGES] = {.element = MESSAGE, .slot = ASK_MESSAGES, ONCE},
    [INPUT] = {.element = INPUT_ITEM, .slot = ASK_INPUT, .text = FGW_JSON_TEXT, ONCE},
    /* A string, several, or an object that names a prompt stored at the provider. */
    [PROMPT] = {.element = PROMPT_PART, .other = TEXT_TREE, .slot = ASK_PROMPT,
                .text = FGW_JSON_TEXT, ONCE},
    [PROMPT_PART] = {FGW_NODE_EDGES(MESSAGE_EDGES), .other = TEXT_TREE, .slot = ASK_PROMPT_PART,
                     .text = FGW_JSON_TEXT},
    [MORE_MODELS] = {.slot = ASK_MORE_MODELS, ONCE},
    [BACKGROUND] = {.slot = ASK_BACKGROUND, ONCE},
    [TIER] = {.slot = ASK_TIER, ONCE},
    [QUALITY] = {.slot = ASK_QUALITY, ONCE},
    [SIZE] = {.slot = ASK_SIZE, ONCE},
    [STORED] = {.slot = ASK_STORED, .flags = FGW_JSON_STICKY},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), .other = TEXT_TREE, .text = FGW_JSON_TEXT,
                 FGW_NODE_PLAIN},
    /* {"id"} alone is a reference, too: its type may be left out. */
    [INPUT_ITEM] = {FGW_NODE_EDGES(MESSAGE_EDGES), .other = TEXT_TREE, .slot = ASK_ITEM,
                    .text = FGW_JSON_TEXT, .flags = FGW_JSON_LONE},
    [KIND] = {.text = FGW_JSON_ALIEN, FGW_NODE_PLAIN},
    [SAID_BEFORE] = {FGW_NODE_EDGES(SAID_BEFORE_EDGES), FGW_NODE_PLAIN},
    [CONTENT] = {FGW_NODE_EDGES(MESSAGE_EDGES), .element = PART, .other = TEXT_TREE,
                 .text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [PART] = {FGW_NODE_EDGES(MESSAGE_EDGES), .other = TEXT_TREE, .text = FGW_JSON_TEXT,
              FGW_NODE_PLAIN},
    [IMAGE] = {FGW_NODE_EDGES(IMAGE_EDGES), .text = FGW_JSON_DATA_URL, FGW_NODE_PLAIN},
    [AUDIO] = {FGW_NODE_EDGES(AUDIO_EDGES), FGW_NODE_PLAIN},
    [FILE_PART] = {FGW_NODE_EDGES(FILE_EDGES), FGW_NODE_PLAIN},
    [DATA_URL] = {.text = FGW_JSON_DATA_URL, FGW_NODE_PLAIN},
    [BINARY] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [REMOTE] = {.text = FGW_JSON_REMOTE, FGW_NODE_PLAIN},
    [TEXT_TREE] = {.other = TEXT_TREE, .element = TEXT_TREE, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [TEXT] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ASK_ROOMS[ASK_SLOTS] = {
    [ASK_MODEL] = {0, FGW_MODEL_MAX},
    [ASK_USER] = {FGW_MODEL_MAX, FGW_USER_MAX},
    [ASK_SAFETY_ID] = {FGW_MODEL_MAX + FGW_USER_MAX, FGW_USER_MAX},
    [ASK_TIER] = {FGW_MODEL_MAX + 2 * FGW_USER_MAX, FGW_TIER_MAX},
};
_Static_assert(FGW_MODEL_MAX + 2 * FGW_USER_MAX + FGW_TIER_MAX <= FGW_JSON_COPY_MAX,
               "room for the copies");

/* What a tool's type, or a file's bytes, begin with if no more input comes of them than is in the
 * body. Other tools run at the provider and feed what they find; other files are
 * unpacked there. */
static const char *const BOUNDED[] = {"function",    "custom",     "computer", "local_shell",
                                      "apply_patch", "data:text/", NULL};

/* Items of responses' input that stand for what the provider has kept of an earlier answer. */
static const char *const KEPT[] = {"item_reference", NULL};

const struct fgw_json_spec fgw_openai_ask = {
    .nodes = ASK_NODES,
    .rooms = ASK_ROOMS,
    .words = BOUNDED,
    .aliens = KEPT,
    .node_count = sizeof ASK_NODES / sizeof *ASK_NODES,
    .slot_count = ASK_SLOTS,
};

const struct fgw_limit_members *fgw_openai_limits(uint8_t operation)
{
    static const struct fgw_limit_members CHAT = {{ASK_MAX_COMPLETION_TOKENS, ASK_MAX_TOKENS},
                                                  "\"max_completion_tokens\":",
                                                  "\"max_tokens\":", NULL};
    static const struct fgw_limit_members RESPONSES = {{ASK_MAX_OUTPUT_TOKENS, FGW_LIMIT_NONE},
                                                       "\"max_output_tokens\":", NULL, NULL};
    static const struct fgw_limit_members COMPLETIONS = {{ASK_MAX_TOKENS, FGW_LIMIT_NONE},
                                                         "\"max_tokens\":", NULL, NULL};

    switch (operation) {
    case FGW_OPERATION_CHAT:
        return &CHAT;
    case FGW_OPERATION_RESPONSES:
        return &RESPONSES;
    case FGW_OPERATION_COMPLETIONS:
        return &COMPLETIONS;
    default:
        return &fgw_limit_unknown;
    }
}

/* Of moderations since 2024-09 (as clients and documentation of third parties have it; OpenAI's
 * own page could not be read here). Of images the SDK says "specify a model explicitly" since the
 * model that was the default is shut down: so none is assumed. */
const char *fgw_openai_default_model(uint8_t operation)
{
    return operation == FGW_OPERATION_MODERATIONS ? "omni-moderation-latest" : NULL;
}
