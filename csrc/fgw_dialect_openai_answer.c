#include "fgw_dialect_openai_answer.h"

#include <string.h>

#include "fgw_dialect_openai_usage.h"
#include "fgw_dialect_slots.h"

/* Of one item of a response's output, in slots that this dialect has no other use for. */
enum {
    ANSWER_ITEM_TYPE = ANSWER_PASS_CACHE_WRITE,
    ANSWER_ITEM_ACTION = ANSWER_PASS_CACHE_WRITE_1H,
};

enum {
    NOTHING = 0,
    BODY,
    EVENT,
    LATER_EVENT,
    TRACKED_EVENT,
    ID,
    MODEL,
    TYPE,
    ERROR,
    CHOICES,
    CHOICE,
    DELTA,
    DELTA_CHOICES,
    DELTA_CHOICE,
    CALLS,
    CALL,
    FUNCTION,
    CONTENT_TEXT,
    GENERATED,
    FINISH,
    OUTPUT,
    OUTPUT_ITEM,
    ITEM_TYPE,
    ITEM_ACTION,
    ITEM_ACTION_TYPE,
    RESOURCE,
    RESOURCE_OUTPUT,
    RESOURCE_ITEM,
    TIER,
    GROQ,
    USAGE,
    USAGE_TWIN,
    INPUT_DETAILS,
    OUTPUT_DETAILS,
    NODE_INPUT,
    NODE_OUTPUT,
    NODE_TOTAL,
    NODE_CACHED,
    NODE_CACHED_OTHER,
    NODE_CACHE_WRITE,
    NODE_REASONING,
    NODE_AUDIO_INPUT,
    NODE_AUDIO_OUTPUT,
    NODE_IMAGE_INPUT,
    NODE_IMAGE_OUTPUT,
    NODE_VENDOR,
    NODE_SEARCHES,
    NODE_AUDIO_SECONDS,
    PICTURES,
    TRACKED_CHOICES,
    TRACKED_CHOICE,
    TRACKED_RESOURCE,
    TRACKED_DELTA,
    TRACKED_CALLS,
    TRACKED_CALL,
    TRACKED_FUNCTION,
    TRACKED_SOUND,
    SAID,
    SAID_CONTENT,
    SAID_TEXT,
    SAID_THOUGHT,
    SAID_THOUGHT_TWIN,
    SAID_CALL,
    SOUND,
    CHOICE_INDEX,
    CHOICE_FINISH,
    CREATED,
    SEQUENCE,
};

static const struct fgw_json_edge BODY_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("choices", CHOICES),
    FGW_JSON_EDGE("usage", USAGE),
    FGW_JSON_EDGE("output", OUTPUT), /* responses */
    FGW_JSON_EDGE("text", GENERATED), /* a transcription; responses have an object here */
    FGW_JSON_EDGE("error", ERROR),
    FGW_JSON_EDGE("x_groq", GROQ),
    FGW_JSON_EDGE("status", FINISH),
    FGW_JSON_EDGE("data", PICTURES), /* images: one each */
    FGW_JSON_EDGE("service_tier", TIER),
};

enum { EVENT_NAMES = 3 }; /* edges of EVENT that LATER_EVENT leaves out */
static const struct fgw_json_edge EVENT_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("service_tier", TIER), /* chat: the same in all chunks */
    FGW_JSON_EDGE("choices", DELTA_CHOICES),
    FGW_JSON_EDGE("usage", USAGE),
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("delta", GENERATED), /* responses, speech, transcription */
    FGW_JSON_EDGE("response", RESOURCE),
    FGW_JSON_EDGE("error", ERROR),
    FGW_JSON_EDGE("x_groq", GROQ),
};

static const struct fgw_json_edge CHOICE_EDGES[] = {
    FGW_JSON_EDGE("message", DELTA),
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("finish_reason", FINISH),
};

/* Some (Perplexity) repeat all of `message` beside each delta: it is not looked at here. */
static const struct fgw_json_edge DELTA_CHOICE_EDGES[] = {
    FGW_JSON_EDGE("delta", DELTA),
    FGW_JSON_EDGE("text", GENERATED),
    FGW_JSON_EDGE("finish_reason", FINISH),
};

static const struct fgw_json_edge DELTA_EDGES[] = {
    FGW_JSON_EDGE("content", CONTENT_TEXT),
    FGW_JSON_EDGE("tool_calls", CALLS),
    FGW_JSON_EDGE("function_call", FUNCTION),
    FGW_JSON_EDGE("refusal", GENERATED),
    FGW_JSON_EDGE("reasoning_content", GENERATED),
    FGW_JSON_EDGE("reasoning", GENERATED),
    FGW_JSON_EDGE("audio", FUNCTION), /* its transcript; the sound itself is no text */
};

static const struct fgw_json_edge CALL_EDGES[] = {
    FGW_JSON_EDGE("function", FUNCTION),
    FGW_JSON_EDGE("custom", FUNCTION),
};

/* (Names are no text: an event that bears nothing else is not sure to have cost a token.) */
static const struct fgw_json_edge FUNCTION_EDGES[] = {
    FGW_JSON_EDGE("arguments", GENERATED),
    FGW_JSON_EDGE("input", GENERATED),
    FGW_JSON_EDGE("transcript", GENERATED),
};

/* Parts of a content array, and items of responses' output, by the members that hold text. */
#define CONTENT_MEMBERS \
    FGW_JSON_EDGE("text", CONTENT_TEXT), FGW_JSON_EDGE("content", CONTENT_TEXT), \
    FGW_JSON_EDGE("summary", CONTENT_TEXT), FGW_JSON_EDGE("thinking", CONTENT_TEXT), \
    FGW_JSON_EDGE("refusal", GENERATED), FGW_JSON_EDGE("name", GENERATED), \
    FGW_JSON_EDGE("arguments", GENERATED), FGW_JSON_EDGE("input", GENERATED)
static const struct fgw_json_edge CONTENT_EDGES[] = {CONTENT_MEMBERS};

/* An item of a response's output: searches are told by nothing else. */
#define ITEM_MEMBERS FGW_JSON_EDGE("type", ITEM_TYPE), FGW_JSON_EDGE("action", ITEM_ACTION)
static const struct fgw_json_edge OUTPUT_ITEM_EDGES[] = {ITEM_MEMBERS, CONTENT_MEMBERS};
static const struct fgw_json_edge RESOURCE_ITEM_EDGES[] = {ITEM_MEMBERS};
static const struct fgw_json_edge ITEM_ACTION_EDGES[] = {FGW_JSON_EDGE("type", ITEM_ACTION_TYPE)};

#define RESOURCE_MEMBERS \
    FGW_JSON_EDGE("id", ID), FGW_JSON_EDGE("model", MODEL), FGW_JSON_EDGE("usage", USAGE), \
    FGW_JSON_EDGE("error", ERROR), FGW_JSON_EDGE("service_tier", TIER), \
    FGW_JSON_EDGE("output", RESOURCE_OUTPUT)
static const struct fgw_json_edge RESOURCE_EDGES[] = {RESOURCE_MEMBERS};

/* Of a stream that may have to be ended here: what its ending must say, too, and what is said, for
 * the tokenizer. */
static const struct fgw_json_edge TRACKED_EVENT_EDGES[] = {
    FGW_JSON_EDGE("id", ID),
    FGW_JSON_EDGE("model", MODEL),
    FGW_JSON_EDGE("created", CREATED),
    FGW_JSON_EDGE("sequence_number", SEQUENCE),
    FGW_JSON_EDGE("choices", TRACKED_CHOICES),
    FGW_JSON_EDGE("service_tier", TIER),
    FGW_JSON_EDGE("usage", USAGE),
    FGW_JSON_EDGE("type", TYPE),
    FGW_JSON_EDGE("delta", SAID),
    FGW_JSON_EDGE("response", TRACKED_RESOURCE),
    FGW_JSON_EDGE("error", ERROR),
    FGW_JSON_EDGE("x_groq", GROQ),
};

static const struct fgw_json_edge TRACKED_CHOICE_EDGES[] = {
    FGW_JSON_EDGE("index", CHOICE_INDEX),
    FGW_JSON_EDGE("delta", TRACKED_DELTA),
    FGW_JSON_EDGE("text", SAID_TEXT),
    FGW_JSON_EDGE("finish_reason", CHOICE_FINISH),
};

static const struct fgw_json_edge TRACKED_DELTA_EDGES[] = {
    FGW_JSON_EDGE("content", SAID_CONTENT),
    FGW_JSON_EDGE("tool_calls", TRACKED_CALLS),
    FGW_JSON_EDGE("function_call", TRACKED_FUNCTION),
    FGW_JSON_EDGE("refusal", SAID),
    FGW_JSON_EDGE("reasoning_content", SAID_THOUGHT),
    FGW_JSON_EDGE("reasoning", SAID_THOUGHT_TWIN),
    FGW_JSON_EDGE("audio", TRACKED_SOUND),
};

static const struct fgw_json_edge TRACKED_CALL_EDGES[] = {
    FGW_JSON_EDGE("function", TRACKED_FUNCTION),
    FGW_JSON_EDGE("custom", TRACKED_FUNCTION),
};

static const struct fgw_json_edge TRACKED_FUNCTION_EDGES[] = {
    FGW_JSON_EDGE("arguments", SAID_CALL),
    FGW_JSON_EDGE("input", SAID_CALL),
};

static const struct fgw_json_edge TRACKED_SOUND_EDGES[] = {
    FGW_JSON_EDGE("transcript", SAID),
    FGW_JSON_EDGE("data", SOUND),
};

static const struct fgw_json_edge SAID_CONTENT_EDGES[] = {
    FGW_JSON_EDGE("text", SAID_CONTENT),
    FGW_JSON_EDGE("content", SAID_CONTENT),
    FGW_JSON_EDGE("summary", SAID_CONTENT),
    FGW_JSON_EDGE("thinking", SAID_CONTENT),
    FGW_JSON_EDGE("refusal", SAID),
    FGW_JSON_EDGE("name", GENERATED),
    FGW_JSON_EDGE("arguments", SAID_CALL),
    FGW_JSON_EDGE("input", SAID_CALL),
};

static const struct fgw_json_edge TRACKED_RESOURCE_EDGES[] = {
    RESOURCE_MEMBERS,
    FGW_JSON_EDGE("created_at", CREATED),
};

static const struct fgw_json_edge GROQ_EDGES[] = {FGW_JSON_EDGE("usage", USAGE_TWIN)};

static const struct fgw_json_edge USAGE_EDGES[] = {
    FGW_JSON_EDGE("prompt_tokens", NODE_INPUT),
    FGW_JSON_EDGE("completion_tokens", NODE_OUTPUT),
    FGW_JSON_EDGE("total_tokens", NODE_TOTAL),
    FGW_JSON_EDGE("prompt_tokens_details", INPUT_DETAILS),
    FGW_JSON_EDGE("completion_tokens_details", OUTPUT_DETAILS),
    FGW_JSON_EDGE("input_tokens", NODE_INPUT),
    FGW_JSON_EDGE("output_tokens", NODE_OUTPUT),
    FGW_JSON_EDGE("input_tokens_details", INPUT_DETAILS),
    FGW_JSON_EDGE("output_tokens_details", OUTPUT_DETAILS),
    FGW_JSON_EDGE("input_token_details", INPUT_DETAILS), /* transcription */
    FGW_JSON_EDGE("output_token_details", OUTPUT_DETAILS),
    FGW_JSON_EDGE("prompt_cache_hit_tokens", NODE_CACHED_OTHER), /* DeepSeek */
    FGW_JSON_EDGE("cached_tokens", NODE_CACHED_OTHER),           /* Together */
    FGW_JSON_EDGE("num_cached_tokens", NODE_CACHED_OTHER),       /* Mistral */
    FGW_JSON_EDGE("prompt_audio_seconds", NODE_AUDIO_SECONDS),
    FGW_JSON_EDGE("seconds", NODE_AUDIO_SECONDS), /* transcription by the second */
    FGW_JSON_EDGE("market_cost", NODE_VENDOR),
    FGW_JSON_EDGE("num_sources_used", NODE_SEARCHES),   /* xAI: it is paid by the source */
    FGW_JSON_EDGE("num_search_queries", NODE_SEARCHES), /* Perplexity */
    FGW_JSON_EDGE("cache_creation_input_tokens", NODE_CACHE_WRITE), /* Vercel */
    FGW_JSON_EDGE("service_tier", TIER), /* Mistral */
};

static const struct fgw_json_edge INPUT_DETAILS_EDGES[] = {
    FGW_JSON_EDGE("cached_tokens", NODE_CACHED),
    FGW_JSON_EDGE("cache_write_tokens", NODE_CACHE_WRITE),
    FGW_JSON_EDGE("audio_tokens", NODE_AUDIO_INPUT),
    FGW_JSON_EDGE("image_tokens", NODE_IMAGE_INPUT),
};

static const struct fgw_json_edge OUTPUT_DETAILS_EDGES[] = {
    FGW_JSON_EDGE("reasoning_tokens", NODE_REASONING),
    FGW_JSON_EDGE("audio_tokens", NODE_AUDIO_OUTPUT),
    FGW_JSON_EDGE("image_tokens", NODE_IMAGE_OUTPUT),
};

static const struct fgw_json_node ANSWER_NODES[] = {
    [NOTHING] = {FGW_NODE_PLAIN},
    [BODY] = {FGW_NODE_EDGES(BODY_EDGES), FGW_NODE_PLAIN},
    [EVENT] = {FGW_NODE_EDGES(EVENT_EDGES), FGW_NODE_PLAIN},
    [LATER_EVENT] = {.edges = EVENT_EDGES + EVENT_NAMES,
                     .edge_count = sizeof EVENT_EDGES / sizeof *EVENT_EDGES - EVENT_NAMES,
                     FGW_NODE_PLAIN},
    [ID] = {.slot = ANSWER_ID},
    [MODEL] = {.slot = ANSWER_MODEL},
    [TYPE] = {.slot = ANSWER_TYPE},
    [ERROR] = {.slot = ANSWER_ERROR, .flags = FGW_JSON_STICKY},
    [CHOICES] = {.element = CHOICE, .slot = ANSWER_CHOICES},
    [CHOICE] = {FGW_NODE_EDGES(CHOICE_EDGES), FGW_NODE_PLAIN},
    [DELTA] = {FGW_NODE_EDGES(DELTA_EDGES), FGW_NODE_PLAIN},
    [DELTA_CHOICES] = {.element = DELTA_CHOICE, .slot = ANSWER_CHOICES},
    [DELTA_CHOICE] = {FGW_NODE_EDGES(DELTA_CHOICE_EDGES), FGW_NODE_PLAIN},
    [CALLS] = {.element = CALL, FGW_NODE_PLAIN},
    [CALL] = {FGW_NODE_EDGES(CALL_EDGES), FGW_NODE_PLAIN},
    [FUNCTION] = {FGW_NODE_EDGES(FUNCTION_EDGES), FGW_NODE_PLAIN},
    [CONTENT_TEXT] = {FGW_NODE_EDGES(CONTENT_EDGES), .element = CONTENT_TEXT,
                      .text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [GENERATED] = {.text = FGW_JSON_TEXT, FGW_NODE_PLAIN},
    [FINISH] = {.slot = ANSWER_FINISH, .flags = FGW_JSON_STICKY},
    [OUTPUT] = {.element = OUTPUT_ITEM, FGW_NODE_PLAIN},
    [OUTPUT_ITEM] = {FGW_NODE_EDGES(OUTPUT_ITEM_EDGES), .element = CONTENT_TEXT,
                     .text = FGW_JSON_TEXT, FGW_NODE_PLAIN, .flags = FGW_JSON_PAUSE},
    [RESOURCE_OUTPUT] = {.element = RESOURCE_ITEM, FGW_NODE_PLAIN},
    [RESOURCE_ITEM] = {FGW_NODE_EDGES(RESOURCE_ITEM_EDGES), FGW_NODE_PLAIN,
                       .flags = FGW_JSON_PAUSE},
    [ITEM_TYPE] = {.slot = ANSWER_ITEM_TYPE},
    [ITEM_ACTION] = {FGW_NODE_EDGES(ITEM_ACTION_EDGES), FGW_NODE_PLAIN},
    [ITEM_ACTION_TYPE] = {.slot = ANSWER_ITEM_ACTION},
    [TIER] = {.slot = ANSWER_TIER},
    [RESOURCE] = {FGW_NODE_EDGES(RESOURCE_EDGES), FGW_NODE_PLAIN},
    [GROQ] = {FGW_NODE_EDGES(GROQ_EDGES), FGW_NODE_PLAIN},
    [USAGE] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_USAGE},
    [USAGE_TWIN] = {FGW_NODE_EDGES(USAGE_EDGES), .slot = ANSWER_USAGE_TWIN},
    [INPUT_DETAILS] = {FGW_NODE_EDGES(INPUT_DETAILS_EDGES), FGW_NODE_PLAIN},
    [OUTPUT_DETAILS] = {FGW_NODE_EDGES(OUTPUT_DETAILS_EDGES), FGW_NODE_PLAIN},
    [NODE_INPUT] = {.slot = ANSWER_INPUT},
    [NODE_OUTPUT] = {.slot = ANSWER_OUTPUT},
    [NODE_TOTAL] = {.slot = ANSWER_TOTAL},
    [NODE_CACHED] = {.slot = ANSWER_CACHED},
    [NODE_CACHED_OTHER] = {.slot = ANSWER_CACHED_OTHER},
    [NODE_CACHE_WRITE] = {.slot = ANSWER_CACHE_WRITE},
    [NODE_REASONING] = {.slot = ANSWER_REASONING},
    [NODE_AUDIO_INPUT] = {.slot = ANSWER_AUDIO_INPUT},
    [NODE_AUDIO_OUTPUT] = {.slot = ANSWER_AUDIO_OUTPUT},
    [NODE_IMAGE_INPUT] = {.slot = ANSWER_IMAGE_INPUT},
    [NODE_IMAGE_OUTPUT] = {.slot = ANSWER_IMAGE_OUTPUT},
    [NODE_VENDOR] = {.slot = ANSWER_VENDOR},
    [NODE_SEARCHES] = {.slot = ANSWER_SEARCHES},
    [PICTURES] = {.slot = ANSWER_CHOICES}, /* no body has both */
    [NODE_AUDIO_SECONDS] = {.slot = ANSWER_AUDIO_SECONDS},
    [TRACKED_EVENT] = {FGW_NODE_EDGES(TRACKED_EVENT_EDGES), FGW_NODE_PLAIN},
    [TRACKED_CHOICES] = {.element = TRACKED_CHOICE, .slot = ANSWER_CHOICES},
    [TRACKED_CHOICE] = {FGW_NODE_EDGES(TRACKED_CHOICE_EDGES), FGW_NODE_PLAIN,
                        .flags = FGW_JSON_PAUSE},
    [TRACKED_RESOURCE] = {FGW_NODE_EDGES(TRACKED_RESOURCE_EDGES), FGW_NODE_PLAIN},
    [TRACKED_DELTA] = {FGW_NODE_EDGES(TRACKED_DELTA_EDGES), FGW_NODE_PLAIN},
    [TRACKED_CALLS] = {.element = TRACKED_CALL, FGW_NODE_PLAIN},
    [TRACKED_CALL] = {FGW_NODE_EDGES(TRACKED_CALL_EDGES), FGW_NODE_PLAIN},
    [TRACKED_FUNCTION] = {FGW_NODE_EDGES(TRACKED_FUNCTION_EDGES), FGW_NODE_PLAIN},
    [TRACKED_SOUND] = {FGW_NODE_EDGES(TRACKED_SOUND_EDGES), FGW_NODE_PLAIN},
    [SAID] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_TEXT] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_THOUGHT] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_THOUGHT_TWIN] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SAID_CALL] = {.text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [SOUND] = {.text = FGW_JSON_BINARY, FGW_NODE_PLAIN},
    [SAID_CONTENT] = {FGW_NODE_EDGES(SAID_CONTENT_EDGES), .element = SAID_CONTENT,
                      .text = FGW_JSON_SAID, FGW_NODE_PLAIN},
    [CHOICE_INDEX] = {.slot = ANSWER_CHOICE_INDEX},
    [CHOICE_FINISH] = {.slot = ANSWER_CHOICE_FINISH},
    [CREATED] = {.slot = ANSWER_CREATED},
    [SEQUENCE] = {.slot = ANSWER_SEQUENCE},
};

static const struct fgw_json_room ANSWER_ROOMS[ANSWER_SLOTS] = {
    [ANSWER_ID] = {0, FGW_METER_ID_MAX},
    [ANSWER_MODEL] = {FGW_METER_ID_MAX, FGW_METER_MODEL_MAX},
    [ANSWER_TYPE] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX, 64},
    [ANSWER_FINISH] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 64, 32},
    [ANSWER_TIER] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 96, FGW_TIER_WORD_MAX},
    [ANSWER_ITEM_TYPE] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 128, 32},
    [ANSWER_ITEM_ACTION] = {FGW_METER_ID_MAX + FGW_METER_MODEL_MAX + 160, 16},
};

const struct fgw_json_spec fgw_openai_answer = {
    .nodes = ANSWER_NODES,
    .rooms = ANSWER_ROOMS,
    .node_count = sizeof ANSWER_NODES / sizeof *ANSWER_NODES,
    .slot_count = ANSWER_SLOTS,
    .lenient = 1,
};

uint8_t fgw_openai_root(const struct fgw_meter *meter)
{
    if (!meter->streaming)
        return FGW_OPENAI_BODY_ROOT;
    if (meter->tracked)
        return FGW_OPENAI_TRACKED_EVENT_ROOT;
    return meter->id_bytes && meter->model_bytes ? FGW_OPENAI_LATER_EVENT_ROOT
                                                 : FGW_OPENAI_EVENT_ROOT;
}

int fgw_openai_final(const struct fgw_meter *meter)
{
    return !meter->streaming ||
           meter->ever & (FGW_EVENT_FINISH | FGW_EVENT_DONE | FGW_EVENT_ERROR) ||
           (meter->whole && meter->usage_state);
}

#define type_is(json, word) fgw_text_is(json, ANSWER_TYPE, word)

static int type_begins(const struct fgw_json *json, const char *word)
{
    size_t length = strlen(word);

    return json->slots[ANSWER_TYPE].copied >= length &&
           !memcmp(fgw_json_text_of(json, ANSWER_TYPE), word, length);
}

static int is_sound(const struct fgw_json *json)
{
    return type_is(json, "response.audio.delta") || type_is(json, "response.output_audio.delta");
}

/* Whose `delta` an event of the responses API has, by its name. */
static enum fgw_voice_kind kind_of_type(const struct fgw_json *json)
{
    static const char *const TEXTS[] = {
        "response.output_text.", "response.refusal.", "response.audio_transcript.",
        "response.audio.transcript.", "response.output_audio_transcript."};

    if (is_sound(json))
        return FGW_VOICE_NONE;
    if (type_begins(json, "response.reasoning"))
        return FGW_VOICE_THOUGHT;
    for (unsigned i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (type_begins(json, TEXTS[i]))
            return FGW_VOICE_TEXT;
    return FGW_VOICE_CALL; /* arguments, code, patches, commands: all are calls of tools */
}

/* In deltas. Together has each text in `text`, too; vLLM each thought under two names. */
static enum fgw_voice_kind kind_of_node(uint8_t node, uint8_t *member)
{
    *member = node == SAID_THOUGHT_TWIN || node == SAID_TEXT ? 2 : 1;
    if (node == SAID_CALL)
        return FGW_VOICE_CALL;
    return node == SAID_THOUGHT || node == SAID_THOUGHT_TWIN ? FGW_VOICE_THOUGHT : FGW_VOICE_TEXT;
}

int64_t fgw_openai_voice(const struct fgw_meter *meter, enum fgw_voice_kind *kind,
                         uint8_t *member)
{
    const struct fgw_json *json = &meter->json;

    if (meter->operation == FGW_OPERATION_RESPONSES) {
        int told = fgw_json_type_of(json, ANSWER_TYPE) == FGW_JSON_STRING;
        *kind = told ? kind_of_type(json) : FGW_VOICE_TEXT;
        *member = 0;
        return told - 1;
    }
    *kind = kind_of_node(json->node, member);
    return meter->voices->count == 1 ? 0 : fgw_json_number(json, ANSWER_CHOICE_INDEX, -1);
}

/* One item of a response's output. Searching is paid; opening what was found is not. */
static void take_item(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;
    const uint64_t slots =
        (uint64_t)1 << ANSWER_ITEM_TYPE | (uint64_t)1 << ANSWER_ITEM_ACTION;

    if (fgw_text_is(json, ANSWER_ITEM_TYPE, "web_search_call") &&
        (fgw_json_type_of(json, ANSWER_ITEM_ACTION) != FGW_JSON_STRING ||
         fgw_text_is(json, ANSWER_ITEM_ACTION, "search")))
        meter->units.searches++;
    json->seen &= ~slots;
}

void fgw_openai_pass(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;

    if (!meter->tracked || meter->operation == FGW_OPERATION_RESPONSES) {
        take_item(meter);
        return;
    }
    struct fgw_stream_state *state = &meter->state;
    int64_t index = fgw_json_number(json, ANSWER_CHOICE_INDEX, 0);
    int ended = fgw_json_type_of(json, ANSWER_CHOICE_FINISH) == FGW_JSON_STRING;

    if (meter->voices)
        fgw_voices_told(meter->voices, index, FGW_VOICE_NONE);
    if (index >= 0 && index < FGW_CHOICES_TRACKED)
        state->finished[index / 64] |= (uint64_t)ended << (index % 64);
    if (ended) { /* told to the event as a whole, as untracked streams have it */
        json->seen |= (uint64_t)1 << ANSWER_FINISH;
        json->slots[ANSWER_FINISH].type = FGW_JSON_STRING;
    }
    json->seen &= ~((uint64_t)1 << ANSWER_CHOICE_INDEX | (uint64_t)1 << ANSWER_CHOICE_FINISH);
}

/* What the ending of a stream must continue, once the event in meter->json is passed on. */
static void track(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    struct fgw_stream_state *state = &meter->state;

    state->created = fgw_json_number(json, ANSWER_CREATED, state->created);
    state->sequence = fgw_json_number(json, ANSWER_SEQUENCE, state->sequence);
    state->begun = 1;
    if (meter->voices && meter->operation == FGW_OPERATION_RESPONSES &&
        fgw_json_type_of(json, ANSWER_TYPE) == FGW_JSON_STRING && !is_sound(json))
        fgw_voices_told(meter->voices, 0, kind_of_type(json));
}

/* What the name of a typed event (responses, audio, images) says. */
static unsigned flags_of_type(struct fgw_json *json)
{
    if (type_is(json, "response.completed") || type_is(json, "response.incomplete") ||
        type_is(json, "response.cancelled"))
        return FGW_EVENT_FINISH | FGW_EVENT_DONE;
    if (type_is(json, "response.failed"))
        return FGW_EVENT_FINISH | FGW_EVENT_DONE | FGW_EVENT_ERROR;
    if (type_is(json, "error"))
        return FGW_EVENT_DONE | FGW_EVENT_ERROR;
    if (type_is(json, "transcript.text.done") || type_is(json, "speech.audio.done") ||
        type_is(json, "image_generation.completed") || type_is(json, "image_edit.completed"))
        return FGW_EVENT_FINISH | FGW_EVENT_DONE;
    if (is_sound(json)) {
        json->binary_bytes += json->text_bytes; /* base64 */
        json->text_bytes = 0;
    }
    return 0;
}

static int is_usage(const struct fgw_json *json, unsigned slot)
{
    /* An empty object says nothing (xAI sends some). */
    return fgw_json_type_of(json, slot) == FGW_JSON_OBJECT && json->slots[slot].count > 0;
}

/* What is paid by the piece or by the second, where no tokens are told of it. */
static void take_units(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    const struct fgw_json_slot *slot = &json->slots[ANSWER_AUDIO_SECONDS];

    if (meter->operation == FGW_OPERATION_IMAGES && !meter->streaming &&
        fgw_json_type_of(json, ANSWER_CHOICES) == FGW_JSON_ARRAY)
        meter->units.images = json->slots[ANSWER_CHOICES].count;
    if (meter->operation == FGW_OPERATION_AUDIO &&
        fgw_json_type_of(json, ANSWER_AUDIO_SECONDS) == FGW_JSON_NUMBER && slot->number >= 0 &&
        slot->number < FGW_REPORT_MAX / 1000) /* fractions are rounded up */
        meter->units.audio_ms = ((uint64_t)slot->number + slot->inexact) * 1000;
}

unsigned fgw_openai_fold(struct fgw_meter *meter)
{
    struct fgw_json *json = &meter->json;
    enum fgw_json_type error = fgw_json_type_of(json, ANSWER_ERROR);
    unsigned flags = 0;

    if (fgw_json_type_of(json, ANSWER_TYPE) == FGW_JSON_STRING)
        flags = flags_of_type(json);
    if (fgw_json_type_of(json, ANSWER_FINISH) == FGW_JSON_STRING)
        flags |= FGW_EVENT_FINISH;
    if (error == FGW_JSON_OBJECT || error == FGW_JSON_TRUE ||
        (error == FGW_JSON_STRING && json->slots[ANSWER_ERROR].count))
        flags |= FGW_EVENT_ERROR;
    if (meter->tracked)
        track(meter);
    fgw_take_tier(meter, FGW_TIER_SERVICE, ANSWER_TIER);
    if (is_usage(json, ANSWER_USAGE) || is_usage(json, ANSWER_USAGE_TWIN)) {
        fgw_openai_take_report(meter);
        if (meter->operation == FGW_OPERATION_CHAT) /* responses: by their items */
            fgw_take_searches(meter, ANSWER_SEARCHES);
        if (fgw_text_is(json, ANSWER_TYPE, "speech.audio.done"))
            meter->report.vendor |= FGW_VENDOR_SPEECH;
        flags |= FGW_EVENT_USAGE;
        /* A chunk of usage alone comes behind all that is said, but for a preview. */
        meter->usage_state = !json->text_bytes && fgw_is_usage_alone(json);
    } else if (json->text_bytes) {
        meter->usage_state = 0;
    }
    if (!meter->report.present &&
        (meter->operation == FGW_OPERATION_IMAGES || meter->operation == FGW_OPERATION_AUDIO))
        take_units(meter);
    return flags;
}
