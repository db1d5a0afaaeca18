#include "fgw_dialect_realtime.h"

#include <string.h>

#include "fgw_dialect_slots.h"

enum {
    NOTHING = 0,
    ROOT,
    ID,
    MODEL,
    TYPE,
    ERROR,
    SESSION,
    RESPONSE,
    USAGE,
    TOP_USAGE,
    INPUT_DETAILS,
    OUTPUT_DETAILS,
    CACHED_DETAILS,
    GENERATED,
    LIVE_USAGE,
    LIVE_INPUTS,
    LIVE_OUTPUTS,
    LIVE_INPUT,
    LIVE_OUTPUT,
    LIVE_INPUT_TOKENS,
    LIVE_OUTPUT_TOKENS,
    LIVE_MODALITY,
    LIVE_CONTENT,
    LIVE_TURN,
    LIVE_PARTS,
    LIVE_PART,
    LIVE_BLOB,
    LIVE_COMPLETE,
    SOUND,
    NODE_INPUT,
    NODE_OUTPUT,
    NODE_TOTAL,
    NODE_CACHED,
    NODE_CACHED_AUDIO,
    NODE_REASONING,
    NODE_AUDIO_INPUT,
    NODE_AUDIO_OUTPUT,
    NODE_IMAGE_INPUT,
};

/* In slots that sessions have no other use for. */
enum {
    ANSWER_TOP_USAGE = ANSWER_USAGE_TWIN,
    ANSWER_CACHED_AUDIO = ANSWER_CACHED_OTHER,
    ANSWER_LIVE_USAGE = ANSWER_ITERATIONS,
    ANSWER_TURN_COMPLETE = ANSWER_FINISH,
    ANSWER_LIVE_MODALITY = ANSWER_PASS_TYPE,
    ANSWER_LIVE_INPUT = ANSWER_PASS_INPUT,
    ANSWER_LIVE_OUTPUT = ANSWER_PASS_OUTPUT,
};

enum { IDLE = 0, ANSWERING, TOLD }; /* usage_state; TOLD: of a turn that has not ended */

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("response", RESPONSE),
    FGW_JSON_EDGE("usage", TOP_USAGE), /* xAI; transcriptions */
    FGW_JSON_EDGE("delta", GENERATED),
    FGW_JSON_EDGE("session", SESSION),
    FGW_JSON_EDGE("error", ERROR),
    FGW_JSON_EDGE("usageMetadata", LIVE_USAGE),
    FGW_JSON_EDGE("serverContent", LIVE_CONTENT),
};

static const struct fgw_json_edge SESSION_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
};

static const struct fgw_json_edge RESPONSE_EDGES[] = {FGW_JSON_EDGE("usage", USAGE)};

static const struct fgw_json_edge USAGE_EDGES[] = {
    FGW_JSON_EDGE("input_tokens", NODE_INPUT),
    FGW_JSON_EDGE("output_tokens", NODE_OUTPUT),
    FGW_JSON_EDGE("total_tokens", NODE_TOTAL),
    FGW_JSON_EDGE("input_token_details", INPUT_DETAILS),
    FGW_JSON_EDGE("output_token_details", OUTPUT_DETAILS),
};

static const struct fgw_json_edge INPUT_DETAILS_EDGES[] = {
    FGW_JSON_EDGE("audio_tokens", NODE_AUDIO_INPUT),
    FGW_JSON_EDGE("image_tokens", NODE_IMAGE_INPUT),
    FGW_JSON_EDGE("cached_tokens", NODE_CACHED),
    FGW_JSON_EDGE("cached_tokens_details", CACHED_DETAILS),
};

static const struct fgw_json_edge CACHED_DETAILS_EDGES[] = {
    FGW_JSON_EDGE("audio_tokens", NODE_CACHED_AUDIO),
};

static const struct fgw_json_edge OUTPUT_DETAILS_EDGES[] = {
    FGW_JSON_EDGE("audio_tokens", NODE_AUDIO_OUTPUT),
    FGW_JSON_EDGE("reasoning_tokens", NODE_REASONING),
};

static const struct fgw_json_edge LIVE_USAGE_EDGES[] = {
    FGW_JSON_EDGE("promptTokenCount", NODE_INPUT),
    FGW_JSON_EDGE("responseTokenCount", NODE_OUTPUT),
    FGW_JSON_EDGE("totalTokenCount", NODE_TOTAL),
    FGW_JSON_EDGE("cachedContentTokenCount", NODE_CACHED),
    FGW_JSON_EDGE("thoughtsTokenCount", NODE_REASONING),
    FGW_JSON_EDGE("promptTokensDetails", LIVE_INPUTS),
    FGW_JSON_EDGE("responseTokensDetails", LIVE_OUTPUTS),
};

static const struct fgw_json_edge LIVE_INPUT_EDGES[] = {
    FGW_JSON_EDGE("modality", LIVE_MODALITY),
    FGW_JSON_EDGE("tokenCount", LIVE_INPUT_TOKENS),
};

static const struct fgw_json_edge LIVE_OUTPUT_EDGES[] = {
    FGW_JSON_EDGE("modality", LIVE_MODALITY),
    FGW_JSON_EDGE("tokenCount", LIVE_OUTPUT_TOKENS),
};

static const struct fgw_json_edge LIVE_CONTENT_EDGES[] = {
    FGW_JSON_EDGE("turnComplete", LIVE_COMPLETE),
    FGW_JSON_EDGE("modelTurn", LIVE_TURN),
};

static const struct fgw_json_edge LIVE_TURN_EDGES[] = {FGW_JSON_EDGE("parts", LIVE_PARTS)};

static const struct fgw_json_edge LIVE_PART_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("inlineData", LIVE_BLOB),
};

static const struct fgw_json_edge LIVE_BLOB_EDGES[] = {FGW_JSON_EDGE("data", SOUND)};

static const struct fgw_json_node NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), FGW_NODE_PLAIN},
    [ID] = {.slot = ANSWER_ID},
    [MODEL] = {.slot = ANSWER_MODEL},
    [TYPE] = {.slot = ANSWER_TYPE},
    [ERROR] = {.slot = ANSWER_ERROR},
    [SESSION] = {FGW_NODE_EDGES(SESSION_EDGES), FGW_NODE_PLAIN},
    [RESPONSE] = {FGW_NODE_EDGES(RESPONSE_EDGES), FGW_NODE_PLAIN},
    [USAGE] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_USAGE},
    [TOP_USAGE] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_TOP_USAGE},
    [INPUT_DETAILS] = {FGW_NODE_EDGES(INPUT_DETAILS_EDGES), FGW_NODE_PLAIN},
    [OUTPUT_DETAILS] = {FGW_NODE_EDGES(OUTPUT_DETAILS_EDGES), FGW_NODE_PLAIN},
    [CACHED_DETAILS] = {FGW_NODE_EDGES(CACHED_DETAILS_EDGES), FGW_NODE_PLAIN},
    [GENERATED] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [LIVE_USAGE] = {FGW_NODE_EDGES(LIVE_USAGE_EDGES), .slot = ANSWER_LIVE_USAGE},
    [LIVE_INPUTS] = {.element = LIVE_INPUT, FGW_NODE_PLAIN},
    [LIVE_OUTPUTS] = {.element = LIVE_OUTPUT, FGW_NODE_PLAIN},
    [LIVE_INPUT] = {FGW_NODE_EDGES(LIVE_INPUT_EDGES), FGW_NODE_PLAIN, .flags = FGW_JSON_PAUSE},
    [LIVE_OUTPUT] = {FGW_NODE_EDGES(LIVE_OUTPUT_EDGES), FGW_NODE_PLAIN, .flags = FGW_JSON_PAUSE},
    [LIVE_INPUT_TOKENS] = {.slot = ANSWER_LIVE_INPUT},
    [LIVE_OUTPUT_TOKENS] = {.slot = ANSWER_LIVE_OUTPUT},
    [LIVE_MODALITY] = {.slot = ANSWER_LIVE_MODALITY},
    [LIVE_CONTENT] = {FGW_NODE_EDGES(LIVE_CONTENT_EDGES), FGW_NODE_PLAIN},
    [LIVE_TURN] = {FGW_NODE_EDGES(LIVE_TURN_EDGES), FGW_NODE_PLAIN},
    [LIVE_PARTS] = {.element = LIVE_PART, FGW_NODE_PLAIN},
    [LIVE_PART] = {FGW_NODE_EDGES(LIVE_PART_EDGES), FGW_NODE_PLAIN},
    [LIVE_BLOB] = {FGW_NODE_EDGES(LIVE_BLOB_EDGES), FGW_NODE_PLAIN},
    [LIVE_COMPLETE] = {.slot = ANSWER_TURN_COMPLETE},
    [SOUND] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [NODE_INPUT] = {.slot = ANSWER_INPUT},
    [NODE_OUTPUT] = {.slot = ANSWER_OUTPUT},
    [NODE_TOTAL] = {.slot = ANSWER_TOTAL},
    [NODE_CACHED] = {.slot = ANSWER_CACHED},
    [NODE_CACHED_AUDIO] = {.slot = ANSWER_CACHED_AUDIO},
    [NODE_REASONING] = {.slot = ANSWER_REASONING},
    [NODE_AUDIO_INPUT] = {.slot = ANSWER_AUDIO_INPUT},
    [NODE_AUDIO_OUTPUT] = {.slot = ANSWER_AUDIO_OUTPUT},
    [NODE_IMAGE_INPUT] = {.slot = ANSWER_IMAGE_INPUT},
};

static const struct fgw_json_room ROOMS[ANSWER_SLOTS] = {
    [ANSWER_ID] = {0, FGW_METER_ID_MAX},
    [ANSWER_MODEL] = {FGW_METER_ID_MAX, FGW_METER_MODEL_MAX},
    [ANSWER_TYPE] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX, 64},
    [ANSWER_LIVE_MODALITY] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 64, 16},
};

const struct fgw_json_spec fgw_realtime_answer = {
    .nodes = NODES,
    .rooms = ROOMS,
    .node_count = sizeof NODES / sizeof *NODES,
    .slot_count = ANSWER_SLOTS,
    .lenient = 1,
};

uint8_t fgw_realtime_root(const struct fgw_meter *meter)
{
    (void)meter;
    return FGW_REALTIME_ROOT;
}

void fgw_realtime_begin(struct fgw_meter *meter)
{
    memset(&meter->passes, 0, sizeof meter->passes);
}

int64_t fgw_realtime_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                           uint8_t *member)
{
    (void)meter;
    *kind = FGW_VOICE_TEXT;
    *member = 0;
    return 0;
}

void fgw_realtime_pass(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;

    if (fgw_text_is(json, ANSWER_LIVE_MODALITY, "AUDIO")) {
        fgw_report_take(&meter->passes, json, FGW_REPORT_AUDIO_INPUT, ANSWER_LIVE_INPUT);
        fgw_report_take(&meter->passes, json, FGW_REPORT_AUDIO_OUTPUT, ANSWER_LIVE_OUTPUT);
    } else if (fgw_text_is(json, ANSWER_LIVE_MODALITY, "IMAGE")) {
        fgw_report_take(&meter->passes, json, FGW_REPORT_IMAGE_INPUT, ANSWER_LIVE_INPUT);
    }
    json->seen &= ~((uint64_t)1 << ANSWER_LIVE_MODALITY | (uint64_t)1 << ANSWER_LIVE_INPUT |
                    (uint64_t)1 << ANSWER_LIVE_OUTPUT);
}

static void add(struct fgw_usage_report *sum, const struct fgw_usage_report *report)
{
    sum->present |= report->present;
    for (unsigned i = 0; i < FGW_REPORT_FIELDS; i++)
        sum->value[i] += report->value[i];
}

/* The usage object of this message. Cached sound is taken out of the sound, since it is told
 * among the cached tokens as well. */
static void read_usage(const struct fgw_meter *meter, struct fgw_usage_report *report)
{
    const struct fgw_json *json = &meter->json;
    int64_t cached_audio = fgw_json_number(json, ANSWER_CACHED_AUDIO, 0);
    uint64_t *audio = &report->value[FGW_REPORT_AUDIO_INPUT];

    *report = meter->passes;
    fgw_report_take(report, json, FGW_REPORT_INPUT, ANSWER_INPUT);
    fgw_report_take(report, json, FGW_REPORT_OUTPUT, ANSWER_OUTPUT);
    fgw_report_take(report, json, FGW_REPORT_TOTAL, ANSWER_TOTAL);
    fgw_report_take(report, json, FGW_REPORT_CACHED, ANSWER_CACHED);
    fgw_report_take(report, json, FGW_REPORT_REASONING, ANSWER_REASONING);
    fgw_report_take(report, json, FGW_REPORT_AUDIO_INPUT, ANSWER_AUDIO_INPUT);
    fgw_report_take(report, json, FGW_REPORT_AUDIO_OUTPUT, ANSWER_AUDIO_OUTPUT);
    fgw_report_take(report, json, FGW_REPORT_IMAGE_INPUT, ANSWER_IMAGE_INPUT);
    if (cached_audio > 0)
        *audio -= *audio < (uint64_t)cached_audio ? *audio : (uint64_t)cached_audio;
}

static int is_usage(const struct fgw_json *json, unsigned slot)
{
    /* xAI has empty ones where it tells nothing. */
    return fgw_json_type_of(json, slot) == FGW_JSON_OBJECT && json->slots[slot].count > 0;
}

/* Google's: of a turn the last one counts, and it is added when the turn is over. */
static unsigned fold_live(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    unsigned flags = 0;

    if (is_usage(json, ANSWER_LIVE_USAGE)) {
        read_usage(meter, &meter->earlier);
        meter->usage_state = TOLD;
        flags = FGW_EVENT_USAGE;
    } else if (json->text_bytes || json->binary_bytes) {
        meter->usage_state = meter->usage_state == TOLD ? TOLD : ANSWERING;
    }
    if (fgw_json_type_of(json, ANSWER_TURN_COMPLETE) != FGW_JSON_TRUE)
        return flags;
    add(&meter->report, &meter->earlier);
    memset(&meter->earlier, 0, sizeof meter->earlier);
    meter->usage_state = IDLE;
    return flags | FGW_EVENT_FINISH;
}

unsigned fgw_realtime_fold(struct fgw_meter *meter)
{
    static const char TRANSCRIBED[] = "conversation.item.input_audio_transcription.completed";
    struct fgw_json *json = &meter->json;
    struct fgw_usage_report report;
    enum fgw_json_type error = fgw_json_type_of(json, ANSWER_ERROR);
    unsigned flags = error == FGW_JSON_OBJECT || error == FGW_JSON_STRING ? FGW_EVENT_ERROR : 0;

    if (fgw_text_is(json, ANSWER_TYPE, "response.audio.delta") ||
        fgw_text_is(json, ANSWER_TYPE, "response.output_audio.delta")) {
        json->binary_bytes += json->text_bytes; /* base64 */
        json->text_bytes = 0;
    }
    if (fgw_json_type_of(json, ANSWER_TYPE) != FGW_JSON_STRING)
        return flags | fold_live(meter);
    if (fgw_text_is(json, ANSWER_TYPE, "response.created"))
        meter->usage_state = ANSWERING;
    read_usage(meter, &report);
    if (fgw_text_is(json, ANSWER_TYPE, "response.done")) {
        meter->usage_state = IDLE;
        flags |= FGW_EVENT_FINISH;
        if (is_usage(json, ANSWER_USAGE) || is_usage(json, ANSWER_TOP_USAGE)) {
            add(&meter->report, &report);
            flags |= FGW_EVENT_USAGE;
        }
    } else if (fgw_text_is_bytes(json, ANSWER_TYPE, TRANSCRIBED, sizeof TRANSCRIBED - 1) &&
               is_usage(json, ANSWER_TOP_USAGE)) {
        add(&meter->beside, &report); /* of sound by the second: nothing that is a token */
        flags |= FGW_EVENT_USAGE;
    }
    return flags;
}

int fgw_realtime_final(const struct fgw_meter *meter)
{
    return meter->usage_state == IDLE;
}

void fgw_realtime_classes(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    struct fgw_usage_report sum = meter->report;
    uint64_t *value = sum.value;

    add(&sum, &meter->earlier);
    uint64_t input = value[FGW_REPORT_INPUT], output = value[FGW_REPORT_OUTPUT];
    usage->cached_input = fgw_part_of(&input, value[FGW_REPORT_CACHED], usage);
    usage->audio_input = fgw_part_of(&input, value[FGW_REPORT_AUDIO_INPUT], usage);
    usage->image_input = fgw_part_of(&input, value[FGW_REPORT_IMAGE_INPUT], usage);
    usage->input = input;
    usage->audio_output = fgw_part_of(&output, value[FGW_REPORT_AUDIO_OUTPUT], usage);
    /* Google's thoughts stand beside the response, elsewhere they are in it. */
    usage->reasoning = meter->dialect == FGW_DIALECT_GEMINI
                           ? value[FGW_REPORT_REASONING]
                           : fgw_part_of(&output, value[FGW_REPORT_REASONING], usage);
    usage->output = output;
    if (meter->beside.present)
        usage->flags |= FGW_USAGE_BESIDE;
}
