/* fgw_dialect_slots.h - the slots of the JSON specs, the same for both dialects; not
 * for callers. */
#ifndef FGW_DIALECT_SLOTS_H
#define FGW_DIALECT_SLOTS_H

#include <string.h>

#include "fgw_dialect_ask.h"
#include "fgw_dialect_meter.h"
#include "fgw_json.h"

/* Requests. */
enum ask_slot {
    ASK_ROOT = 0,
    ASK_MODEL,
    ASK_STREAM,
    ASK_N,
    ASK_BEST_OF,
    ASK_USER,
    ASK_SAFETY_ID,
    ASK_MAX_COMPLETION_TOKENS,
    ASK_MAX_TOKENS,
    ASK_MAX_OUTPUT_TOKENS,
    ASK_OPTIONS,
    ASK_INCLUDE_USAGE,
    ASK_TOOLS,
    ASK_FUNCTIONS,
    ASK_FORMAT, /* a schema for the answer, which becomes input */
    ASK_MESSAGES,
    ASK_INPUT,
    ASK_PROMPT,
    ASK_PROMPT_PART, /* its last element: several prompts, or tokens of one */
    ASK_STORED,     /* a member that adds input which is not in the body */
    ASK_MORE_MODELS, /* a member that names further models */
    ASK_BACKGROUND,  /* a member that lets the answer be made without anybody waiting for it */
    ASK_TIER,        /* a member that asks for a service at another price */
    ASK_SPEED,       /* another one */
    ASK_PLACE,       /* and another */
    ASK_QUALITY,     /* of pictures asked for */
    ASK_SIZE,
    ASK_ITEM,        /* the last item of responses' input */
    ASK_SLOTS
};

/* Answers; the numbers of one usage object stand together, in this order. */
enum answer_slot {
    ANSWER_ID = 0,
    ANSWER_MODEL,
    ANSWER_TYPE,
    ANSWER_CHOICES,
    ANSWER_FINISH,
    ANSWER_ERROR,
    ANSWER_USAGE,
    ANSWER_USAGE_TWIN, /* the same object at a second place */
    ANSWER_INPUT,
    ANSWER_OUTPUT,
    ANSWER_TOTAL,
    ANSWER_CACHED,
    ANSWER_CACHED_OTHER,
    ANSWER_CACHE_WRITE,
    ANSWER_CACHE_WRITE_1H,
    ANSWER_REASONING,
    ANSWER_AUDIO_INPUT,
    ANSWER_AUDIO_OUTPUT,
    ANSWER_IMAGE_INPUT,
    ANSWER_IMAGE_OUTPUT,
    ANSWER_VENDOR,        /* a member that only the Vercel gateway has */
    ANSWER_AUDIO_SECONDS, /* a member that only Mistral has: audio counts in the total alone */
    ANSWER_ITERATIONS,
    ANSWER_PASS_TYPE, /* one element of iterations */
    ANSWER_PASS_INPUT,
    ANSWER_PASS_OUTPUT,
    ANSWER_PASS_CACHED,
    ANSWER_PASS_CACHE_WRITE,
    ANSWER_PASS_CACHE_WRITE_1H,
    ANSWER_TIER,     /* at whose price */
    ANSWER_SEARCHES, /* how many were made */
    ANSWER_SLOTS
};
_Static_assert(ANSWER_SLOTS <= FGW_JSON_SLOTS_MAX, "slots of an answer");

/* Of tracked streams (fgw_meter_track), in slots that their dialect has no other use for. */
enum {
    ANSWER_CHOICE_FINISH = ANSWER_PASS_TYPE, /* openai: of one element of choices */
    ANSWER_CHOICE_INDEX = ANSWER_PASS_INPUT,
    ANSWER_CREATED = ANSWER_PASS_OUTPUT,
    ANSWER_SEQUENCE = ANSWER_PASS_CACHED,
    ANSWER_BLOCK_INDEX = ANSWER_CHOICES, /* anthropic */
};

/* One field of a report, from its slot: what an object leaves out, or null, stays as it was. */
static inline void fgw_report_take(struct fgw_usage_report *report, const struct fgw_json *json,
                                   enum fgw_report_field field, unsigned slot)
{
    int64_t number = fgw_json_number(json, slot, -1);

    if (number >= 0 && number <= FGW_REPORT_MAX) {
        report->present |= 1u << field;
        report->value[field] = (uint64_t)number;
    }
}

/* What a slot says of the answer's tier. */
static inline void fgw_take_tier(struct fgw_meter *meter, enum fgw_tier_place place,
                                 unsigned slot)
{
    const struct fgw_json *json = &meter->json;

    if (fgw_json_type_of(json, slot) == FGW_JSON_STRING)
        fgw_tier_say(&meter->said, place, fgw_json_text_of(json, slot), json->slots[slot].count);
}

/* What a slot says of searches: the last number holds. */
static inline void fgw_take_searches(struct fgw_meter *meter, unsigned slot)
{
    int64_t number = fgw_json_number(&meter->json, slot, -1);

    if (number >= 0 && number <= FGW_REPORT_MAX)
        meter->units.searches = (uint64_t)number;
}

/* Whether a slot has just this word. */
static inline int fgw_text_is_bytes(const struct fgw_json *json, unsigned slot, const char *word,
                                    size_t length)
{
    return fgw_json_type_of(json, slot) == FGW_JSON_STRING && json->slots[slot].count == length &&
           !memcmp(fgw_json_text_of(json, slot), word, length);
}
#define fgw_text_is(json, slot, word) fgw_text_is_bytes(json, slot, word, sizeof(word) - 1)

/* A chunk (openai's) without an answer in it: usage alone, where it bears any. */
static inline int fgw_is_usage_alone(const struct fgw_json *json)
{
    return fgw_json_type_of(json, ANSWER_CHOICES) == FGW_JSON_ARRAY &&
           json->slots[ANSWER_CHOICES].count == 0;
}

/* A part taken out of what is left of its whole: classes are disjoint. */
static inline uint64_t fgw_part_of(uint64_t *left, uint64_t part, struct fgw_usage *usage)
{
    if (part > *left) {
        part = *left;
        usage->flags |= FGW_USAGE_CLAMPED;
    }
    *left -= part;
    return part;
}

/* Blocks come one after another; more than a few at a time have not been seen. */
static inline void fgw_track_block(struct fgw_stream_state *state, int64_t index, int opens)
{
    unsigned at = 0;

    while (at < state->blocks && state->block[at] != index)
        at++;
    if (opens && at == state->blocks && at < FGW_BLOCKS_TRACKED)
        state->block[state->blocks++] = index;
    if (!opens && at < state->blocks) {
        state->blocks--;
        for (; at < state->blocks; at++)
            state->block[at] = state->block[at + 1];
    }
}

#define FGW_NODE_EDGES(table) .edges = table, .edge_count = sizeof table / sizeof *table
#define FGW_NODE_PLAIN .slot = FGW_JSON_NO_SLOT

#endif
