#include "fgw_json_fast.h"

#include "fgw_json_node.h"
#include "fgw_json_string.h"

#define DIGITS_MAX 18 /* any number of so many digits fits an int64 and a double's range */

static inline const uint8_t *skip_space(const uint8_t *p, const uint8_t *end)
{
    if (p < end && *p > ' ')
        return p;
    while (p < end && is_space(*p))
        p++;
    return p;
}

static inline int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static inline void note(struct fgw_json *json, const struct fgw_json_node *node,
                        enum fgw_json_type type, const uint8_t *p, const uint8_t *end)
{
    if (begin_slot(json, node, type, p))
        json->slots[node->slot].end = offset_of(json, end);
}

/* Each of these takes a value that begins at p, or returns NULL: not whole here, or not plain. */

static inline const uint8_t *take_string(struct fgw_json *json, const struct fgw_json_node *node,
                                         const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = plain_end(p + 1, end);
    size_t length = (size_t)(stop - p) - 1;

    if (stop == end || *stop != '"' || node->text > FGW_JSON_TEXT)
        return NULL;
    if (node->text) {
        json->text_bytes += length;
        if (json->text_ear)
            json->text_ear(json->text_listener, p + 1, length);
    }
    if (node->slot != FGW_JSON_NO_SLOT) {
        const struct fgw_json_room *room = &json->spec->rooms[node->slot];
        struct fgw_json_slot *slot = begin_slot(json, node, FGW_JSON_STRING, p);
        size_t kept = length < room->room ? length : room->room;
        memcpy(json->copy + room->at, p + 1, kept);
        slot->copied = (uint16_t)kept;
        slot->count = length > UINT32_MAX ? UINT32_MAX : (uint32_t)length;
        slot->end = offset_of(json, stop + 1);
    }
    return stop + 1;
}

static inline const uint8_t *note_number(struct fgw_json *json, const struct fgw_json_node *node,
                                         const uint8_t *p, const uint8_t *end, int64_t value)
{
    struct fgw_json_slot *slot = begin_slot(json, node, FGW_JSON_NUMBER, p);

    if (slot) {
        slot->number = value;
        slot->inexact = 0;
        slot->end = offset_of(json, end);
    }
    return end;
}

/* A number with a sign or a fraction, or before something else than the next member. */
__attribute__((noinline))
static const uint8_t *take_odd_number(struct fgw_json *json, const struct fgw_json_node *node,
                                      const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = p, *first = p + (*p == '-'), *stop;
    uint64_t value = 0;

    for (q = first; q < end && is_digit(*q); q++)
        value = value * 10 + (uint64_t)(*q - '0'); /* may wrap: read only if short */
    stop = q;
    if (q == first || q == end || q - first > DIGITS_MAX || (*first == '0' && q - first > 1))
        return NULL;
    if (*q == '.' && node->slot == FGW_JSON_NO_SLOT) {
        do
            q++;
        while (q < end && is_digit(*q));
        if (q == stop + 1 || q == end || q - first > DIGITS_MAX)
            return NULL;
    }
    if (*q == '.' || *q == 'e' || *q == 'E')
        return NULL;
    return note_number(json, node, p, q, *p == '-' ? -(int64_t)value : (int64_t)value);
}

/* The digit at p begins a number. */
static inline const uint8_t *take_number(struct fgw_json *json, const struct fgw_json_node *node,
                                         const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = p;
    uint64_t value = (uint64_t)(*p - '0'); /* may wrap: read only if short */

    while (++q < end && is_digit(*q))
        value = value * 10 + (uint64_t)(*q - '0');
    if (q < end && (*q == ',' || *q == '}') && (*p != '0' || q - p == 1) && q - p <= DIGITS_MAX)
        return note_number(json, node, p, q, (int64_t)value);
    return take_odd_number(json, node, p, end);
}

static inline const uint8_t *take_scalar(struct fgw_json *json, const struct fgw_json_node *node,
                                         const uint8_t *p, const uint8_t *end)
{
    switch (*p) {
    case '"':
        return take_string(json, node, p, end);
    case 't':
        if (end - p < 4 || memcmp(p, "true", 4))
            return NULL;
        note(json, node, FGW_JSON_TRUE, p, p + 4);
        return p + 4;
    case 'f':
        if (end - p < 5 || memcmp(p, "false", 5))
            return NULL;
        note(json, node, FGW_JSON_FALSE, p, p + 5);
        return p + 5;
    case 'n':
        if (end - p < 4 || memcmp(p, "null", 4) || node->text == FGW_JSON_ALIEN)
            return NULL;
        note(json, node, FGW_JSON_NULL, p, p + 4);
        return p + 4;
    default:
        if (is_digit(*p))
            return take_number(json, node, p, end);
        return *p == '-' ? take_odd_number(json, node, p, end) : NULL;
    }
}

/* Where the walk is: what json says between two pieces, in registers. */
struct place {
    const struct fgw_json_node *nodes;
    const struct fgw_json_node *inside; /* node of the innermost container */
    uint32_t depth;
    uint8_t object; /* the innermost container is one */
    uint8_t node;   /* of the value that begins */
    uint8_t state;
    uint8_t paused;
};

static inline const uint8_t *close(struct fgw_json *json, struct place *place, const uint8_t *p)
{
    unsigned level = --place->depth;

    place->paused = (uint8_t)close_at(json, level, p);
    place->state = level ? AFTER : DONE;
    if (level--) {
        place->inside = &place->nodes[json->nodes[level]];
        place->object = json->objects[level / 64] >> (level % 64) & 1;
    }
    return p + 1;
}

/* A member's name from its quote at p, and the colon: state VALUE then. NULL: not whole here, or
 * not plain. */
static inline const uint8_t *take_new_key(struct fgw_json *json, struct place *place,
                                          const uint8_t *p, const uint8_t *end)
{
    const struct fgw_json_node *inside = place->inside;
    const uint8_t *stop = plain_end(p + 1, end);

    if (end - stop < 2 || *stop != '"' || stop[1] != ':')
        return NULL;
    json->counts[place->depth - 1]++;
    size_t length = (size_t)(stop - p) - 1, room = (size_t)(end - p) - 1;
    place->node = member_node(json, inside, (const char *)p + 1, length, room);
    place->state = VALUE;
    if (json->names && !(inside->flags & (FGW_JSON_KEYS_TEXT | FGW_JSON_CASES)))
        fgw_json_names_keep(json->names, place->nodes, inside, p + 1, length, place->node);
    return stop + 2;
}

static inline const uint8_t *take_key(struct fgw_json *json, struct place *place,
                                      const uint8_t *p, const uint8_t *end)
{
    const struct fgw_json_name *known = NULL;

    if (json->names)
        known = fgw_json_names_find(json->names, place->nodes, place->inside, p + 1, end);
    if (!known)
        return take_new_key(json, place, p, end);
    json->counts[place->depth - 1]++;
    place->node = known->node;
    place->state = VALUE;
    return p + 1 + known->length;
}

static inline void begin_element(struct fgw_json *json, struct place *place)
{
    json->counts[place->depth - 1]++;
    place->node = place->inside->element;
    place->state = VALUE;
}

/* Opens the container at p; closes it at once if it is empty. */
static inline const uint8_t *open(struct fgw_json *json, struct place *place, const uint8_t *p,
                                  const uint8_t *end)
{
    uint8_t object = *p == '{';

    if (place->depth == FGW_JSON_DEPTH_MAX)
        return NULL;
    open_at(json, place->depth++, place->node, p, object);
    place->inside = &place->nodes[place->node];
    place->object = object;
    place->node = place->inside->element;
    place->state = object ? FIRST_KEY : FIRST_ELEMENT;
    p = skip_space(p + 1, end);
    if (p == end)
        return p;
    if (*p == (object ? '}' : ']'))
        return close(json, place, p);
    if (!object)
        begin_element(json, place);
    return p;
}

/* A value at p, and where a member follows, its comma. NULL: not whole here, or not plain. */
static inline const uint8_t *take_value(struct fgw_json *json, struct place *place,
                                        const uint8_t *p, const uint8_t *end)
{
    if (*p == '{' || *p == '[')
        return open(json, place, p, end);
    p = take_scalar(json, &place->nodes[place->node], p, end);
    if (!p)
        return NULL;
    place->state = place->depth ? AFTER : DONE;
    if (end - p < 2 || *p != ',' || !place->object)
        return p;
    place->state = KEY;
    return p + 1;
}

/* Behind a value: a comma, or the bracket that closes the container. NULL: neither. */
static inline const uint8_t *go_on(struct fgw_json *json, struct place *place, const uint8_t *p)
{
    if (*p == (place->object ? '}' : ']'))
        return close(json, place, p);
    if (*p != ',')
        return NULL;
    if (place->object)
        place->state = KEY;
    else
        begin_element(json, place);
    return p + 1;
}

static inline const uint8_t *walk(struct fgw_json *json, struct place *place, const uint8_t *p,
                                  const uint8_t *end)
{
    const uint8_t *next = p;

    while (next) {
        p = next;
        if (place->paused || (p = skip_space(p, end)) == end)
            break;
        if (place->state == KEY || place->state == FIRST_KEY) {
            next = *p == '"' ? take_key(json, place, p, end) : NULL;
            if (!next || next == end || *next <= ' ')
                continue;
            p = next;
        }
        if (place->state == VALUE)
            next = take_value(json, place, p, end);
        else
            next = place->state == AFTER ? go_on(json, place, p) : NULL;
    }
    return p;
}

const uint8_t *fgw_json_fast(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    struct place place = {
        .nodes = json->spec->nodes, .depth = json->depth, .node = json->node, .state = json->state,
    };

    if (place.depth) {
        place.inside = &place.nodes[json->nodes[place.depth - 1]];
        place.object = (uint8_t)in_object(json);
    }
    p = walk(json, &place, p, end);
    json->depth = (uint8_t)place.depth;
    json->node = place.node;
    json->state = place.state;
    json->paused = place.paused;
    return p;
}
