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
    if (node->text)
        json->text_bytes += length;
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

static inline const uint8_t *take_number(struct fgw_json *json, const struct fgw_json_node *node,
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
    if (begin_slot(json, node, FGW_JSON_NUMBER, p)) {
        struct fgw_json_slot *slot = &json->slots[node->slot];
        slot->number = *p == '-' ? -(int64_t)value : (int64_t)value;
        slot->inexact = 0;
        slot->end = offset_of(json, q);
    }
    return q;
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
        return *p == '-' || is_digit(*p) ? take_number(json, node, p, end) : NULL;
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

static inline void close(struct fgw_json *json, struct place *place, const uint8_t *p)
{
    unsigned level = --place->depth;

    place->paused = (uint8_t)close_at(json, level, p);
    place->state = level ? AFTER : DONE;
    if (level--) {
        place->inside = &place->nodes[json->nodes[level]];
        place->object = json->objects[level / 64] >> (level % 64) & 1;
    }
}

/* A member's name from its quote at p, and the colon: state VALUE then. Where it is not whole
 * here, or not plain, p. */
__attribute__((always_inline)) /* 300 instructions an event; left to itself, gcc may not */
static inline const uint8_t *take_key(struct fgw_json *json, struct place *place,
                                      const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = plain_end(p + 1, end);

    if (end - stop < 2 || *stop != '"' || stop[1] != ':')
        return p;
    json->counts[place->depth - 1]++;
    size_t length = (size_t)(stop - p) - 1, room = (size_t)(end - p) - 1;
    place->node = member_node(json, place->inside, (const char *)p + 1, length, room);
    place->state = VALUE;
    return stop + 2;
}

static inline void begin_element(struct fgw_json *json, struct place *place)
{
    json->counts[place->depth - 1]++;
    place->node = place->inside->element;
    place->state = VALUE;
}

/* Opens the container at p and goes to its first value, or closes it if it is empty. */
static inline const uint8_t *open(struct fgw_json *json, struct place *place, const uint8_t *p,
                                  const uint8_t *end)
{
    uint8_t object = *p == '{';

    open_at(json, place->depth++, place->node, p, object);
    place->inside = &place->nodes[place->node];
    place->object = object;
    place->node = place->inside->element;
    place->state = object ? FIRST_KEY : FIRST_ELEMENT;
    p = skip_space(p + 1, end);
    if (p == end)
        return p;
    if (*p == (object ? '}' : ']')) {
        close(json, place, p);
        return p + 1;
    }
    if (object)
        return *p == '"' ? take_key(json, place, p, end) : p;
    begin_element(json, place);
    return p;
}

/* A comma and what follows it, up to the value; or the bracket that closes the container. */
static inline const uint8_t *go_on(struct fgw_json *json, struct place *place, const uint8_t *p,
                                   const uint8_t *end)
{
    if (*p == (place->object ? '}' : ']')) {
        close(json, place, p);
        return p + 1;
    }
    if (*p != ',')
        return p;
    p = skip_space(p + 1, end);
    if (place->object) {
        place->state = KEY;
        return p < end && *p == '"' ? take_key(json, place, p, end) : p;
    }
    begin_element(json, place);
    return p;
}

static inline const uint8_t *walk(struct fgw_json *json, struct place *place, const uint8_t *p,
                                  const uint8_t *end)
{
    const uint8_t *next;

    if ((place->state == KEY || place->state == FIRST_KEY) && *p == '"')
        p = take_key(json, place, p, end);
    while ((p = skip_space(p, end)) < end) {
        if (place->state == VALUE) {
            if (*p == '{' || *p == '[') {
                if (place->depth == FGW_JSON_DEPTH_MAX)
                    return p;
                p = open(json, place, p, end);
                continue;
            }
            next = take_scalar(json, &place->nodes[place->node], p, end);
            if (!next)
                return p;
            p = skip_space(next, end);
            place->state = place->depth ? AFTER : DONE;
            if (p == end)
                return p;
        }
        if (place->state != AFTER || place->paused)
            return p;
        next = go_on(json, place, p, end);
        if (next == p)
            return p;
        p = next;
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
