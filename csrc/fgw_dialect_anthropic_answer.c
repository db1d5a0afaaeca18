#include "fgw_dialect_anthropic_answer.h"

#include <string.h>

#include "fgw_dialect_slots.h"

/* In slots that this dialect has no other use for. */
enum { ANSWER_SPEED = ANSWER_VENDOR, ANSWER_PLACE = ANSWER_AUDIO_SECONDS };

enum {
    NOTHING = 0,
    BODY,
    EVENT,
    TRACKED_EVENT,
    ID,
    MODEL,
    TYPE,
    ERROR,
    FINISH,
    MESSAGE,
    DELTA,
    BLOCKS,
    BLOCK,
    GENERATED,
    GENERATED_TREE,
    USAGE,
    CACHE_SPLIT,
    OUTPUT_DETAILS,
    NODE_INPUT,
    NODE_OUTPUT,
    NODE_CACHED,
    NODE_CACHE_WRITE,
    NODE_CACHE_WRITE_1H,
    NODE_REASONING,
    NODE_TIER,
    NODE_SPEED,
    NODE_PLACE,
    SERVER_TOOLS,
    NODE_SEARCHES,
    PASSES,
    PASS,
    PASS_TYPE,
    PASS_INPUT,
    PASS_OUTPUT,
    PASS_CACHED,
    PASS_CACHE_WRITE,
    PASS_CACHE_SPLIT,
    PASS_CACHE_WRITE_1H,
    BLOCK_INDEX,
    TRACKED_DELTA,
    TRACKED_BLOCK,
    SAID,
    SAID_THOUGHT,
    SAID_CALL,
};

static const struct fgw_json_edge BODY_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("content", BLOCKS),
    FGW_JSON_EDGE("stop_reason", FINISH),
    FGW_JSON_EDGE("usage", USAGE),
    FGW_JSON_EDGE("error", ERROR),
    FGW_JSON_EDGE("input_tokens", NODE_INPUT), /* of count_tokens */
};

static const struct fgw_json_edge EVENT_EDGES[] = {
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("delta", DELTA),
    FGW_JSON_EDGE("content_block", BLOCK),
    FGW_JSON_EDGE("message", MESSAGE),
    FGW_JSON_EDGE("usage", USAGE),
    FGW_JSON_EDGE("error", ERROR),
};

/* Of a stream that may have to be ended here: the blocks that stand open, too. */
static const struct fgw_json_edge TRACKED_EVENT_EDGES[] = {
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("index", BLOCK_INDEX),
    FGW_JSON_EDGE("delta", TRACKED_DELTA),
    FGW_JSON_EDGE("content_block", TRACKED_BLOCK),
    FGW_JSON_EDGE("message", MESSAGE),
    FGW_JSON_EDGE("usage", USAGE),
    FGW_JSON_EDGE("error", ERROR),
};

static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("usage", USAGE),
};

static const struct fgw_json_edge DELTA_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("partial_json", GENERATED),
    FGW_JSON_EDGE("thinking", GENERATED),
    FGW_JSON_EDGE("content", GENERATED), /* a compaction's summary */
    FGW_JSON_EDGE("stop_reason", FINISH),
};

static const struct fgw_json_edge TRACKED_DELTA_EDGES[] = {
    FGW_JSON_EDGE("text", SAID),
    FGW_JSON_EDGE("partial_json", SAID_CALL),
    FGW_JSON_EDGE("thinking", SAID_THOUGHT),
    FGW_JSON_EDGE("content", SAID),
    FGW_JSON_EDGE("stop_reason", FINISH),
};

/* Results of server tools stand in blocks too, but are no output: their `content` is passed over.
 * So is a tool's name: an event that bears nothing else is not sure to have cost a token. */
static const struct fgw_json_edge BLOCK_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("thinking", GENERATED),
    FGW_JSON_EDGE("input", GENERATED_TREE),
};

static const struct fgw_json_edge TRACKED_BLOCK_EDGES[] = {
    FGW_JSON_EDGE("text", SAID),
    FGW_JSON_EDGE("thinking", SAID_THOUGHT),
    FGW_JSON_EDGE("input", GENERATED_TREE),
};

static const struct fgw_json_edge USAGE_EDGES[] = {
    FGW_JSON_EDGE("input_tokens", NODE_INPUT),
    FGW_JSON_EDGE("output_tokens", NODE_OUTPUT),
    FGW_JSON_EDGE("cache_read_input_tokens", NODE_CACHED),
    FGW_JSON_EDGE("cache_creation_input_tokens", NODE_CACHE_WRITE),
    FGW_JSON_EDGE("cache_creation", CACHE_SPLIT),
    FGW_JSON_EDGE("output_tokens_details", OUTPUT_DETAILS),
    FGW_JSON_EDGE("iterations", PASSES),
    FGW_JSON_EDGE("service_tier", NODE_TIER),
    FGW_JSON_EDGE("speed", NODE_SPEED),
    FGW_JSON_EDGE("inference_geo", NODE_PLACE),
    FGW_JSON_EDGE("server_tool_use", SERVER_TOOLS),
};

static const struct fgw_json_edge SPLIT_EDGES[] = {
    FGW_JSON_EDGE("ephemeral_1h_input_tokens", NODE_CACHE_WRITE_1H),
};

static const struct fgw_json_edge DETAILS_EDGES[] = {
    FGW_JSON_EDGE("thinking_tokens", NODE_REASONING),
};

static const struct fgw_json_edge SERVER_TOOLS_EDGES[] = {
    FGW_JSON_EDGE("web_search_requests", NODE_SEARCHES),
};

static const struct fgw_json_edge PASS_EDGES[] = {
    FGW_JSON_EDGE("type", PASS_TYPE),
    FGW_JSON_EDGE("input_tokens", PASS_INPUT),
    FGW_JSON_EDGE("output_tokens", PASS_OUTPUT),
    FGW_JSON_EDGE("cache_read_input_tokens", PASS_CACHED),
    FGW_JSON_EDGE("cache_creation_input_tokens", PASS_CACHE_WRITE),
    FGW_JSON_EDGE("cache_creation", PASS_CACHE_SPLIT),
};

static const struct fgw_json_edge PASS_SPLIT_EDGES[] = {
    FGW_JSON_EDGE("ephemeral_1h_input_tokens", PASS_CACHE_WRITE_1H),
};

static const struct fgw_json_node ANSWER_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [BODY] = {FGW_NODE_EDGES(BODY_EDGES), FGW_NODE_PLAIN},
    [EVENT] = {FGW_NODE_EDGES(EVENT_EDGES), FGW_NODE_PLAIN},
    [ID] = {.slot = ANSWER_ID},
    [MODEL] = {.slot = ANSWER_MODEL},
    [TYPE] = {.slot = ANSWER_TYPE},
    [ERROR] = {.slot = ANSWER_ERROR},
    [FINISH] = {.slot = ANSWER_FINISH},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), FGW_NODE_PLAIN},
    [DELTA] = {FGW_NODE_EDGES(DELTA_EDGES), FGW_NODE_PLAIN},
    [BLOCKS] = {.element = BLOCK, FGW_NODE_PLAIN},
    [BLOCK] = {FGW_NODE_EDGES(BLOCK_EDGES), FGW_NODE_PLAIN},
    [GENERATED] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [GENERATED_TREE] = {.other = GENERATED_TREE, .element = GENERATED_TREE, .text = FGW_JSON_TEXT,
                        .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [USAGE] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_USAGE},
    [CACHE_SPLIT] = {FGW_NODE_EDGES(SPLIT_EDGES), FGW_NODE_PLAIN},
    [OUTPUT_DETAILS] = {FGW_NODE_EDGES(DETAILS_EDGES), FGW_NODE_PLAIN},
    [NODE_INPUT] = {.slot = ANSWER_INPUT},
    [NODE_OUTPUT] = {.slot = ANSWER_OUTPUT},
    [NODE_CACHED] = {.slot = ANSWER_CACHED},
    [NODE_CACHE_WRITE] = {.slot = ANSWER_CACHE_WRITE},
    [NODE_CACHE_WRITE_1H] = {.slot = ANSWER_CACHE_WRITE_1H},
    [NODE_REASONING] = {.slot = ANSWER_REASONING},
    [NODE_TIER] = {.slot = ANSWER_TIER},
    [NODE_SPEED] = {.slot = ANSWER_SPEED},
    [NODE_PLACE] = {.slot = ANSWER_PLACE},
    [SERVER_TOOLS] = {FGW_NODE_EDGES(SERVER_TOOLS_EDGES), FGW_NODE_PLAIN},
    [NODE_SEARCHES] = {.slot = ANSWER_SEARCHES},
    [PASSES] = {.element = PASS, .slot = ANSWER_ITERATIONS},
    [PASS] = {FGW_NODE_EDGES(PASS_EDGES), FGW_NODE_PLAIN, .flags = FGW_JSON_PAUSE},
    [PASS_TYPE] = {.slot = ANSWER_PASS_TYPE},
    [PASS_INPUT] = {.slot = ANSWER_PASS_INPUT},
    [PASS_OUTPUT] = {.slot = ANSWER_PASS_OUTPUT},
    [PASS_CACHED] = {.slot = ANSWER_PASS_CACHED},
    [PASS_CACHE_WRITE] = {.slot = ANSWER_PASS_CACHE_WRITE},
    [PASS_CACHE_SPLIT] = {FGW_NODE_EDGES(PASS_SPLIT_EDGES), FGW_NODE_PLAIN},
    [PASS_CACHE_WRITE_1H] = {.slot = ANSWER_PASS_CACHE_WRITE_1H},
    [TRACKED_EVENT] = {FGW_NODE_EDGES(TRACKED_EVENT_EDGES), FGW_NODE_PLAIN},
    [BLOCK_INDEX] = {.slot = ANSWER_BLOCK_INDEX},
    [TRACKED_DELTA] = {FGW_NODE_EDGES(TRACKED_DELTA_EDGES), FGW_NODE_PLAIN},
    [TRACKED_BLOCK] = {FGW_NODE_EDGES(TRACKED_BLOCK_EDGES), FGW_NODE_PLAIN},
    [SAID] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_THOUGHT] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_CALL] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ANSWER_ROOMS[ANSWER_SLOTS] = {
    [ANSWER_ID] = {0, FGW_METER_ID_MAX},
    [ANSWER_MODEL] = {FGW_METER_ID_MAX, FGW_METER_MODEL_MAX},
    [ANSWER_TYPE] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX, 32},
    [ANSWER_PASS_TYPE] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 32, 32},
    [ANSWER_TIER] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 64, FGW_TIER_WORD_MAX},
    [ANSWER_SPEED] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 96, FGW_TIER_WORD_MAX},
    [ANSWER_PLACE] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 128, FGW_TIER_WORD_MAX},
};

const struct fgw_json_spec fgw_anthropic_answer = {
    .nodes = ANSWER_NODES,
    .rooms = ANSWER_ROOMS,
    .node_count = sizeof ANSWER_NODES / sizeof *ANSWER_NODES,
    .slot_count = ANSWER_SLOTS,
    .lenient = 1,
};

/* meter->usage_state */
enum { STARTED = 1, STOPPED = 2 };

static void take_report(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    struct fgw_usage_report *report = &meter->report;

    fgw_report_take(report, json, FGW_REPORT_INPUT, ANSWER_INPUT);
    fgw_report_take(report, json, FGW_REPORT_OUTPUT, ANSWER_OUTPUT);
    fgw_report_take(report, json, FGW_REPORT_CACHED, ANSWER_CACHED);
    fgw_report_take(report, json, FGW_REPORT_CACHE_WRITE, ANSWER_CACHE_WRITE);
    fgw_report_take(report, json, FGW_REPORT_CACHE_WRITE_1H, ANSWER_CACHE_WRITE_1H);
    fgw_report_take(report, json, FGW_REPORT_REASONING, ANSWER_REASONING);
}

static void add(struct fgw_usage_report *sum, enum fgw_report_field field, uint64_t number)
{
    sum->present |= 1u << field;
    sum->value[field] += number;
}

static void add_report(struct fgw_usage_report *sum, const struct fgw_usage_report *report)
{
    for (unsigned field = 0; field < FGW_REPORT_FIELDS; field++)
        if (report->present >> field & 1)
            add(sum, (enum fgw_report_field)field, report->value[field]);
}

uint8_t fgw_anthropic_root(const struct fgw_meter *meter)
{
    if (!meter->streaming)
        return FGW_ANTHROPIC_BODY_ROOT;
    return meter->tracked ? FGW_ANTHROPIC_TRACKED_EVENT_ROOT : FGW_ANTHROPIC_EVENT_ROOT;
}

int64_t fgw_anthropic_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                            uint8_t *member)
{
    uint8_t node = meter->json.node;

    *member = 0;

    *kind = node == SAID_CALL      ? FGW_VOICE_CALL
            : node == SAID_THOUGHT ? FGW_VOICE_THOUGHT
                                   : FGW_VOICE_TEXT;
    return 0;
}

void fgw_anthropic_begin(struct fgw_meter *meter)
{
    if (meter->passes.present)
        memset(&meter->passes, 0, sizeof meter->passes);
    meter->pass_flags = 0;
}

void fgw_anthropic_pass(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;
    const uint64_t slots = ((uint64_t)1 << ANSWER_TIER) - ((uint64_t)1 << ANSWER_PASS_TYPE);

    /* The passes of the conversation itself are the top level's numbers already. */
    if (!fgw_text_is(json, ANSWER_PASS_TYPE, "message") &&
        !fgw_text_is(json, ANSWER_PASS_TYPE, "fallback_message")) {
        struct fgw_usage_report pass = {0};
        fgw_report_take(&pass, json, FGW_REPORT_INPUT, ANSWER_PASS_INPUT);
        fgw_report_take(&pass, json, FGW_REPORT_OUTPUT, ANSWER_PASS_OUTPUT);
        fgw_report_take(&pass, json, FGW_REPORT_CACHED, ANSWER_PASS_CACHED);
        fgw_report_take(&pass, json, FGW_REPORT_CACHE_WRITE, ANSWER_PASS_CACHE_WRITE);
        fgw_report_take(&pass, json, FGW_REPORT_CACHE_WRITE_1H, ANSWER_PASS_CACHE_WRITE_1H);
        add_report(&meter->passes, &pass);
        meter->pass_flags |= FGW_USAGE_ITERATIONS;
        if (fgw_text_is(json, ANSWER_PASS_TYPE, "advisor_message"))
            meter->pass_flags |= FGW_USAGE_OTHER_MODEL;
    }
    json->seen &= ~slots;
}

/* Another message_start in one stream: proxies repeat it (same id), or put two messages in one
 * stream (another id: both are billed). Returns 1 if it is to be ignored. */
static int is_repetition(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;

    if (!(meter->usage_state & STARTED))
        return 0;
    if (json->slots[ANSWER_ID].copied == meter->id_bytes &&
        !memcmp(fgw_json_text_of(json, ANSWER_ID), meter->id, meter->id_bytes))
        return 1;
    add_report(&meter->earlier, &meter->report);
    add_report(&meter->earlier, &meter->iterations);
    memset(&meter->report, 0, sizeof meter->report);
    memset(&meter->iterations, 0, sizeof meter->iterations);
    meter->id_bytes = 0; /* the new message's id and model are kept instead */
    meter->model_bytes = 0;
    return 0;
}

static void take_usage(struct fgw_meter *meter)
{
    take_report(meter);
    fgw_take_tier(meter, FGW_TIER_SERVICE, ANSWER_TIER);
    fgw_take_tier(meter, FGW_TIER_SPEED, ANSWER_SPEED);
    fgw_take_tier(meter, FGW_TIER_PLACE, ANSWER_PLACE);
    fgw_take_searches(meter, ANSWER_SEARCHES);
    if (fgw_json_type_of(&meter->json, ANSWER_ITERATIONS) == FGW_JSON_ARRAY) {
        meter->iterations = meter->passes;
        meter->iteration_flags = meter->pass_flags;
    }
}

static void track(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    int64_t index = fgw_json_number(json, ANSWER_BLOCK_INDEX, 0);

    if (fgw_text_is(json, ANSWER_TYPE, "message_start"))
        meter->state.begun = 1;
    else if (fgw_text_is(json, ANSWER_TYPE, "content_block_start"))
        fgw_track_block(&meter->state, index, 1);
    else if (fgw_text_is(json, ANSWER_TYPE, "content_block_stop"))
        fgw_track_block(&meter->state, index, 0);
}

unsigned fgw_anthropic_fold(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    enum fgw_json_type error = fgw_json_type_of(json, ANSWER_ERROR);
    unsigned flags = 0;

    if (meter->tracked)
        track(meter);
    if (fgw_text_is(json, ANSWER_TYPE, "message_start")) {
        if (is_repetition(meter))
            return 0;
        meter->usage_state = STARTED;
        meter->told = 0;
        take_usage(meter);
        return FGW_EVENT_USAGE;
    }
    if (fgw_text_is(json, ANSWER_TYPE, "message_stop"))
        flags |= FGW_EVENT_DONE;
    if (fgw_text_is(json, ANSWER_TYPE, "error") || error == FGW_JSON_OBJECT ||
        error == FGW_JSON_STRING)
        flags |= FGW_EVENT_ERROR;
    if (fgw_json_type_of(json, ANSWER_FINISH) == FGW_JSON_STRING)
        flags |= FGW_EVENT_FINISH;
    if (fgw_json_type_of(json, ANSWER_USAGE) == FGW_JSON_OBJECT ||
        (!meter->streaming && fgw_json_type_of(json, ANSWER_INPUT) == FGW_JSON_NUMBER)) {
        take_usage(meter);
        /* What message_start says of the output is a placeholder. */
        if (fgw_json_type_of(json, ANSWER_OUTPUT) == FGW_JSON_NUMBER)
            meter->told = 1;
        flags |= FGW_EVENT_USAGE;
    }
    if (flags & (FGW_EVENT_FINISH | FGW_EVENT_DONE))
        meter->usage_state |= STOPPED; /* there may be several message_delta */
    return flags;
}

int fgw_anthropic_final(const struct fgw_meter *meter)
{
    return !meter->streaming || (meter->told && meter->usage_state & STOPPED);
}

static uint64_t part_of(uint64_t whole, uint64_t part, struct fgw_usage *usage)
{
    if (part <= whole)
        return part;
    usage->flags |= FGW_USAGE_CLAMPED;
    return whole;
}

/* Cached and written tokens stand beside input_tokens here, not inside it. */
static void add_classes(struct fgw_usage *usage, const struct fgw_usage_report *report)
{
    const uint64_t *value = report->value;
    uint64_t written = value[FGW_REPORT_CACHE_WRITE], output = value[FGW_REPORT_OUTPUT];
    uint64_t hour = value[FGW_REPORT_CACHE_WRITE_1H], reasoning;

    if (!(report->present >> FGW_REPORT_CACHE_WRITE & 1))
        written = hour;
    hour = part_of(written, hour, usage);
    reasoning = part_of(output, value[FGW_REPORT_REASONING], usage);
    usage->input += value[FGW_REPORT_INPUT];
    usage->cached_input += value[FGW_REPORT_CACHED];
    usage->cache_write += written - hour;
    usage->cache_write_1h += hour;
    usage->output += output - reasoning;
    usage->reasoning += reasoning;
}

void fgw_anthropic_classes(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    usage->flags |= meter->iteration_flags;
    add_classes(usage, &meter->report);
    add_classes(usage, &meter->iterations);
    add_classes(usage, &meter->earlier);
}
