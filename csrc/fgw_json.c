#include "fgw_json.h"

#include <string.h>

#include "fgw_json_fast.h"
#include "fgw_json_node.h"
#include "fgw_json_number.h"
#include "fgw_json_string.h"

void fgw_json_init(struct fgw_json *json, const struct fgw_json_spec *spec, uint8_t root)
{
    memset(json, 0, offsetof(struct fgw_json, objects));
    json->spec = spec;
    json->node = root;
    json->names = NULL;
}

static inline void after_value(struct fgw_json *json)
{
    json->state = json->depth ? AFTER : DONE;
}

static inline const uint8_t *open_container(struct fgw_json *json, const uint8_t *p, int object)
{
    const struct fgw_json_node *node = node_of(json);

    if (json->depth == FGW_JSON_DEPTH_MAX) {
        if (!json->spec->lenient)
            return fail(json, FGW_JSON_DEPTH);
        json->skipping = 1;
        json->state = SKIP;
        return p + 1;
    }
    open_at(json, node, json->depth++, json->node, p, object);
    json->node = node->element;
    json->state = object ? FIRST_KEY : FIRST_ELEMENT;
    return p + 1;
}

static inline const uint8_t *close_container(struct fgw_json *json, const uint8_t *p)
{
    uint8_t level = --json->depth;

    json->paused = (uint8_t)close_at(json, &json->spec->nodes[json->nodes[level]], level, p);
    after_value(json);
    return p + 1;
}

static const uint8_t *skip_container(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    for (; p < end && json->skipping; p++) {
        if (json->state == SKIP_ESCAPE) {
            json->state = SKIP_STRING;
        } else if (json->state == SKIP_STRING) {
            json->state = *p == '\\' ? SKIP_ESCAPE : *p == '"' ? SKIP : SKIP_STRING;
        } else if (*p == '"') {
            json->state = SKIP_STRING;
        } else if (*p == '{' || *p == '[') {
            json->skipping++;
        } else if (*p == '}' || *p == ']') {
            json->skipping--;
        }
    }
    if (!json->skipping)
        after_value(json);
    return p;
}

/* ---- strings ---- */

static inline void end_key(struct fgw_json *json, const char *key, size_t length)
{
    const struct fgw_json_node *inside = &json->spec->nodes[json->nodes[json->depth - 1u]];

    json->counts[json->depth - 1u]++;
    json->node = member_node(json, inside, key, length, length);
    json->state = COLON;
}

/* A name that is not whole in this piece, or has escapes. */
static inline const uint8_t *begin_key(struct fgw_json *json, const uint8_t *p)
{
    json->state = STRING;
    json->sink = SINK_KEY;
    json->key_length = 0;
    json->string_bytes = 0;
    return p + 1;
}

static int head_begins(const struct fgw_json *json, const char *word)
{
    size_t length = strlen(word);

    if (json->head_length < length)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (lower(json->head[i]) != word[i])
            return 0;
    return 1;
}

static int begins_with_any(const struct fgw_json *json, const char *const *word)
{
    for (; *word; word++)
        if (head_begins(json, *word))
            return 1;
    return 0;
}

static void count_text(struct fgw_json *json, uint8_t text)
{
    switch (text) {
    case FGW_JSON_TEXT:
    case FGW_JSON_SAID:
        json->text_bytes += json->string_bytes;
        return;
    case FGW_JSON_WORD:
        json->strangers += !begins_with_any(json, json->spec->words);
        return;
    case FGW_JSON_ALIEN:
        json->strangers += begins_with_any(json, json->spec->aliens) != 0;
        return;
    case FGW_JSON_DATA_URL:
        if (!head_begins(json, "data:")) {
            json->remotes += json->string_bytes != 0;
            return;
        }
        /* fallthrough */
    case FGW_JSON_BINARY:
        json->binary_bytes += json->string_bytes;
        json->binaries++;
        return;
    default:
        json->remotes += json->string_bytes != 0;
    }
}

/* The string's closing quote is at `quote`. */
static inline const uint8_t *end_string(struct fgw_json *json, const uint8_t *quote)
{
    if (json->sink & SINK_KEY) {
        size_t length = json->key_length;
        /* A key too long for the buffer is longer than any edge: its length alone rules it out. */
        end_key(json, json->key, length);
        if (json->spec->nodes[json->nodes[json->depth - 1]].flags & FGW_JSON_KEYS_TEXT)
            json->text_bytes += json->string_bytes - length;
        return quote + 1;
    }
    const struct fgw_json_node *node = node_of(json);
    if (node->slot != FGW_JSON_NO_SLOT) {
        end_slot(json, node->slot, quote + 1);
        json->slots[node->slot].count =
            json->string_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)json->string_bytes;
    }
    if (node->text)
        count_text(json, node->text);
    after_value(json);
    return quote + 1;
}

/* A string value begins at its quote. */
static inline const uint8_t *begin_string(struct fgw_json *json, const uint8_t *p,
                                          const uint8_t *end)
{
    const struct fgw_json_node *node = node_of(json);
    int noted = begin_slot(json, node, FGW_JSON_STRING, p) != NULL;
    const uint8_t *stop = plain_end(++p, end);

    json->sink = 0;
    if (noted && json->spec->rooms[node->slot].room)
        json->sink |= SINK_SLOT;
    if (node->text == FGW_JSON_DATA_URL || node->text == FGW_JSON_WORD ||
        node->text == FGW_JSON_ALIEN) {
        json->sink |= SINK_HEAD;
        json->head_length = 0;
    } else if (node->text == FGW_JSON_SAID && json->ear) {
        json->sink |= SINK_EAR;
    }
    if (json->text_ear && (node->text == FGW_JSON_TEXT || node->text == FGW_JSON_SAID))
        json->sink |= SINK_TEXT;
    json->string_bytes = 0;
    json->state = STRING;
    pour(json, p, (size_t)(stop - p));
    return stop < end && *stop == '"' ? end_string(json, stop) : stop;
}

/* ---- words and numbers ---- */

static const char *const WORDS[] = {"true", "false", "null", "NaN", "Infinity"};

static const uint8_t *in_word(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    const char *word = WORDS[json->state - WORD_TRUE];

    while (p < end && word[json->literal_at] && *p == (uint8_t)word[json->literal_at]) {
        json->literal_at++;
        p++;
    }
    if (!word[json->literal_at]) {
        if (json->sink)
            end_slot(json, node_of(json)->slot, p);
        after_value(json);
        return p;
    }
    return p < end ? fail(json, FGW_JSON_SYNTAX) : p;
}

static const uint8_t *begin_word(struct fgw_json *json, const uint8_t *p, const uint8_t *end,
                                 enum state state, enum fgw_json_type type)
{
    json->sink = begin_slot(json, node_of(json), type, p) != NULL; /* a null may leave what was */
    json->state = (uint8_t)state;
    json->literal_at = 0;
    return in_word(json, p, end);
}

static int end_number(struct fgw_json *json, uint64_t end)
{
    uint8_t index = node_of(json)->slot;
    int64_t value;

    if (fgw_json_end_number(json, &value))
        return -1;
    if (index != FGW_JSON_NO_SLOT) {
        json->slots[index].number = value;
        json->slots[index].inexact = json->inexact;
        json->slots[index].end = end;
    }
    after_value(json);
    return 0;
}

/* In a number, read up to p. */
static const uint8_t *after_number(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    if (p == end)
        return p;
    if (json->state == MINUS && *p == 'I' && json->spec->lenient) {
        if (node_of(json)->slot != FGW_JSON_NO_SLOT)
            json->slots[node_of(json)->slot].type = FGW_JSON_NULL;
        json->state = WORD_INFINITY;
        json->sink = 1;
        json->literal_at = 0;
        return in_word(json, p, end);
    }
    return end_number(json, offset_of(json, p)) ? NULL : p;
}

static const uint8_t *in_number(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    return after_number(json, fgw_json_in_number(json, p, end), end);
}

/* ---- structure ---- */

static const uint8_t *begin_value(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    switch (*p) {
    case '"':
        return begin_string(json, p, end);
    case '{':
        return open_container(json, p, 1);
    case '[':
        return open_container(json, p, 0);
    case 't':
        return begin_word(json, p, end, WORD_TRUE, FGW_JSON_TRUE);
    case 'f':
        return begin_word(json, p, end, WORD_FALSE, FGW_JSON_FALSE);
    case 'n':
        json->strangers += node_of(json)->text == FGW_JSON_ALIEN;
        return begin_word(json, p, end, WORD_NULL, FGW_JSON_NULL);
    default:
        if (json->spec->lenient && (*p == 'N' || *p == 'I'))
            return begin_word(json, p, end, *p == 'N' ? WORD_NAN : WORD_INFINITY, FGW_JSON_NULL);
        if (*p != '-' && (*p < '0' || *p > '9'))
            return fail(json, FGW_JSON_SYNTAX);
        begin_slot(json, node_of(json), FGW_JSON_NUMBER, p);
        return after_number(json, fgw_json_begin_number(json, p, end), end);
    }
}

/* A comma, or the bracket that closes this container. */
static inline const uint8_t *after_member(struct fgw_json *json, const uint8_t *p)
{
    int object = in_object(json);

    if (*p == ',') {
        json->state = object ? KEY : VALUE;
        if (!object) {
            json->node = json->spec->nodes[json->nodes[json->depth - 1]].element;
            json->counts[json->depth - 1]++;
        }
        return p + 1;
    }
    if (*p == (object ? '}' : ']'))
        return close_container(json, p);
    return fail(json, FGW_JSON_SYNTAX);
}

static inline const uint8_t *in_structure(struct fgw_json *json, const uint8_t *p,
                                          const uint8_t *end)
{
    switch (json->state) {
    case VALUE:
        return begin_value(json, p, end);
    case FIRST_ELEMENT:
        if (*p == ']')
            return close_container(json, p);
        json->counts[json->depth - 1]++;
        return begin_value(json, p, end);
    case FIRST_KEY:
        if (*p == '}')
            return close_container(json, p);
        /* fallthrough */
    case KEY:
        return *p == '"' ? begin_key(json, p) : fail(json, FGW_JSON_SYNTAX);
    case COLON:
        json->state = VALUE;
        return *p == ':' ? p + 1 : fail(json, FGW_JSON_SYNTAX);
    case AFTER:
        return after_member(json, p);
    default:
        return fail(json, FGW_JSON_SYNTAX);
    }
}

static inline const uint8_t *step(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    if (json->state <= DONE) {
        while (is_space(*p))
            if (++p == end)
                return p;
        if (json->state != FIRST_ELEMENT && json->state != COLON && json->state != DONE) {
            p = fgw_json_fast(json, p, end);
            if (p == end || json->paused || json->state == DONE)
                return p;
        }
        return in_structure(json, p, end);
    }
    if (json->state <= SKIP_ESCAPE)
        return skip_container(json, p, end);
    if (json->state <= CONTINUATION) {
        p = fgw_json_in_string(json, p, end);
        return p && p < end ? end_string(json, p) : p;
    }
    if (json->state <= WORD_INFINITY)
        return in_word(json, p, end);
    return in_number(json, p, end);
}

int fgw_json_feed_some(struct fgw_json *json, const uint8_t *bytes, size_t length, size_t *used)
{
    const uint8_t *p = bytes, *end = bytes + length;

    if (json->state == INVALID)
        return -1;
    json->origin = json->offset - (uint64_t)(uintptr_t)bytes;
    json->paused = 0;
    while (p < end && !json->paused) {
        p = step(json, p, end);
        if (!p)
            return -1;
    }
    *used = (size_t)(p - bytes);
    json->offset += *used;
    return json->paused != 0;
}

int fgw_json_feed(struct fgw_json *json, const uint8_t *bytes, size_t length)
{
    int code;

    do {
        size_t used = 0;
        code = fgw_json_feed_some(json, bytes, length, &used);
        bytes += used;
        length -= used;
    } while (code > 0);
    return code;
}

int fgw_json_end(struct fgw_json *json)
{
    if (json->state >= MINUS && json->state < INVALID && !json->depth &&
        end_number(json, json->offset)) /* only an outermost number can end with the document */
        return -1;
    if (json->state == DONE)
        return 0;
    return json->state == INVALID ? -1 : -2;
}
