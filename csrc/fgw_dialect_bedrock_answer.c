#include "fgw_dialect_bedrock_answer.h"

#include <string.h>

#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    ID,
    MODEL,
    TYPE,
    ERROR,
    FINISH,
    OUTPUT_MEMBER,
    MESSAGE,
    CONTENT,
    BLOCK,
    TOOL,
    REASONING,
    REASONING_TEXT,
    ARGUMENTS,
    DELTA,
    NOVA_BLOCK,
    NOVA_STOP,
    NOVA_METADATA,
    RESULTS,
    RESULT,
    RESULT_OUTPUT,
    GENERATIONS,
    GENERATION,
    GENERATED,
    USAGE,
    DETAILS,
    DETAIL,
    DETAIL_TTL,
    DETAIL_INPUT,
    CREATION,
    METRICS,
    METRICS_INPUT,
    METRICS_OUTPUT,
    METRICS_CACHED,
    METRICS_WRITTEN,
    NODE_INPUT,
    NODE_OUTPUT,
    NODE_TOTAL,
    NODE_CACHED,
    NODE_CACHE_WRITE,
    NODE_CACHE_WRITE_1H,
};

/* In slots that this dialect has no other use for. */
enum {
    ANSWER_TTL = ANSWER_PASS_TYPE,
    ANSWER_DETAIL = ANSWER_PASS_INPUT,
    ANSWER_RESULT = ANSWER_PASS_OUTPUT,
    ANSWER_METRICS = ANSWER_USAGE_TWIN,
    ANSWER_METRICS_INPUT = ANSWER_PASS_CACHED,
    ANSWER_METRICS_OUTPUT = ANSWER_PASS_CACHE_WRITE,
    ANSWER_METRICS_CACHED = ANSWER_PASS_CACHE_WRITE_1H,
    ANSWER_METRICS_WRITTEN = ANSWER_CACHED_OTHER,
};

enum { FINAL = 1 }; /* usage_state: numbers behind the end have come */

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("usage", USAGE), /* converse, Claude */
    FGW_JSON_EDGE("delta", DELTA), /* converse-stream, Claude */
    FGW_JSON_EDGE("output", OUTPUT_MEMBER),
    FGW_JSON_EDGE("stopReason", FINISH),
    FGW_JSON_EDGE("amazon-bedrock-invocationMetrics", METRICS),
    /* Claude */
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("error", ERROR),
    FGW_JSON_EDGE("message", MESSAGE),
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("completion", GENERATED),
    FGW_JSON_EDGE("stop_reason", FINISH), /* also Llama */
    /* Nova's stream */
    FGW_JSON_EDGE("contentBlockDelta", NOVA_BLOCK),
    FGW_JSON_EDGE("messageStop", NOVA_STOP),
    FGW_JSON_EDGE("metadata", NOVA_METADATA),
    /* Titan */
    FGW_JSON_EDGE("inputTextTokenCount", NODE_INPUT),
    FGW_JSON_EDGE("totalOutputTextTokenCount", NODE_OUTPUT),
    FGW_JSON_EDGE("results", RESULTS),
    FGW_JSON_EDGE("outputText", GENERATED),
    FGW_JSON_EDGE("completionReason", FINISH),
    /* Llama */
    FGW_JSON_EDGE("generation", GENERATED),
    FGW_JSON_EDGE("prompt_token_count", NODE_INPUT),
    FGW_JSON_EDGE("generation_token_count", NODE_OUTPUT),
    /* Cohere, Mistral, AI21: no counts of their own */
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("finish_reason", FINISH),
    FGW_JSON_EDGE("generations", GENERATIONS),
    FGW_JSON_EDGE("outputs", GENERATIONS),
    FGW_JSON_EDGE("completions", GENERATIONS),
};

static const struct fgw_json_edge OUTPUT_EDGES[] = {FGW_JSON_EDGE("message", MESSAGE)};

/* Of converse's output, and of Claude's message_start. */
static const struct fgw_json_edge MESSAGE_EDGES[] = {
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("usage", USAGE),
};

static const struct fgw_json_edge BLOCK_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("toolUse", TOOL),
    FGW_JSON_EDGE("reasoningContent", REASONING),
    FGW_JSON_EDGE("thinking", GENERATED),
    FGW_JSON_EDGE("input", ARGUMENTS),
};

static const struct fgw_json_edge TOOL_EDGES[] = {FGW_JSON_EDGE("input", ARGUMENTS)};

static const struct fgw_json_edge REASONING_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED), /* in a delta */
    FGW_JSON_EDGE("reasoningText", REASONING_TEXT),
};

static const struct fgw_json_edge REASONING_TEXT_EDGES[] = {FGW_JSON_EDGE("text", GENERATED)};

static const struct fgw_json_edge DELTA_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("toolUse", TOOL),
    FGW_JSON_EDGE("reasoningContent", REASONING),
    FGW_JSON_EDGE("thinking", GENERATED),
    FGW_JSON_EDGE("partial_json", GENERATED),
    FGW_JSON_EDGE("stop_reason", FINISH),
};

static const struct fgw_json_edge NOVA_BLOCK_EDGES[] = {FGW_JSON_EDGE("delta", DELTA)};
static const struct fgw_json_edge NOVA_STOP_EDGES[] = {FGW_JSON_EDGE("stopReason", FINISH)};
static const struct fgw_json_edge NOVA_METADATA_EDGES[] = {FGW_JSON_EDGE("usage", USAGE)};

static const struct fgw_json_edge RESULT_EDGES[] = {
    FGW_JSON_EDGE("tokenCount", RESULT_OUTPUT),
    FGW_JSON_EDGE("outputText", GENERATED),
    FGW_JSON_EDGE("completionReason", FINISH),
};

static const struct fgw_json_edge GENERATION_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("data", GENERATION), /* AI21 */
};

static const struct fgw_json_edge USAGE_EDGES[] = {
    FGW_JSON_EDGE("inputTokens", NODE_INPUT),
    FGW_JSON_EDGE("outputTokens", NODE_OUTPUT),
    FGW_JSON_EDGE("totalTokens", NODE_TOTAL),
    FGW_JSON_EDGE("cacheReadInputTokens", NODE_CACHED),
    FGW_JSON_EDGE("cacheWriteInputTokens", NODE_CACHE_WRITE),
    FGW_JSON_EDGE("cacheReadInputTokenCount", NODE_CACHED),
    FGW_JSON_EDGE("cacheWriteInputTokenCount", NODE_CACHE_WRITE),
    FGW_JSON_EDGE("cacheDetails", DETAILS),
    FGW_JSON_EDGE("input_tokens", NODE_INPUT),
    FGW_JSON_EDGE("output_tokens", NODE_OUTPUT),
    FGW_JSON_EDGE("cache_read_input_tokens", NODE_CACHED),
    FGW_JSON_EDGE("cache_creation_input_tokens", NODE_CACHE_WRITE),
    FGW_JSON_EDGE("cache_creation", CREATION),
};

static const struct fgw_json_edge DETAIL_EDGES[] = {
    FGW_JSON_EDGE("ttl", DETAIL_TTL),
    FGW_JSON_EDGE("inputTokens", DETAIL_INPUT),
};

static const struct fgw_json_edge CREATION_EDGES[] = {
    FGW_JSON_EDGE("ephemeral_1h_input_tokens", NODE_CACHE_WRITE_1H),
};

static const struct fgw_json_edge METRICS_EDGES[] = {
    FGW_JSON_EDGE("inputTokenCount", METRICS_INPUT),
    FGW_JSON_EDGE("outputTokenCount", METRICS_OUTPUT),
    FGW_JSON_EDGE("cacheReadInputTokenCount", METRICS_CACHED),
    FGW_JSON_EDGE("cacheWriteInputTokenCount", METRICS_WRITTEN),
};

static const struct fgw_json_node ANSWER_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), FGW_NODE_PLAIN},
    [ID] = {.slot = ANSWER_ID},
    [MODEL] = {.slot = ANSWER_MODEL},
    [TYPE] = {.slot = ANSWER_TYPE},
    [ERROR] = {.slot = ANSWER_ERROR},
    [FINISH] = {.slot = ANSWER_FINISH, .flags = FGW_JSON_STICKY},
    [OUTPUT_MEMBER] = {FGW_NODE_EDGES(OUTPUT_EDGES), FGW_NODE_PLAIN},
    [MESSAGE] = {FGW_NODE_EDGES(MESSAGE_EDGES), FGW_NODE_PLAIN},
    [CONTENT] = {.element = BLOCK, FGW_NODE_PLAIN},
    [BLOCK] = {FGW_NODE_EDGES(BLOCK_EDGES), FGW_NODE_PLAIN},
    [TOOL] = {FGW_NODE_EDGES(TOOL_EDGES), FGW_NODE_PLAIN},
    [REASONING] = {FGW_NODE_EDGES(REASONING_EDGES), FGW_NODE_PLAIN},
    [REASONING_TEXT] = {FGW_NODE_EDGES(REASONING_TEXT_EDGES), FGW_NODE_PLAIN},
    [ARGUMENTS] = {.other = ARGUMENTS, .element = ARGUMENTS, .text = FGW_JSON_TEXT,
                   .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [DELTA] = {FGW_NODE_EDGES(DELTA_EDGES), FGW_NODE_PLAIN},
    [NOVA_BLOCK] = {FGW_NODE_EDGES(NOVA_BLOCK_EDGES), FGW_NODE_PLAIN},
    [NOVA_STOP] = {FGW_NODE_EDGES(NOVA_STOP_EDGES), FGW_NODE_PLAIN},
    [NOVA_METADATA] = {FGW_NODE_EDGES(NOVA_METADATA_EDGES), FGW_NODE_PLAIN},
    [RESULTS] = {.element = RESULT, FGW_NODE_PLAIN},
    [RESULT] = {FGW_NODE_EDGES(RESULT_EDGES), FGW_NODE_PLAIN, .flags = FGW_JSON_PAUSE},
    [RESULT_OUTPUT] = {.slot = ANSWER_RESULT},
    [GENERATIONS] = {.element = GENERATION, FGW_NODE_PLAIN},
    [GENERATION] = {FGW_NODE_EDGES(GENERATION_EDGES), FGW_NODE_PLAIN},
    [GENERATED] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [USAGE] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_USAGE},
    [DETAILS] = {.element = DETAIL, FGW_NODE_PLAIN},
    [DETAIL] = {FGW_NODE_EDGES(DETAIL_EDGES), FGW_NODE_PLAIN, .flags = FGW_JSON_PAUSE},
    [DETAIL_TTL] = {.slot = ANSWER_TTL},
    [DETAIL_INPUT] = {.slot = ANSWER_DETAIL},
    [CREATION] = {FGW_NODE_EDGES(CREATION_EDGES), FGW_NODE_PLAIN},
    [METRICS] = {FGW_NODE_EDGES(METRICS_EDGES), .slot = ANSWER_METRICS},
    [METRICS_INPUT] = {.slot = ANSWER_METRICS_INPUT},
    [METRICS_OUTPUT] = {.slot = ANSWER_METRICS_OUTPUT},
    [METRICS_CACHED] = {.slot = ANSWER_METRICS_CACHED},
    [METRICS_WRITTEN] = {.slot = ANSWER_METRICS_WRITTEN},
    [NODE_INPUT] = {.slot = ANSWER_INPUT},
    [NODE_OUTPUT] = {.slot = ANSWER_OUTPUT},
    [NODE_TOTAL] = {.slot = ANSWER_TOTAL},
    [NODE_CACHED] = {.slot = ANSWER_CACHED},
    [NODE_CACHE_WRITE] = {.slot = ANSWER_CACHE_WRITE},
    [NODE_CACHE_WRITE_1H] = {.slot = ANSWER_CACHE_WRITE_1H},
};

static const struct fgw_json_room ANSWER_ROOMS[ANSWER_SLOTS] = {
    [ANSWER_ID] = {0, FGW_METER_ID_MAX},
    [ANSWER_MODEL] = {FGW_METER_ID_MAX, FGW_METER_MODEL_MAX},
    [ANSWER_TYPE] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX, 32},
    [ANSWER_TTL] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 32, 8},
};

const struct fgw_json_spec fgw_bedrock_answer = {
    .nodes = ANSWER_NODES,
    .rooms = ANSWER_ROOMS,
    .node_count = sizeof ANSWER_NODES / sizeof *ANSWER_NODES,
    .slot_count = ANSWER_SLOTS,
    .lenient = 1,
};

uint8_t fgw_bedrock_root(const struct fgw_meter *meter)
{
    (void)meter;
    return FGW_BEDROCK_ROOT;
}

void fgw_bedrock_begin(struct fgw_meter *meter)
{
    memset(&meter->passes, 0, sizeof meter->passes);
}

int64_t fgw_bedrock_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                          uint8_t *member)
{
    (void)meter;
    *kind = FGW_VOICE_TEXT;
    *member = 0;
    return 0;
}

static void add(struct fgw_usage_report *report, const struct fgw_json *json,
                enum fgw_report_field field, unsigned slot)
{
    struct fgw_usage_report one = {0};

    fgw_report_take(&one, json, field, slot);
    report->present |= one.present;
    report->value[field] += one.value[field];
}

void fgw_bedrock_pass(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;

    if (fgw_text_is(json, ANSWER_TTL, "1h"))
        add(&meter->passes, json, FGW_REPORT_CACHE_WRITE_1H, ANSWER_DETAIL);
    add(&meter->passes, json, FGW_REPORT_OUTPUT, ANSWER_RESULT);
    json->seen &= ~((uint64_t)1 << ANSWER_TTL | (uint64_t)1 << ANSWER_DETAIL |
                    (uint64_t)1 << ANSWER_RESULT);
}

void fgw_bedrock_take_counts(struct fgw_meter *meter, int64_t input, int64_t output,
                             int64_t cached, int64_t written)
{
    static const uint8_t FIELDS[] = {FGW_REPORT_INPUT, FGW_REPORT_OUTPUT, FGW_REPORT_CACHED,
                                     FGW_REPORT_CACHE_WRITE};
    const int64_t counts[] = {input, output, cached, written};

    for (unsigned i = 0; i < sizeof FIELDS; i++) {
        if (counts[i] < 0 || counts[i] > FGW_REPORT_MAX)
            continue;
        meter->beside.present |= 1u << FIELDS[i];
        meter->beside.value[FIELDS[i]] = (uint64_t)counts[i];
    }
}

/* What the model says of its usage, field by field: Claude tells it twice, its input at the start
 * and its output at the end. Returns whether it said anything. */
static int take_usage(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    struct fgw_usage_report *report = &meter->report;
    struct fgw_usage_report now = meter->passes;

    fgw_report_take(&now, json, FGW_REPORT_INPUT, ANSWER_INPUT);
    fgw_report_take(&now, json, FGW_REPORT_OUTPUT, ANSWER_OUTPUT);
    fgw_report_take(&now, json, FGW_REPORT_TOTAL, ANSWER_TOTAL);
    fgw_report_take(&now, json, FGW_REPORT_CACHED, ANSWER_CACHED);
    fgw_report_take(&now, json, FGW_REPORT_CACHE_WRITE, ANSWER_CACHE_WRITE);
    fgw_report_take(&now, json, FGW_REPORT_CACHE_WRITE_1H, ANSWER_CACHE_WRITE_1H);
    for (unsigned i = 0; i < FGW_REPORT_FIELDS; i++)
        if (now.present >> i & 1)
            report->value[i] = now.value[i];
    report->present |= now.present;
    return now.present != 0;
}

static void take_metrics(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;

    fgw_report_take(&meter->beside, json, FGW_REPORT_INPUT, ANSWER_METRICS_INPUT);
    fgw_report_take(&meter->beside, json, FGW_REPORT_OUTPUT, ANSWER_METRICS_OUTPUT);
    fgw_report_take(&meter->beside, json, FGW_REPORT_CACHED, ANSWER_METRICS_CACHED);
    fgw_report_take(&meter->beside, json, FGW_REPORT_CACHE_WRITE, ANSWER_METRICS_WRITTEN);
}

unsigned fgw_bedrock_fold(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    unsigned flags = 0;

    if (fgw_json_type_of(json, ANSWER_FINISH) == FGW_JSON_STRING)
        flags |= FGW_EVENT_FINISH;
    if (fgw_text_is(json, ANSWER_TYPE, "error") ||
        fgw_json_type_of(json, ANSWER_ERROR) == FGW_JSON_OBJECT)
        flags |= FGW_EVENT_ERROR;
    if (take_usage(meter)) {
        flags |= FGW_EVENT_USAGE;
        if ((flags | meter->ever) & FGW_EVENT_FINISH) {
            meter->usage_state = FINAL;
            if (meter->operation == FGW_OPERATION_CONVERSE)
                flags |= FGW_EVENT_DONE;
        }
    }
    if (fgw_json_type_of(json, ANSWER_METRICS) == FGW_JSON_OBJECT) {
        take_metrics(meter);
        meter->usage_state = FINAL;
        flags |= FGW_EVENT_DONE | FGW_EVENT_USAGE;
    }
    if (!meter->report.present && (!meter->streaming || meter->usage_state == FINAL))
        meter->report = meter->beside;
    if (meter->tracked)
        meter->state.begun = 1;
    return flags;
}

int fgw_bedrock_final(const struct fgw_meter *meter)
{
    return !meter->streaming || meter->usage_state == FINAL;
}

void fgw_bedrock_classes(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    const struct fgw_usage_report *beside = &meter->beside;
    const uint64_t *value = meter->report.value;
    uint64_t written = value[FGW_REPORT_CACHE_WRITE], hour = value[FGW_REPORT_CACHE_WRITE_1H];

    if (hour > written) {
        usage->flags |= FGW_USAGE_CLAMPED;
        hour = written;
    }
    if (beside->present >> FGW_REPORT_OUTPUT & 1 &&
        beside->value[FGW_REPORT_OUTPUT] != value[FGW_REPORT_OUTPUT])
        usage->flags |= FGW_USAGE_BESIDE;
    usage->input = value[FGW_REPORT_INPUT];
    usage->cached_input = value[FGW_REPORT_CACHED];
    usage->cache_write = written - hour;
    usage->cache_write_1h = hour;
    usage->output = value[FGW_REPORT_OUTPUT];
}
