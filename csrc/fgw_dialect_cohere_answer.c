#include "fgw_dialect_cohere_answer.h"

#include <string.h>

#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    BODY,
    EVENT,
    TRACKED_EVENT,
    ID,
    TYPE,
    INDEX,
    FINISH,
    ERROR,
    MESSAGE,
    DELTA,
    TRACKED_DELTA,
    TRACKED_MESSAGE,
    CONTENT,
    TRACKED_CONTENT,
    CALLS,
    TRACKED_CALLS,
    FUNCTION,
    TRACKED_FUNCTION,
    GENERATED,
    SAID_TEXT,
    SAID_THOUGHT,
    SAID_CALL,
    RESPONSE,
    USAGE,
    BILLED,
    TOKENS,
    NODE_BILLED_INPUT,
    NODE_BILLED_OUTPUT,
    NODE_BILLED_IMAGE,
    NODE_SEARCHES,
    NODE_INPUT,
    NODE_OUTPUT,
    NODE_REASONING,
    NODE_IMAGE_INPUT,
    NODE_CACHED,
};

/* In slots that this dialect has no other use for. */
enum {
    ANSWER_BILLED_INPUT = ANSWER_PASS_INPUT,
    ANSWER_BILLED_OUTPUT = ANSWER_PASS_OUTPUT,
    ANSWER_BILLED_IMAGE = ANSWER_PASS_CACHED,
    ANSWER_INDEX = ANSWER_BLOCK_INDEX,
};

static const struct fgw_json_edge BODY_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("response_id", ID), /* v1 */
    FGW_JSON_EDGE("message", MESSAGE),
    FGW_JSON_EDGE("text", GENERATED), /* v1 */
    FGW_JSON_EDGE("finish_reason", FINISH),
    FGW_JSON_EDGE("usage", USAGE),
    FGW_JSON_EDGE("meta", USAGE), /* v1, embeddings */
};

static const struct fgw_json_edge EVENT_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("generation_id", ID), /* v1 */
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("event_type", TYPE), /* v1 */
    FGW_JSON_EDGE("delta", DELTA),
    FGW_JSON_EDGE("text", GENERATED),       /* v1: text-generation, stream's whole left out */
    FGW_JSON_EDGE("finish_reason", FINISH), /* v1 */
    FGW_JSON_EDGE("response", RESPONSE),    /* v1 */
    FGW_JSON_EDGE("error", ERROR),
};

static const struct fgw_json_edge TRACKED_EVENT_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("index", INDEX),
    FGW_JSON_EDGE("delta", TRACKED_DELTA),
    FGW_JSON_EDGE("error", ERROR),
};

#define DELTA_MEMBERS \
    FGW_JSON_EDGE("finish_reason", FINISH), \
    FGW_JSON_EDGE("usage", USAGE), \
    FGW_JSON_EDGE("error", ERROR)

static const struct fgw_json_edge DELTA_EDGES[] = {FGW_JSON_EDGE("message", MESSAGE),
                                                   DELTA_MEMBERS};
static const struct fgw_json_edge TRACKED_DELTA_EDGES[] = {
    FGW_JSON_EDGE("message", TRACKED_MESSAGE), DELTA_MEMBERS};

/* Of a body; in events what is an array there comes one by one. (Citations repeat the text.) */
static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("tool_plan", GENERATED),
    FGW_JSON_EDGE("tool_calls", CALLS),
};

static const struct fgw_json_edge TRACKED_MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("content", TRACKED_CONTENT),
    FGW_JSON_EDGE("tool_plan", SAID_THOUGHT),
    FGW_JSON_EDGE("tool_calls", TRACKED_CALLS),
};

static const struct fgw_json_edge CONTENT_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("thinking", GENERATED),
};

static const struct fgw_json_edge TRACKED_CONTENT_EDGES[] = {
    FGW_JSON_EDGE("text", SAID_TEXT),
    FGW_JSON_EDGE("thinking", SAID_THOUGHT),
};

static const struct fgw_json_edge CALLS_EDGES[] = {FGW_JSON_EDGE("function", FUNCTION)};
static const struct fgw_json_edge TRACKED_CALLS_EDGES[] = {
    FGW_JSON_EDGE("function", TRACKED_FUNCTION)};
static const struct fgw_json_edge FUNCTION_EDGES[] = {FGW_JSON_EDGE("arguments", GENERATED)};
static const struct fgw_json_edge TRACKED_FUNCTION_EDGES[] = {
    FGW_JSON_EDGE("arguments", SAID_CALL)};

static const struct fgw_json_edge RESPONSE_EDGES[] = {FGW_JSON_EDGE("meta", USAGE)};

static const struct fgw_json_edge USAGE_EDGES[] = {
    FGW_JSON_EDGE("billed_units", BILLED),
    FGW_JSON_EDGE("tokens", TOKENS),
    FGW_JSON_EDGE("cached_tokens", NODE_CACHED),
};

static const struct fgw_json_edge BILLED_EDGES[] = {
    FGW_JSON_EDGE("input_tokens", NODE_BILLED_INPUT),
    FGW_JSON_EDGE("output_tokens", NODE_BILLED_OUTPUT),
    FGW_JSON_EDGE("image_tokens", NODE_BILLED_IMAGE),
    FGW_JSON_EDGE("search_units", NODE_SEARCHES), /* rerank; and chat, of old */
};

static const struct fgw_json_edge TOKENS_EDGES[] = {
    FGW_JSON_EDGE("input_tokens", NODE_INPUT),
    FGW_JSON_EDGE("output_tokens", NODE_OUTPUT),
    FGW_JSON_EDGE("reasoning_tokens", NODE_REASONING),
    FGW_JSON_EDGE("image_tokens", NODE_IMAGE_INPUT),
};

static const struct fgw_json_node ANSWER_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [BODY] = {FGW_NODE_EDGES(BODY_EDGES), FGW_NODE_PLAIN},
    [EVENT] = {FGW_NODE_EDGES(EVENT_EDGES), FGW_NODE_PLAIN},
    [TRACKED_EVENT] = {FGW_NODE_EDGES(TRACKED_EVENT_EDGES), FGW_NODE_PLAIN},
    [ID] = {.slot = ANSWER_ID},
    [TYPE] = {.slot = ANSWER_TYPE},
    [INDEX] = {.slot = ANSWER_INDEX},
    [FINISH] = {.slot = ANSWER_FINISH},
    [ERROR] = {.slot = ANSWER_ERROR},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), FGW_NODE_PLAIN},
    [DELTA] = {FGW_NODE_EDGES(DELTA_EDGES), FGW_NODE_PLAIN},
    [TRACKED_DELTA] = {FGW_NODE_EDGES(TRACKED_DELTA_EDGES), FGW_NODE_PLAIN},
    [TRACKED_MESSAGE] = {FGW_NODE_EDGES(TRACKED_MESSAGE_EDGES), FGW_NODE_PLAIN},
    [CONTENT] = {FGW_NODE_EDGES(CONTENT_EDGES), .element = CONTENT, FGW_NODE_PLAIN},
    [TRACKED_CONTENT] = {FGW_NODE_EDGES(TRACKED_CONTENT_EDGES), .element = TRACKED_CONTENT,
                         FGW_NODE_PLAIN},
    [CALLS] = {FGW_NODE_EDGES(CALLS_EDGES), .element = CALLS, FGW_NODE_PLAIN},
    [TRACKED_CALLS] = {FGW_NODE_EDGES(TRACKED_CALLS_EDGES), .element = TRACKED_CALLS,
                       FGW_NODE_PLAIN},
    [FUNCTION] = {FGW_NODE_EDGES(FUNCTION_EDGES), FGW_NODE_PLAIN},
    [TRACKED_FUNCTION] = {FGW_NODE_EDGES(TRACKED_FUNCTION_EDGES), FGW_NODE_PLAIN},
    [GENERATED] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [SAID_TEXT] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_THOUGHT] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_CALL] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [RESPONSE] = {FGW_NODE_EDGES(RESPONSE_EDGES), FGW_NODE_PLAIN},
    [USAGE] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_USAGE},
    [BILLED] = {FGW_NODE_EDGES(BILLED_EDGES), FGW_NODE_PLAIN},
    [TOKENS] = {FGW_NODE_EDGES(TOKENS_EDGES), FGW_NODE_PLAIN},
    [NODE_BILLED_INPUT] = {.slot = ANSWER_BILLED_INPUT},
    [NODE_BILLED_OUTPUT] = {.slot = ANSWER_BILLED_OUTPUT},
    [NODE_BILLED_IMAGE] = {.slot = ANSWER_BILLED_IMAGE},
    [NODE_SEARCHES] = {.slot = ANSWER_SEARCHES},
    [NODE_INPUT] = {.slot = ANSWER_INPUT},
    [NODE_OUTPUT] = {.slot = ANSWER_OUTPUT},
    [NODE_REASONING] = {.slot = ANSWER_REASONING},
    [NODE_IMAGE_INPUT] = {.slot = ANSWER_IMAGE_INPUT},
    [NODE_CACHED] = {.slot = ANSWER_CACHED},
};

static const struct fgw_json_room ANSWER_ROOMS[ANSWER_SLOTS] = {
    [ANSWER_ID] = {0, FGW_METER_ID_MAX},
    [ANSWER_TYPE] = {FGW_METER_ID_MAX, 32},
    [ANSWER_FINISH] = {FGW_METER_ID_MAX + 32, 32},
};

const struct fgw_json_spec fgw_cohere_answer = {
    .nodes = ANSWER_NODES,
    .rooms = ANSWER_ROOMS,
    .node_count = sizeof ANSWER_NODES / sizeof *ANSWER_NODES,
    .slot_count = ANSWER_SLOTS,
    .lenient = 1,
};

uint8_t fgw_cohere_root(const struct fgw_meter *meter)
{
    if (!meter->streaming)
        return FGW_COHERE_BODY_ROOT;
    return meter->tracked ? FGW_COHERE_TRACKED_EVENT_ROOT : FGW_COHERE_EVENT_ROOT;
}

int64_t fgw_cohere_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member)
{
    *member = 0;
    *kind = FGW_VOICE_TEXT;
    if (meter->json.node == SAID_CALL)
        *kind = FGW_VOICE_CALL;
    else if (meter->json.node == SAID_THOUGHT)
        *kind = FGW_VOICE_THOUGHT;
    return 0;
}

static void track(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    int64_t index = fgw_json_number(json, ANSWER_INDEX, 0);

    meter->state.begun = 1;
    if (fgw_text_is(json, ANSWER_TYPE, "content-start"))
        fgw_track_block(&meter->state, index, 1);
    else if (fgw_text_is(json, ANSWER_TYPE, "content-end"))
        fgw_track_block(&meter->state, index, 0);
    else if (fgw_text_is(json, ANSWER_TYPE, "tool-call-start"))
        fgw_track_block(&meter->state, ~index, 1);
    else if (fgw_text_is(json, ANSWER_TYPE, "tool-call-end"))
        fgw_track_block(&meter->state, ~index, 0);
}

static void take_usage(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    struct fgw_usage_report report = {0};
    int64_t pictures = fgw_json_number(json, ANSWER_BILLED_IMAGE, 0);

    fgw_report_take(&report, json, FGW_REPORT_BILLED_INPUT, ANSWER_BILLED_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_BILLED_OUTPUT, ANSWER_BILLED_OUTPUT);
    /* Embeddings have no `tokens`: what is billed is all that was read. */
    fgw_report_take(&report, json, FGW_REPORT_INPUT, ANSWER_BILLED_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_OUTPUT, ANSWER_BILLED_OUTPUT);
    fgw_report_take(&report, json, FGW_REPORT_IMAGE_INPUT, ANSWER_BILLED_IMAGE);
    fgw_report_take(&report, json, FGW_REPORT_INPUT, ANSWER_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_OUTPUT, ANSWER_OUTPUT);
    fgw_report_take(&report, json, FGW_REPORT_CACHED, ANSWER_CACHED);
    fgw_report_take(&report, json, FGW_REPORT_REASONING, ANSWER_REASONING);
    fgw_report_take(&report, json, FGW_REPORT_IMAGE_INPUT, ANSWER_IMAGE_INPUT);
    if (pictures > 0) /* of embeddings, billed beside their texts */
        report.value[FGW_REPORT_BILLED_INPUT] += (uint64_t)pictures;
    fgw_take_searches(meter, ANSWER_SEARCHES);
    if (!report.present && fgw_json_type_of(json, ANSWER_SEARCHES) == FGW_JSON_NUMBER)
        report.present = 1u << FGW_REPORT_INPUT; /* rerank: there are no tokens in it */
    if (report.present)
        meter->report = report;
}

unsigned fgw_cohere_fold(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    enum fgw_json_type error = fgw_json_type_of(json, ANSWER_ERROR);
    unsigned flags = 0;

    if (meter->tracked)
        track(meter);
    if (fgw_text_is(json, ANSWER_TYPE, "message-end") ||
        fgw_text_is(json, ANSWER_TYPE, "stream-end"))
        flags |= FGW_EVENT_FINISH | FGW_EVENT_DONE;
    if (fgw_json_type_of(json, ANSWER_FINISH) == FGW_JSON_STRING)
        flags |= FGW_EVENT_FINISH;
    if ((error > FGW_JSON_FALSE &&
         (error != FGW_JSON_STRING || json->slots[ANSWER_ERROR].count)) ||
        (meter->streaming && fgw_text_is(json, ANSWER_FINISH, "ERROR")))
        flags |= FGW_EVENT_ERROR;
    if (fgw_json_type_of(json, ANSWER_USAGE) == FGW_JSON_OBJECT) {
        take_usage(meter);
        flags |= FGW_EVENT_USAGE;
    }
    return flags;
}

int fgw_cohere_final(const struct fgw_meter *meter)
{
    return !meter->streaming || meter->ever & (FGW_EVENT_DONE | FGW_EVENT_ERROR);
}

void fgw_cohere_classes(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    const struct fgw_usage_report *report = &meter->report;
    const uint64_t *value = report->value;
    uint64_t input = value[FGW_REPORT_INPUT], output = value[FGW_REPORT_OUTPUT];

    usage->cached_input = fgw_part_of(&input, value[FGW_REPORT_CACHED], usage);
    usage->input = input;
    usage->image_input = value[FGW_REPORT_IMAGE_INPUT];
    usage->reasoning = fgw_part_of(&output, value[FGW_REPORT_REASONING], usage);
    usage->output = output;
    if (report->present >> FGW_REPORT_BILLED_INPUT & 1) {
        usage->flags |= FGW_USAGE_BILLED;
        usage->billed_input = value[FGW_REPORT_BILLED_INPUT];
        usage->billed_output = value[FGW_REPORT_BILLED_OUTPUT];
    }
}
