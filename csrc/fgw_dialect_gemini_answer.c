#include "fgw_dialect_gemini_answer.h"

#include <string.h>

#include "fgw_dialect_slots.h"

/* In slots that this dialect has no other use for. */
enum {
    ANSWER_BLOCKED = ANSWER_USAGE_TWIN,   /* promptFeedback.blockReason */
    ANSWER_TOOL_INPUT = ANSWER_CACHED_OTHER,
    ANSWER_CANDIDATE_INDEX = ANSWER_VENDOR, /* of one element of candidates */
    ANSWER_CANDIDATE_FINISH = ANSWER_AUDIO_SECONDS,
    ANSWER_MODALITY = ANSWER_PASS_TYPE, /* of one element of a ...TokensDetails, and its count: */
    ANSWER_INPUT_PART = ANSWER_PASS_INPUT,
    ANSWER_OUTPUT_PART = ANSWER_PASS_OUTPUT,
    ANSWER_CACHED_PART = ANSWER_PASS_CACHED,
    ANSWER_STATISTIC = ANSWER_PASS_CACHE_WRITE, /* Vertex: token_count of one prediction */
};

enum {
    NOTHING = 0,
    ROOT,
    TRACKED_ROOT,
    ID,
    MODEL,
    ERROR,
    CANDIDATES,
    CANDIDATE,
    CONTENT,
    PART,
    CALL,
    CODE,
    MEDIA,
    SOUND,
    GENERATED,
    GENERATED_TREE,
    FEEDBACK,
    BLOCKED,
    USAGE,
    TIER,
    GROUNDING,
    QUERIES,
    NODE_INPUT,
    NODE_OUTPUT,
    NODE_TOTAL,
    NODE_CACHED,
    NODE_REASONING,
    NODE_TOOL_INPUT,
    INPUT_DETAILS,
    INPUT_DETAIL,
    INPUT_PART,
    OUTPUT_DETAILS,
    OUTPUT_DETAIL,
    OUTPUT_PART,
    CACHED_DETAILS,
    CACHED_DETAIL,
    CACHED_PART,
    MODALITY,
    PREDICTIONS,
    PREDICTION,
    EMBEDDING,
    STATISTICS,
    STATISTIC,
    INDEX,
    FINISH,
    TRACKED_CANDIDATES,
    TRACKED_CANDIDATE,
    TRACKED_CONTENT,
    TRACKED_PART,
    TRACKED_CODE,
    SAID,
};

#define COMMON_EDGES \
    FGW_JSON_EDGE("usageMetadata", USAGE), FGW_JSON_EDGE("modelVersion", MODEL), \
    FGW_JSON_EDGE("responseId", ID), FGW_JSON_EDGE("promptFeedback", FEEDBACK), \
    FGW_JSON_EDGE("error", ERROR)

static const struct fgw_json_edge ROOT_EDGES[] = {
    FGW_JSON_EDGE("candidates", CANDIDATES),
    COMMON_EDGES,
    FGW_JSON_EDGE("predictions", PREDICTIONS),
};

static const struct fgw_json_edge TRACKED_ROOT_EDGES[] = {
    FGW_JSON_EDGE("candidates", TRACKED_CANDIDATES),
    COMMON_EDGES,
};

static const struct fgw_json_edge CANDIDATE_EDGES[] = {
    FGW_JSON_EDGE("content", CONTENT),
    FGW_JSON_EDGE("finishReason", FINISH),
    FGW_JSON_EDGE("index", INDEX),
    FGW_JSON_EDGE("groundingMetadata", GROUNDING),
};

/* Told with the last of the answer, or with several: the longest list holds. */
static const struct fgw_json_edge GROUNDING_EDGES[] = {FGW_JSON_EDGE("webSearchQueries", QUERIES)};

static const struct fgw_json_edge CONTENT_EDGES[] = {FGW_JSON_EDGE("parts", PART)};

/* Results of code that Google has run stand in parts too, but are no output. */
static const struct fgw_json_edge PART_EDGES[] = {
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("functionCall", CALL),
    FGW_JSON_EDGE("executableCode", CODE),
    FGW_JSON_EDGE("inlineData", MEDIA),
};

/* (Names are no text: an event that bears nothing else is not sure to have cost a token.) */
static const struct fgw_json_edge CALL_EDGES[] = {FGW_JSON_EDGE("args", GENERATED_TREE)};
static const struct fgw_json_edge CODE_EDGES[] = {FGW_JSON_EDGE("code", GENERATED)};
static const struct fgw_json_edge MEDIA_EDGES[] = {FGW_JSON_EDGE("data", SOUND)};

/* Of a stream that may have to be ended here: what is said goes to the tokenizer, too. */
static const struct fgw_json_edge TRACKED_CANDIDATE_EDGES[] = {
    FGW_JSON_EDGE("content", TRACKED_CONTENT),
    FGW_JSON_EDGE("finishReason", FINISH),
    FGW_JSON_EDGE("index", INDEX),
    FGW_JSON_EDGE("groundingMetadata", GROUNDING),
};
static const struct fgw_json_edge TRACKED_CONTENT_EDGES[] = {
    FGW_JSON_EDGE("parts", TRACKED_PART),
};
static const struct fgw_json_edge TRACKED_PART_EDGES[] = {
    FGW_JSON_EDGE("text", SAID),
    FGW_JSON_EDGE("functionCall", CALL),
    FGW_JSON_EDGE("executableCode", TRACKED_CODE),
    FGW_JSON_EDGE("inlineData", MEDIA),
};
static const struct fgw_json_edge TRACKED_CODE_EDGES[] = {FGW_JSON_EDGE("code", SAID)};

static const struct fgw_json_edge FEEDBACK_EDGES[] = {FGW_JSON_EDGE("blockReason", BLOCKED)};

static const struct fgw_json_edge USAGE_EDGES[] = {
    FGW_JSON_EDGE("promptTokenCount", NODE_INPUT),
    FGW_JSON_EDGE("candidatesTokenCount", NODE_OUTPUT),
    FGW_JSON_EDGE("responseTokenCount", NODE_OUTPUT), /* the Live API */
    FGW_JSON_EDGE("totalTokenCount", NODE_TOTAL),
    FGW_JSON_EDGE("thoughtsTokenCount", NODE_REASONING),
    FGW_JSON_EDGE("cachedContentTokenCount", NODE_CACHED),
    FGW_JSON_EDGE("toolUsePromptTokenCount", NODE_TOOL_INPUT),
    FGW_JSON_EDGE("serviceTier", TIER),
    FGW_JSON_EDGE("trafficType", TIER), /* Vertex */
    FGW_JSON_EDGE("promptTokensDetails", INPUT_DETAILS),
    FGW_JSON_EDGE("toolUsePromptTokensDetails", INPUT_DETAILS),
    FGW_JSON_EDGE("candidatesTokensDetails", OUTPUT_DETAILS),
    FGW_JSON_EDGE("cacheTokensDetails", CACHED_DETAILS),
};

static const struct fgw_json_edge INPUT_DETAIL_EDGES[] = {
    FGW_JSON_EDGE("modality", MODALITY),
    FGW_JSON_EDGE("tokenCount", INPUT_PART),
};
static const struct fgw_json_edge OUTPUT_DETAIL_EDGES[] = {
    FGW_JSON_EDGE("modality", MODALITY),
    FGW_JSON_EDGE("tokenCount", OUTPUT_PART),
};
static const struct fgw_json_edge CACHED_DETAIL_EDGES[] = {
    FGW_JSON_EDGE("modality", MODALITY),
    FGW_JSON_EDGE("tokenCount", CACHED_PART),
};

static const struct fgw_json_edge PREDICTION_EDGES[] = {FGW_JSON_EDGE("embeddings", EMBEDDING)};
static const struct fgw_json_edge EMBEDDING_EDGES[] = {FGW_JSON_EDGE("statistics", STATISTICS)};
static const struct fgw_json_edge STATISTICS_EDGES[] = {FGW_JSON_EDGE("token_count", STATISTIC)};

#define PAUSE .flags = FGW_JSON_PAUSE

static const struct fgw_json_node ANSWER_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [ROOT] = {FGW_NODE_EDGES(ROOT_EDGES), FGW_NODE_PLAIN},
    [TRACKED_ROOT] = {FGW_NODE_EDGES(TRACKED_ROOT_EDGES), FGW_NODE_PLAIN},
    [ID] = {.slot = ANSWER_ID},
    [MODEL] = {.slot = ANSWER_MODEL},
    [ERROR] = {.slot = ANSWER_ERROR, .flags = FGW_JSON_STICKY},
    [CANDIDATES] = {.element = CANDIDATE, .slot = ANSWER_CHOICES},
    [CANDIDATE] = {FGW_NODE_EDGES(CANDIDATE_EDGES), FGW_NODE_PLAIN, PAUSE},
    [CONTENT] = {FGW_NODE_EDGES(CONTENT_EDGES), FGW_NODE_PLAIN},
    [PART] = {FGW_NODE_EDGES(PART_EDGES), .element = PART, FGW_NODE_PLAIN},
    [CALL] = {FGW_NODE_EDGES(CALL_EDGES), FGW_NODE_PLAIN},
    [CODE] = {FGW_NODE_EDGES(CODE_EDGES), FGW_NODE_PLAIN},
    [MEDIA] = {FGW_NODE_EDGES(MEDIA_EDGES), FGW_NODE_PLAIN},
    [SOUND] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [GENERATED] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [GENERATED_TREE] = {.other = GENERATED_TREE, .element = GENERATED_TREE, .text = FGW_JSON_TEXT,
                        .flags = FGW_JSON_KEYS_TEXT, FGW_NODE_PLAIN},
    [FEEDBACK] = {FGW_NODE_EDGES(FEEDBACK_EDGES), FGW_NODE_PLAIN},
    [BLOCKED] = {.slot = ANSWER_BLOCKED},
    [USAGE] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_USAGE},
    [TIER] = {.slot = ANSWER_TIER},
    [GROUNDING] = {FGW_NODE_EDGES(GROUNDING_EDGES), FGW_NODE_PLAIN},
    [QUERIES] = {.slot = ANSWER_SEARCHES},
    [NODE_INPUT] = {.slot = ANSWER_INPUT},
    [NODE_OUTPUT] = {.slot = ANSWER_OUTPUT},
    [NODE_TOTAL] = {.slot = ANSWER_TOTAL},
    [NODE_CACHED] = {.slot = ANSWER_CACHED},
    [NODE_REASONING] = {.slot = ANSWER_REASONING},
    [NODE_TOOL_INPUT] = {.slot = ANSWER_TOOL_INPUT},
    [INPUT_DETAILS] = {.element = INPUT_DETAIL, FGW_NODE_PLAIN},
    [INPUT_DETAIL] = {FGW_NODE_EDGES(INPUT_DETAIL_EDGES), FGW_NODE_PLAIN, PAUSE},
    [INPUT_PART] = {.slot = ANSWER_INPUT_PART},
    [OUTPUT_DETAILS] = {.element = OUTPUT_DETAIL, FGW_NODE_PLAIN},
    [OUTPUT_DETAIL] = {FGW_NODE_EDGES(OUTPUT_DETAIL_EDGES), FGW_NODE_PLAIN, PAUSE},
    [OUTPUT_PART] = {.slot = ANSWER_OUTPUT_PART},
    [CACHED_DETAILS] = {.element = CACHED_DETAIL, FGW_NODE_PLAIN},
    [CACHED_DETAIL] = {FGW_NODE_EDGES(CACHED_DETAIL_EDGES), FGW_NODE_PLAIN, PAUSE},
    [CACHED_PART] = {.slot = ANSWER_CACHED_PART},
    [MODALITY] = {.slot = ANSWER_MODALITY},
    [PREDICTIONS] = {.element = PREDICTION, FGW_NODE_PLAIN},
    [PREDICTION] = {FGW_NODE_EDGES(PREDICTION_EDGES), FGW_NODE_PLAIN, PAUSE},
    [EMBEDDING] = {FGW_NODE_EDGES(EMBEDDING_EDGES), FGW_NODE_PLAIN},
    [STATISTICS] = {FGW_NODE_EDGES(STATISTICS_EDGES), FGW_NODE_PLAIN},
    [STATISTIC] = {.slot = ANSWER_STATISTIC},
    [INDEX] = {.slot = ANSWER_CANDIDATE_INDEX},
    [FINISH] = {.slot = ANSWER_CANDIDATE_FINISH},
    [TRACKED_CANDIDATES] = {.element = TRACKED_CANDIDATE, .slot = ANSWER_CHOICES},
    [TRACKED_CANDIDATE] = {FGW_NODE_EDGES(TRACKED_CANDIDATE_EDGES), FGW_NODE_PLAIN, PAUSE},
    [TRACKED_CONTENT] = {FGW_NODE_EDGES(TRACKED_CONTENT_EDGES), FGW_NODE_PLAIN},
    [TRACKED_PART] = {FGW_NODE_EDGES(TRACKED_PART_EDGES), .element = TRACKED_PART,
                      FGW_NODE_PLAIN},
    [TRACKED_CODE] = {FGW_NODE_EDGES(TRACKED_CODE_EDGES), FGW_NODE_PLAIN},
    [SAID] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
};

static const struct fgw_json_room ANSWER_ROOMS[ANSWER_SLOTS] = {
    [ANSWER_ID] = {0, FGW_METER_ID_MAX},
    [ANSWER_MODEL] = {FGW_METER_ID_MAX, FGW_METER_MODEL_MAX},
    [ANSWER_MODALITY] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX, 16},
    [ANSWER_TIER] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 16, FGW_TIER_WORD_MAX},
};

const struct fgw_json_spec fgw_gemini_answer = {
    .nodes = ANSWER_NODES,
    .rooms = ANSWER_ROOMS,
    .node_count = sizeof ANSWER_NODES / sizeof *ANSWER_NODES,
    .slot_count = ANSWER_SLOTS,
    .lenient = 1,
};

#define BIT(slot) ((uint64_t)1 << (slot))
#define CANDIDATE_SLOTS \
    (BIT(ANSWER_CANDIDATE_INDEX) | BIT(ANSWER_CANDIDATE_FINISH) | BIT(ANSWER_SEARCHES))
#define DETAIL_SLOTS \
    (BIT(ANSWER_MODALITY) | BIT(ANSWER_INPUT_PART) | BIT(ANSWER_OUTPUT_PART) | \
     BIT(ANSWER_CACHED_PART) | BIT(ANSWER_STATISTIC))

#define CANDIDATES_MAX 8 /* what the API allows */

uint8_t fgw_gemini_root(const struct fgw_meter *meter)
{
    return meter->tracked ? FGW_GEMINI_TRACKED_ROOT : FGW_GEMINI_ROOT;
}

void fgw_gemini_begin(struct fgw_meter *meter)
{
    if (meter->passes.present)
        memset(&meter->passes, 0, sizeof meter->passes);
}

int64_t fgw_gemini_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member)
{
    /* Whether it was a thought is told behind it, and costs the same. */
    *kind = FGW_VOICE_TEXT;
    *member = 0;
    return meter->voices->count == 1 ? 0 : fgw_json_number(&meter->json, ANSWER_CANDIDATE_INDEX,
                                                           -1);
}

static int modality_is(const struct fgw_json *json, const char *word)
{
    size_t length = strlen(word);

    return fgw_json_type_of(json, ANSWER_MODALITY) == FGW_JSON_STRING &&
           json->slots[ANSWER_MODALITY].count == length &&
           !memcmp(fgw_json_text_of(json, ANSWER_MODALITY), word, length);
}

static void add(struct fgw_usage_report *sum, enum fgw_report_field field, int64_t number)
{
    if (number < 0 || number > FGW_REPORT_MAX)
        return;
    sum->present |= 1u << field;
    sum->value[field] += (uint64_t)number;
}

/* What was cached is told once more by modality, within the prompt's: it is no sound or picture
 * that is paid as such. */
static void take_away(struct fgw_usage_report *sum, enum fgw_report_field field, int64_t number)
{
    uint64_t part = number > 0 ? (uint64_t)number : 0;

    sum->value[field] -= part < sum->value[field] ? part : sum->value[field];
}

static void take_detail(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    struct fgw_usage_report *sum = &meter->passes;
    int sound = modality_is(json, "AUDIO");

    add(sum, FGW_REPORT_INPUT, fgw_json_number(json, ANSWER_STATISTIC, -1));
    if (!sound && !modality_is(json, "IMAGE"))
        return; /* film and documents cost what text does */
    enum fgw_report_field input = sound ? FGW_REPORT_AUDIO_INPUT : FGW_REPORT_IMAGE_INPUT;
    enum fgw_report_field output = sound ? FGW_REPORT_AUDIO_OUTPUT : FGW_REPORT_IMAGE_OUTPUT;
    add(sum, input, fgw_json_number(json, ANSWER_INPUT_PART, -1));
    add(sum, output, fgw_json_number(json, ANSWER_OUTPUT_PART, -1));
    take_away(sum, input, fgw_json_number(json, ANSWER_CACHED_PART, 0));
}

/* usage_state: candidates that have begun; pass_flags: that have ended. */
static void take_candidate(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;
    int64_t index = fgw_json_number(json, ANSWER_CANDIDATE_INDEX, 0);
    int ended = fgw_json_type_of(json, ANSWER_CANDIDATE_FINISH) == FGW_JSON_STRING;

    if (index < 0 || index >= CANDIDATES_MAX)
        index = 0;
    if (fgw_json_type_of(json, ANSWER_SEARCHES) == FGW_JSON_ARRAY &&
        json->slots[ANSWER_SEARCHES].count > meter->units.searches)
        meter->units.searches = json->slots[ANSWER_SEARCHES].count;
    meter->usage_state |= (uint8_t)(1u << index);
    meter->pass_flags |= (uint8_t)((unsigned)ended << index);
    if (ended) {
        json->seen |= BIT(ANSWER_FINISH);
        json->slots[ANSWER_FINISH].type = FGW_JSON_STRING;
    }
    if (!meter->tracked)
        return;
    meter->state.finished[0] |= (uint64_t)ended << index;
    if (meter->voices)
        fgw_voices_told(meter->voices, index, FGW_VOICE_NONE);
}

void fgw_gemini_pass(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;

    if (json->seen & DETAIL_SLOTS)
        take_detail(meter);
    else
        take_candidate(meter);
    json->seen &= ~(DETAIL_SLOTS | CANDIDATE_SLOTS);
}

static void take_report(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    const struct fgw_usage_report *parts = &meter->passes;
    struct fgw_usage_report report = {0};

    fgw_report_take(&report, json, FGW_REPORT_INPUT, ANSWER_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_OUTPUT, ANSWER_OUTPUT);
    fgw_report_take(&report, json, FGW_REPORT_TOTAL, ANSWER_TOTAL);
    fgw_report_take(&report, json, FGW_REPORT_CACHED, ANSWER_CACHED);
    fgw_report_take(&report, json, FGW_REPORT_REASONING, ANSWER_REASONING);
    fgw_report_take(&report, json, FGW_REPORT_TOOL_INPUT, ANSWER_TOOL_INPUT);
    if (parts->present >> FGW_REPORT_INPUT & 1) /* statistics */
        add(&report, FGW_REPORT_INPUT, (int64_t)parts->value[FGW_REPORT_INPUT]);
    if (!report.present)
        return; /* the traffic's type alone */
    for (unsigned field = FGW_REPORT_AUDIO_INPUT; field <= FGW_REPORT_IMAGE_OUTPUT; field++)
        if (parts->present >> field & 1)
            add(&report, (enum fgw_report_field)field, (int64_t)parts->value[field]);
    report.present |= 1u << FGW_REPORT_INPUT | 1u << FGW_REPORT_OUTPUT; /* left out means 0 */
    meter->report = report;
}

unsigned fgw_gemini_fold(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    unsigned flags = 0;

    meter->state.begun = meter->tracked ? 1 : meter->state.begun;
    if (fgw_json_type_of(json, ANSWER_FINISH) == FGW_JSON_STRING ||
        fgw_json_type_of(json, ANSWER_BLOCKED) == FGW_JSON_STRING)
        flags |= FGW_EVENT_FINISH;
    if (fgw_json_type_of(json, ANSWER_ERROR) == FGW_JSON_OBJECT)
        flags |= FGW_EVENT_ERROR;
    if (fgw_json_type_of(json, ANSWER_USAGE) == FGW_JSON_OBJECT || meter->passes.present) {
        take_report(meter);
        fgw_take_tier(meter, FGW_TIER_SERVICE, ANSWER_TIER);
        flags |= FGW_EVENT_USAGE;
    }
    return flags;
}

int fgw_gemini_final(const struct fgw_meter *meter)
{
    if (!meter->streaming || meter->ever & FGW_EVENT_ERROR)
        return 1;
    return meter->ever & FGW_EVENT_FINISH && meter->usage_state == meter->pass_flags;
}

void fgw_gemini_classes(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    const uint64_t *value = meter->report.value;
    uint64_t input = value[FGW_REPORT_INPUT], output = value[FGW_REPORT_OUTPUT];
    uint64_t thoughts = value[FGW_REPORT_REASONING];
    uint64_t named = input + value[FGW_REPORT_TOOL_INPUT] + output + thoughts;

    usage->cached_input = fgw_part_of(&input, value[FGW_REPORT_CACHED], usage);
    input += value[FGW_REPORT_TOOL_INPUT];
    /* What only the total has: thoughts that are not told. */
    if (value[FGW_REPORT_TOTAL] > named && meter->operation == FGW_OPERATION_GENERATE)
        thoughts += value[FGW_REPORT_TOTAL] - named;
    usage->audio_input = fgw_part_of(&input, value[FGW_REPORT_AUDIO_INPUT], usage);
    usage->image_input = fgw_part_of(&input, value[FGW_REPORT_IMAGE_INPUT], usage);
    usage->input = input;
    usage->audio_output = fgw_part_of(&output, value[FGW_REPORT_AUDIO_OUTPUT], usage);
    usage->image_output = fgw_part_of(&output, value[FGW_REPORT_IMAGE_OUTPUT], usage);
    usage->output = output;
    usage->reasoning = thoughts;
}
