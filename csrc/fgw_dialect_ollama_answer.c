#include "fgw_dialect_ollama_answer.h"

#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    TRACKED_ROOT,
    MODEL,
    DONE,
    ERROR,
    MESSAGE,
    TRACKED_MESSAGE,
    CALLS,
    CALL,
    FUNCTION,
    GENERATED,
    ARGUMENTS,
    SAID_TEXT,
    SAID_THOUGHT,
    NODE_INPUT,
    NODE_OUTPUT,
    NODE_CACHED,
};

enum { ANSWER_DONE = ANSWER_FINISH };

#define COUNTS \
    FGW_JSON_EDGE("model", MODEL), \
    FGW_JSON_EDGE("done", DONE), \
    FGW_JSON_EDGE("error", ERROR), \
    FGW_JSON_EDGE("prompt_eval_count", NODE_INPUT), \
    FGW_JSON_EDGE("eval_count", NODE_OUTPUT), \
    FGW_JSON_EDGE("prompt_eval_cached_count", NODE_CACHED)

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("message", MESSAGE),
    FGW_JSON_EDGE("response", GENERATED), /* generate */
    FGW_JSON_EDGE("thinking", GENERATED),
    COUNTS,
};

static const struct fgw_json_edge TRACKED_ROOT_EDGES[] = {
    FGW_JSON_EDGE("message", TRACKED_MESSAGE),
    FGW_JSON_EDGE("response", SAID_TEXT),
    FGW_JSON_EDGE("thinking", SAID_THOUGHT),
    COUNTS,
};

static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("content", GENERATED),
    FGW_JSON_EDGE("thinking", GENERATED),
    FGW_JSON_EDGE("tool_calls", CALLS),
};

static const struct fgw_json_edge TRACKED_MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("content", SAID_TEXT),
    FGW_JSON_EDGE("thinking", SAID_THOUGHT),
    FGW_JSON_EDGE("tool_calls", CALLS),
};

static const struct fgw_json_edge CALL_EDGES[] = {FGW_JSON_EDGE("function", FUNCTION)};

static const struct fgw_json_edge FUNCTION_EDGES[] = {FGW_JSON_EDGE("arguments", ARGUMENTS)};

static const struct fgw_json_node ANSWER_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), FGW_NODE_PLAIN},
    [TRACKED_ROOT] = {FGW_NODE_EDGES(TRACKED_ROOT_EDGES), FGW_NODE_PLAIN},
    [MODEL] = {.slot = ANSWER_MODEL},
    [DONE] = {.slot = ANSWER_DONE},
    [ERROR] = {.slot = ANSWER_ERROR},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), FGW_NODE_PLAIN},
    [TRACKED_MESSAGE] = {FGW_NODE_EDGES(TRACKED_MESSAGE_EDGES), FGW_NODE_PLAIN},
    [CALLS] = {.element = CALL, FGW_NODE_PLAIN},
    [CALL] = {FGW_NODE_EDGES(CALL_EDGES), FGW_NODE_PLAIN},
    [FUNCTION] = {FGW_NODE_EDGES(FUNCTION_EDGES), FGW_NODE_PLAIN},
    [GENERATED] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [ARGUMENTS] = {.other = ARGUMENTS, .element = ARGUMENTS, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [SAID_TEXT] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_THOUGHT] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [NODE_INPUT] = {.slot = ANSWER_INPUT},
    [NODE_OUTPUT] = {.slot = ANSWER_OUTPUT},
    [NODE_CACHED] = {.slot = ANSWER_CACHED},
};

static const struct fgw_json_room ANSWER_ROOMS[ANSWER_SLOTS] = {
    [ANSWER_MODEL] = {0, FGW_METER_MODEL_MAX},
};

const struct fgw_json_spec fgw_ollama_answer = {
    .nodes = ANSWER_NODES,
    .rooms = ANSWER_ROOMS,
    .node_count = sizeof ANSWER_NODES / sizeof *ANSWER_NODES,
    .slot_count = ANSWER_SLOTS,
    .lenient = 1,
};

uint8_t fgw_ollama_root(const struct fgw_meter *meter)
{
    return meter->tracked ? FGW_OLLAMA_TRACKED_ROOT : FGW_OLLAMA_ROOT;
}

int64_t fgw_ollama_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member)
{
    *kind = meter->json.node == SAID_THOUGHT ? FGW_VOICE_THOUGHT : FGW_VOICE_TEXT;
    *member = 0;
    return 0;
}

unsigned fgw_ollama_fold(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    enum fgw_json_type error = fgw_json_type_of(json, ANSWER_ERROR);
    struct fgw_usage_report report = {0};
    unsigned flags = 0;

    if (meter->tracked)
        meter->state.begun = 1;
    if (fgw_json_type_of(json, ANSWER_DONE) == FGW_JSON_TRUE)
        flags |= FGW_EVENT_FINISH | FGW_EVENT_DONE;
    if (error > FGW_JSON_FALSE && (error != FGW_JSON_STRING || json->slots[ANSWER_ERROR].count))
        flags |= FGW_EVENT_ERROR;
    fgw_report_take(&report, json, FGW_REPORT_INPUT, ANSWER_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_OUTPUT, ANSWER_OUTPUT);
    fgw_report_take(&report, json, FGW_REPORT_CACHED, ANSWER_CACHED);
    if (report.present) {
        meter->report = report;
        flags |= FGW_EVENT_USAGE;
    }
    return flags;
}

int fgw_ollama_final(const struct fgw_meter *meter)
{
    return !meter->streaming || meter->ever & (FGW_EVENT_DONE | FGW_EVENT_ERROR);
}

void fgw_ollama_classes(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    const struct fgw_usage_report *report = &meter->report;
    uint64_t input = report->value[FGW_REPORT_INPUT], cached = report->value[FGW_REPORT_CACHED];

    if (!(report->present >> FGW_REPORT_INPUT & 1)) {
        usage->flags |= FGW_USAGE_NO_INPUT;
    } else if (cached > input) {
        usage->flags |= FGW_USAGE_CLAMPED;
        cached = input;
    }
    usage->cached_input = usage->flags & FGW_USAGE_NO_INPUT ? 0 : cached;
    usage->input = input - usage->cached_input;
    usage->output = report->value[FGW_REPORT_OUTPUT];
}
