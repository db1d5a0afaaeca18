#include "fgw_dialect_ask.h"

#include <string.h>

#include "fgw_dialect_face.h"
#include "fgw_dialect_slots.h"
#include "fgw_price.h"

#define N_MAX 1024
#define ANSWERS_MAX 16384 /* of all prompts of one request */
#define MESSAGE_TOKENS 4    /* what a message costs besides its text */
#define SOUND_TOKEN_BYTES 400 /* of a recording of 32 kbit/s, ten tokens a second */
#define TOKEN_ID_BYTES 5    /* of a token given as a number, comma included */

void fgw_ask_begin(struct fgw_json *json, uint8_t dialect, uint8_t operation)
{
    (void)operation; /* one root serves all of a dialect's operations */
    const struct fgw_dialect_face *face = fgw_dialect_face(dialect);

    fgw_json_init(json, face->ask, face->ask_root);
}

static struct fgw_place span_of(const struct fgw_json *json, unsigned slot)
{
    struct fgw_place span = {0, 0};

    if (json->seen >> slot & 1 && json->slots[slot].end) {
        span.at = json->slots[slot].start;
        span.bytes = json->slots[slot].end - json->slots[slot].start;
    }
    return span;
}

static uint32_t count_of(const struct fgw_json *json, unsigned slot)
{
    switch (fgw_json_type_of(json, slot)) {
    case FGW_JSON_ARRAY:
    case FGW_JSON_OBJECT:
        return json->slots[slot].count;
    case FGW_JSON_STRING:
        return json->slots[slot].count != 0;
    default:
        return 0;
    }
}

static void say_tier(struct fgw_tier_said *said, enum fgw_tier_place place,
                     const struct fgw_json *json, unsigned at)
{
    enum fgw_json_type type = fgw_json_type_of(json, at);
    const struct fgw_json_slot *slot = &json->slots[at];

    if (type == FGW_JSON_ABSENT || type == FGW_JSON_NULL)
        return;
    if (type != FGW_JSON_STRING || slot->count != slot->copied)
        fgw_tier_say(said, place, "?", 1); /* none that is known */
    else
        fgw_tier_say(said, place, fgw_json_text_of(json, at), slot->copied);
}

/* A provider may answer at the standard price whatever was asked for. */
static void read_tiers(struct fgw_ask *ask, const struct fgw_json *json)
{
    struct fgw_tier_said said = {{0}};
    uint8_t unasked = fgw_dialect_face(ask->dialect)->unasked_tiers;

    say_tier(&said, FGW_TIER_SERVICE, json, ASK_TIER);
    say_tier(&said, FGW_TIER_SPEED, json, ASK_SPEED);
    say_tier(&said, FGW_TIER_PLACE, json, ASK_PLACE);
    ask->tier = fgw_tier_of(&said);
    ask->tiers = FGW_TIER_BIT(FGW_TIER_STANDARD);
    if (ask->tier != FGW_TIER_UNTOLD)
        ask->tiers |= (uint8_t)FGW_TIER_BIT(ask->tier);
    if (!said.told[FGW_TIER_SERVICE])
        ask->tiers |= unasked & (uint8_t)~FGW_TIER_BIT(FGW_TIER_REGION);
    if (!said.told[FGW_TIER_PLACE])
        ask->tiers |= unasked & FGW_TIER_BIT(FGW_TIER_REGION);
}

static void read_sizes(struct fgw_ask *ask, const struct fgw_json *json)
{
    ask->body_bytes = json->offset;
    ask->text_bytes = json->text_bytes;
    ask->binary_bytes = json->binary_bytes;
    ask->binaries = json->binaries;
    ask->remotes = json->remotes;
    ask->tools_bytes = span_of(json, ASK_TOOLS).bytes + span_of(json, ASK_FUNCTIONS).bytes +
                       span_of(json, ASK_FORMAT).bytes;
    ask->input_bytes = span_of(json, ASK_MESSAGES).bytes + span_of(json, ASK_INPUT).bytes +
                       span_of(json, ASK_PROMPT).bytes;
    ask->messages = count_of(json, ASK_MESSAGES) + count_of(json, ASK_INPUT) +
                    count_of(json, ASK_PROMPT);
    /* An empty object counts: `web_search_options: {}` turns the search on. */
    if (json->remotes || json->strangers || count_of(json, ASK_STORED) ||
        fgw_json_type_of(json, ASK_STORED) == FGW_JSON_OBJECT ||
        fgw_json_type_of(json, ASK_PROMPT) == FGW_JSON_OBJECT)
        ask->flags |= FGW_ASK_UNBOUNDED;
    if (count_of(json, ASK_TOOLS) || count_of(json, ASK_FUNCTIONS))
        ask->flags |= FGW_ASK_TOOLS;
    enum fgw_json_type background = fgw_json_type_of(json, ASK_BACKGROUND);
    if (background > FGW_JSON_NULL && background != FGW_JSON_FALSE)
        ask->flags |= FGW_ASK_BACKGROUND;
    if (count_of(json, ASK_MORE_MODELS))
        ask->flags |= FGW_ASK_MORE_MODELS;
    read_tiers(ask, json);
}

static int begins(const char *text, size_t length, const char *part, size_t part_bytes)
{
    return length >= part_bytes && !memcmp(text, part, part_bytes);
}
#define BEGINS(text, length, part) begins(text, length, part, sizeof(part) - 1)

/* Whether this model runs tools of its provider unasked: its input has no bound then (a recorded
 * question of 44 bytes to one of them came to 14,100 tokens). */
static int fetches_by_itself(const struct fgw_ask *ask)
{
    const char *text = ask->model;

    for (size_t left = ask->model_bytes; left >= sizeof "sonar" - 1; left--, text++) {
        if (*text == 's' && (BEGINS(text, left, "sonar") || BEGINS(text, left, "search")))
            return 1;
        if (*text == 'c' && BEGINS(text, left, "compound"))
            return 1;
        if ((*text == 'd' && BEGINS(text, left, "deep-research")) ||
            (*text == ':' && BEGINS(text, left, ":online")))
            return 1;
    }
    return 0;
}

static enum fgw_ask_error read_model(struct fgw_ask *ask, const struct fgw_json *json,
                                     int required)
{
    const struct fgw_json_slot *slot = &json->slots[ASK_MODEL];
    enum fgw_json_type type = fgw_json_type_of(json, ASK_MODEL);

    if (type == FGW_JSON_ABSENT || type == FGW_JSON_NULL) {
        ask->model_at = span_of(json, ASK_MODEL); /* a null gives way to a name */
        return required ? FGW_ASK_MODEL_MISSING : FGW_ASK_OK;
    }
    if (type != FGW_JSON_STRING || !slot->count || slot->count > FGW_MODEL_MAX)
        return FGW_ASK_MODEL_INVALID;
    memcpy(ask->model, fgw_json_text_of(json, ASK_MODEL), slot->copied);
    for (unsigned i = 0; i < slot->copied; i++)
        if ((unsigned char)ask->model[i] < 0x20 || ask->model[i] == 0x7f)
            return FGW_ASK_MODEL_INVALID;
    ask->model_bytes = slot->copied;
    ask->model_at = span_of(json, ASK_MODEL);
    if (fetches_by_itself(ask))
        ask->flags |= FGW_ASK_UNBOUNDED;
    return FGW_ASK_OK;
}

static void read_user(struct fgw_ask *ask, const struct fgw_json *json)
{
    static const uint8_t SLOTS[] = {ASK_USER, ASK_SAFETY_ID};

    for (unsigned i = 0; i < sizeof SLOTS && !ask->user_bytes; i++) {
        if (fgw_json_type_of(json, SLOTS[i]) != FGW_JSON_STRING)
            continue;
        ask->user_bytes = json->slots[SLOTS[i]].copied;
        memcpy(ask->user, fgw_json_text_of(json, SLOTS[i]), ask->user_bytes);
    }
}

static enum fgw_ask_error read_stream(struct fgw_ask *ask, const struct fgw_json *json)
{
    switch (fgw_json_type_of(json, ASK_STREAM)) {
    case FGW_JSON_TRUE:
        ask->flags |= FGW_ASK_STREAM;
        break;
    case FGW_JSON_ABSENT:
    case FGW_JSON_NULL:
        if (fgw_dialect_face(ask->dialect)->streams_unasked)
            ask->flags |= FGW_ASK_STREAM;
        break;
    case FGW_JSON_FALSE:
        break;
    default: /* lenient servers take "true" and 1 for true */
        return FGW_ASK_STREAM_INVALID;
    }
    ask->options_type = (uint8_t)fgw_json_type_of(json, ASK_OPTIONS);
    ask->options_at = span_of(json, ASK_OPTIONS);
    if (ask->options_type == FGW_JSON_OBJECT) {
        ask->options_members = json->slots[ASK_OPTIONS].count;
        ask->include_at = span_of(json, ASK_INCLUDE_USAGE);
        if (fgw_json_type_of(json, ASK_INCLUDE_USAGE) == FGW_JSON_TRUE)
            ask->flags |= FGW_ASK_INCLUDE_USAGE;
    }
    return FGW_ASK_OK;
}

static int read_count(const struct fgw_json *json, unsigned slot, uint32_t *count)
{
    enum fgw_json_type type = fgw_json_type_of(json, slot);

    if (type == FGW_JSON_ABSENT || type == FGW_JSON_NULL)
        return 0;
    if (type != FGW_JSON_NUMBER || json->slots[slot].inexact || json->slots[slot].number < 1 ||
        json->slots[slot].number > N_MAX)
        return -1;
    if (json->slots[slot].number > *count)
        *count = (uint32_t)json->slots[slot].number;
    return 0;
}

/* Of completions: each prompt of an array has answers, and a limit, of its own. */
static uint32_t count_prompts(const struct fgw_json *json)
{
    if (fgw_json_type_of(json, ASK_PROMPT) != FGW_JSON_ARRAY || !count_of(json, ASK_PROMPT) ||
        fgw_json_type_of(json, ASK_PROMPT_PART) == FGW_JSON_NUMBER)
        return 1; /* a number is one token of the only prompt */
    return count_of(json, ASK_PROMPT);
}

static enum fgw_ask_error read_n(struct fgw_ask *ask, const struct fgw_json *json)
{
    ask->n = 1;
    if (ask->operation != FGW_OPERATION_CHAT && ask->operation != FGW_OPERATION_COMPLETIONS &&
        ask->operation != FGW_OPERATION_IMAGES && ask->operation != FGW_OPERATION_GENERATE)
        return FGW_ASK_OK;
    if (read_count(json, ASK_N, &ask->n) || read_count(json, ASK_BEST_OF, &ask->n))
        return FGW_ASK_N_INVALID;
    if (ask->operation == FGW_OPERATION_COMPLETIONS) {
        uint64_t answers = (uint64_t)ask->n * count_prompts(json);
        if (answers > ANSWERS_MAX)
            return FGW_ASK_N_INVALID;
        ask->n = (uint32_t)answers;
    }
    return FGW_ASK_OK;
}

static enum fgw_ask_error read_limit(struct fgw_ask *ask, const struct fgw_json *json,
                                     unsigned index, unsigned slot)
{
    enum fgw_json_type type = fgw_json_type_of(json, slot);

    if (type == FGW_JSON_ABSENT)
        return FGW_ASK_OK;
    ask->limit_at[index] = span_of(json, slot);
    if (type == FGW_JSON_NULL)
        return FGW_ASK_OK;
    if (type != FGW_JSON_NUMBER || json->slots[slot].inexact ||
        (json->slots[slot].number < 0 && !fgw_dialect_face(ask->dialect)->below_zero))
        return FGW_ASK_LIMIT_INVALID;
    ask->limit_fields |= (uint8_t)(1u << index);
    ask->limit[index] = json->slots[slot].number > 0 ? json->slots[slot].number : 0;
    if (ask->limit[index] && ask->limit[index] > ask->output_limit)
        ask->output_limit = ask->limit[index];
    return FGW_ASK_OK;
}

static enum fgw_ask_error read_limits(struct fgw_ask *ask, const struct fgw_json *json)
{
    const struct fgw_dialect_face *face = fgw_dialect_face(ask->dialect);
    const struct fgw_limit_members *members = face->limits(ask->operation);

    for (unsigned i = 0; i < 2 && members->slots[i] != FGW_LIMIT_NONE; i++) {
        enum fgw_ask_error error = read_limit(ask, json, i, members->slots[i]);
        if (error)
            return error;
    }
    return FGW_ASK_OK;
}

static enum fgw_ask_error read_all(struct fgw_ask *ask, struct fgw_json *json, int need_model)
{
    enum fgw_ask_error error;

    if (fgw_json_end(json))
        return FGW_ASK_NOT_JSON;
    if (fgw_json_type_of(json, ASK_ROOT) != FGW_JSON_OBJECT)
        return FGW_ASK_NOT_OBJECT;
    ask->members_at = json->slots[ASK_ROOT].start + 1;
    ask->members = json->slots[ASK_ROOT].count;
    if (json->twice || json->variants)
        return FGW_ASK_DUPLICATE;
    read_user(ask, json);
    error = read_model(ask, json, need_model);
    if (!error)
        error = read_stream(ask, json);
    if (!error)
        error = read_n(ask, json);
    return error ? error : read_limits(ask, json);
}

void fgw_ask_clear(struct fgw_ask *ask, const struct fgw_route *route)
{
    memset(ask, 0, offsetof(struct fgw_ask, model));
    ask->dialect = route->dialect;
    ask->operation = route->operation;
    ask->output_limit = ask->limit[0] = ask->limit[1] = -1;
    ask->n = 1;
}

int fgw_ask_finish(struct fgw_ask *ask, struct fgw_json *json, const struct fgw_route *route)
{
    fgw_ask_clear(ask, route);
    read_sizes(ask, json);
    ask->error = (uint8_t)read_all(ask, json, route->flags & FGW_ROUTE_MODEL);
    if (route->flags & FGW_ROUTE_STREAM)
        ask->flags |= FGW_ASK_STREAM;
    return ask->error ? -1 : 0;
}

static int same_model(const struct fgw_ask *ask, const char *model, size_t bytes,
                      const char *prefix)
{
    size_t before = strlen(prefix);

    if (ask->model_bytes >= before && !memcmp(ask->model, prefix, before))
        return ask->model_bytes - before == bytes && !memcmp(ask->model + before, model, bytes);
    return ask->model_bytes == bytes && !memcmp(ask->model, model, bytes);
}

int fgw_ask_take_path(struct fgw_ask *ask, const struct fgw_route *route, const char *path)
{
    const char *prefix = fgw_dialect_face(ask->dialect)->model_prefix;
    char model[FGW_MODEL_MAX];
    size_t at = route->name_at, end = at + route->name_bytes, bytes = 0;

    while (at < end && bytes < FGW_MODEL_MAX) {
        int byte = fgw_route_byte(path, end, &at);
        if (byte < 0x20 || byte == 0x7f)
            break;
        model[bytes++] = (char)byte;
    }
    if (at < end || !bytes ||
        (prefix && ask->model_bytes && !same_model(ask, model, bytes, prefix))) {
        ask->error = FGW_ASK_MODEL_INVALID;
        return -1;
    }
    memcpy(ask->model, model, bytes);
    ask->model_bytes = (uint16_t)bytes;
    ask->flags |= FGW_ASK_IN_PATH;
    if (fetches_by_itself(ask))
        ask->flags |= FGW_ASK_UNBOUNDED;
    return 0;
}

const char *fgw_ask_default_model(const struct fgw_ask *ask)
{
    const struct fgw_dialect_face *face = fgw_dialect_face(ask->dialect);

    return ask->model_bytes || !face->default_model ? NULL : face->default_model(ask->operation);
}

/* Code points of a JSON string, given with its quotes. */
static uint64_t count_characters(const uint8_t *text, uint64_t bytes)
{
    uint64_t count = 0;

    for (uint64_t at = 1; at + 1 < bytes; at++) {
        if (text[at] != '\\') {
            count += (text[at] & 0xc0) != 0x80;
        } else if (text[++at] != 'u') {
            count++;
        } else { /* of a pair the second half, DC00 to DFFF, is no further one */
            count += (text[at + 1] | 0x20) != 'd' || (text[at + 2] | 0x20) < 'c';
            at += 4;
        }
    }
    return count;
}

uint64_t fgw_ask_picture(const uint8_t *body, struct fgw_place quality, struct fgw_place size)
{
    static const char QUALITY[] = "standard", SIZE[] = "1024x1024";

    return fgw_price_kind(quality.bytes ? (const char *)body + quality.at : QUALITY,
                          quality.bytes ? quality.bytes : sizeof QUALITY - 1,
                          size.bytes ? (const char *)body + size.at : SIZE,
                          size.bytes ? size.bytes : sizeof SIZE - 1);
}

/* A string without its quotes (escapes as they are: no kind has one); absent or null: no bytes. */
static struct fgw_place word_of(const struct fgw_json *json, unsigned slot)
{
    struct fgw_place place = {0, 0};
    enum fgw_json_type type = fgw_json_type_of(json, slot);

    if (type != FGW_JSON_ABSENT && type != FGW_JSON_NULL)
        place = span_of(json, slot);
    if (type == FGW_JSON_STRING && place.bytes > 2) {
        place.at++;
        place.bytes -= 2;
    }
    return place;
}

int fgw_ask_scan(struct fgw_ask *ask, struct fgw_json *json, const struct fgw_route *route,
                 const uint8_t *body, size_t length)
{
    struct fgw_json_names *names = json->names;

    fgw_ask_begin(json, route->dialect, route->operation);
    json->names = names;
    (void)fgw_json_feed(json, body, length); /* finish sees a failure */
    if (fgw_ask_finish(ask, json, route))
        return -1;
    if (route->operation == FGW_OPERATION_AUDIO &&
        fgw_json_type_of(json, ASK_INPUT) == FGW_JSON_STRING) {
        struct fgw_place input = span_of(json, ASK_INPUT);
        ask->characters = count_characters(body + input.at, input.bytes);
    }
    if (route->operation == FGW_OPERATION_IMAGES)
        ask->picture = fgw_ask_picture(body, word_of(json, ASK_QUALITY), word_of(json, ASK_SIZE));
    return 0;
}

uint64_t fgw_ask_input_guess(const struct fgw_ask *ask)
{
    uint64_t tokens = ask->text_bytes / 4 + ask->tools_bytes / 4 +
                      (uint64_t)ask->messages * MESSAGE_TOKENS;

    if (ask->flags & FGW_ASK_TOOLS)
        tokens += fgw_dialect_face(ask->dialect)->tools_tokens;
    if (ask->form && ask->operation == FGW_OPERATION_AUDIO)
        tokens += ask->binary_bytes / SOUND_TOKEN_BYTES;
    if (!ask->text_bytes && !ask->binaries && ask->messages) /* tokens given as numbers */
        tokens += ask->input_bytes / TOKEN_ID_BYTES;
    return tokens;
}

uint64_t fgw_ask_input_bound(const struct fgw_ask *ask)
{
    return ask->body_bytes - ask->binary_bytes + ask->binary_bytes / FGW_BINARY_BYTES +
           FGW_INPUT_ALLOWANCE + (uint64_t)ask->binaries * FGW_BINARY_ALLOWANCE;
}

int fgw_ask_may_cache(const struct fgw_ask *ask, const uint8_t *body, size_t length)
{
    const char *name = fgw_dialect_face(ask->dialect)->cache_word;
    const uint8_t *at = body, *end = body + length;
    size_t name_bytes = name ? strlen(name) : 0;

    if (!name)
        return 0;
    while ((at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        at++;
        if ((size_t)(end - at) >= name_bytes && !memcmp(at, name, name_bytes))
            return 1;
    }
    /* A name may be written in escapes; text full of them is no reason to read on. */
    for (at = body; (at = memchr(at, '\\', (size_t)(end - at))) != NULL && end - at > 1; at += 2)
        if (at[1] == 'u')
            return 1;
    return 0;
}
