#include "fgw_json_fast.h"

#include "fgw_json_node.h"
#include "fgw_json_string.h"

#define DIGITS_MAX 18 /* any number of so many digits fits an int64 and a double's range */

/* The walk is compiled twice: where the last byte of the piece is a bracket that closes
 * (`closed`), no other byte is the last one, and need not be asked whether it is. */
#define AT_END(p) (!closed && (p) == end)

/* From a byte that is none above space. */
__attribute__((noinline))
static const uint8_t *skip_spaces(const uint8_t *p, const uint8_t *end)
{
    if (*p == ' ' && p + 1 < end && p[1] > ' ')
        return p + 1;
    while (p < end && is_space(*p)) {
        p++;
#ifdef __SSE2__
        if (end - p >= 16) { /* lines begin with many */
            const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
            const unsigned spaces =
                (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(' ')));
            p += __builtin_ctz(~spaces); /* of which the upper bits are set */
        }
#endif
    }
    return p;
}

FGW_JSON_INLINE const uint8_t *skip_space(const uint8_t *p, const uint8_t *end, int closed)
{
    return AT_END(p) || *p > ' ' ? p : skip_spaces(p, end);
}

static inline int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

FGW_JSON_INLINE void note(struct fgw_json *json, const struct fgw_json_node *node,
                          enum fgw_json_type type, const uint8_t *p, const uint8_t *end)
{
    struct fgw_json_slot *slot = begin_slot(json, node, type, p);

    if (slot)
        slot->end = offset_of(json, end);
}

/* Some bytes of a string, or none. */
FGW_JSON_INLINE void copy_short(char *to, const uint8_t *from, size_t length)
{
#ifdef __SSE2__
    if (length >= 16) {
        for (size_t at = 0; at + 16 < length; at += 16)
            _mm_storeu_si128((__m128i *)(void *)(to + at),
                             _mm_loadu_si128((const __m128i *)(const void *)(from + at)));
        _mm_storeu_si128(
            (__m128i *)(void *)(to + length - 16),
            _mm_loadu_si128((const __m128i *)(const void *)(from + length - 16)));
        return;
    }
#endif
    if (length >= 8) {
        memcpy(to, from, 8);
        memcpy(to + length - 8, from + length - 8, 8);
    } else if (length >= 4) {
        memcpy(to, from, 4);
        memcpy(to + length - 4, from + length - 4, 4);
    } else {
        while (length--)
            to[length] = (char)from[length];
    }
}

#ifdef __SSE2__
/* plain_end where fewer than sixteen bytes are left: the last sixteen, some of them looked at
 * before. */
__attribute__((noinline))
static const uint8_t *plain_tail(const struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    if (offset_of(json, end) - json->offset < 16)
        return plain_end(p, end);
    const unsigned odd = odd_bytes(end - 16) >> (16 - (end - p));
    return odd ? p + __builtin_ctz(odd) : end;
}
#endif

FGW_JSON_INLINE const uint8_t *string_end(const struct fgw_json *json, const uint8_t *p,
                                          const uint8_t *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        const unsigned odd = odd_bytes(p);
        if (odd)
            return p + __builtin_ctz(odd);
    }
    return plain_tail(json, p, end);
#else
    (void)json;
    return plain_end(p, end);
#endif
}

/* Each of these takes a value that begins at p, or returns NULL: not whole here, or not plain. */

FGW_JSON_INLINE const uint8_t *take_string(struct fgw_json *json, const struct fgw_json_node *node,
                                           const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = string_end(json, p + 1, end);
    size_t length = (size_t)(stop - p) - 1;

    if (stop == end || *stop != '"' || node->text > FGW_JSON_TEXT)
        return NULL;
    if (node->text) {
        json->text_bytes += length;
        if (json->text_ear)
            json->text_ear(json->text_listener, p + 1, length);
    }
    struct fgw_json_slot *slot = begin_slot(json, node, FGW_JSON_STRING, p);
    if (slot) {
        const struct fgw_json_room *room = &json->spec->rooms[node->slot];
        size_t kept = length < room->room ? length : room->room;
        copy_short(json->copy + room->at, p + 1, kept);
        slot->copied = (uint16_t)kept;
        slot->count = length > UINT32_MAX ? UINT32_MAX : (uint32_t)length;
        slot->end = offset_of(json, stop + 1);
    }
    return stop + 1;
}

FGW_JSON_INLINE const uint8_t *note_number(struct fgw_json *json, const struct fgw_json_node *node,
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

#define EACH 0x0101010101010101u

/* The digit at p begins a number. */
FGW_JSON_INLINE const uint8_t *take_number(struct fgw_json *json, const struct fgw_json_node *node,
                                           const uint8_t *p, const uint8_t *end, int closed)
{
    const uint8_t *q = p + 1;
    uint64_t value = (uint64_t)(*p - '0');

    if (!AT_END(q) && is_digit(*q)) {
        if (*p == '0' || end - p < 8)
            return take_odd_number(json, node, p, end);
        /* Eight bytes at once: the lowest bit marks the first that is no digit. */
        uint64_t word = fgw_json_eight(p) ^ EACH * '0';
        const uint64_t others = ((word + EACH * 0x76) | word) & EACH * 0x80;
        unsigned bits = others ? (unsigned)__builtin_ctzll(others) - 7 : 64;
        word <<= 64 - bits;
        word = word * 10 + (word >> 8);
        value = ((word & 0x000000ff000000ffu) * 0x000f424000000064u +
                 (word >> 16 & 0x000000ff000000ffu) * 0x0000271000000001u) >> 32;
        q = p + bits / 8;
        if (!others) {
            for (; q < end && is_digit(*q); q++)
                value = value * 10 + (uint64_t)(*q - '0'); /* may wrap: read only if short */
            if (q - p > DIGITS_MAX)
                return take_odd_number(json, node, p, end);
        }
    }
    if (AT_END(q) || (*q != ',' && (*q == '.' || (*q | 0x20) == 'e')))
        return take_odd_number(json, node, p, end);
    return note_number(json, node, p, q, (int64_t)value);
}

/* A word, or a number below zero. */
FGW_JSON_INLINE const uint8_t *take_other(struct fgw_json *json, const struct fgw_json_node *node,
                                          const uint8_t *p, const uint8_t *end)
{
    enum fgw_json_type type = FGW_JSON_NULL;
    size_t length = 4;

    if (*p == '-')
        return take_odd_number(json, node, p, end);
    if (end - p < 5)
        return NULL; /* (no word ends a document of members) */
    if (!memcmp(p, "true", 4)) {
        type = FGW_JSON_TRUE;
    } else if (!memcmp(p, "false", 5)) {
        type = FGW_JSON_FALSE;
        length = 5;
    } else if (memcmp(p, "null", 4) || node->text == FGW_JSON_ALIEN) {
        return NULL;
    }
    note(json, node, type, p, p + length);
    return p + length;
}

FGW_JSON_INLINE const uint8_t *take_scalar(struct fgw_json *json, const struct fgw_json_node *node,
                                           const uint8_t *p, const uint8_t *end, int closed)
{
    if (*p == '"')
        return take_string(json, node, p, end);
    return is_digit(*p) ? take_number(json, node, p, end, closed) : take_other(json, node, p, end);
}

/* What kept names are looked up in where none are: it never is the name. */
static const struct fgw_json_name NO_NAME;

/* Where the walk is: what json says between two pieces, in registers. */
struct place {
    const struct fgw_json_node *nodes;
    const struct fgw_json_node *inside; /* node of the innermost container */
    const struct fgw_json_name *names;  /* those that were kept, or NO_NAME */
    const struct fgw_json_name *last;   /* of them the one that was read last */
    size_t depth;
    unsigned object; /* the innermost container is one */
    unsigned node;   /* of the value that begins */
};

/* A name that nothing is kept of: json->node is where it leads. Of requests, names are kept where
 * the spec knows some, which are the API's; in other objects they are anybody's. What counts for
 * something besides is not kept. */
static const uint8_t *take_new_key(struct fgw_json *json, const struct fgw_json_node *inside,
                                   const uint8_t *p, const uint8_t *end,
                                   const struct fgw_json_name **kept)
{
    const uint8_t *stop = plain_end(p + 1, end);
    const uint32_t variants = json->variants;

    if (end - stop < 2 || *stop != '"' || stop[1] != ':')
        return NULL;
    size_t length = (size_t)(stop - p) - 1, room = (size_t)(end - p) - 1;
    json->node = member_node(json, inside, (const char *)p + 1, length, room);
    if (json->names && (inside->edge_count || json->spec->lenient) &&
        !(inside->flags & FGW_JSON_KEYS_TEXT) && json->variants == variants)
        *kept = fgw_json_names_keep(json->names, json->spec->nodes, inside, p, length, json->node);
    return stop + 2;
}

/* A name that is not the one which was expected: json->node is where it leads. NULL: not whole
 * here, or not plain. */
__attribute__((noinline))
static const uint8_t *take_other_key(struct fgw_json *json, const struct fgw_json_node *inside,
                                     const struct fgw_json_name *last, const uint8_t *p,
                                     const uint8_t *end)
{
    struct fgw_json_names *names = json->names;
    const struct fgw_json_name *name = NULL;

    if (names)
        name = fgw_json_names_find(names, json->spec->nodes, inside, p, end);
    if (name) {
        json->node = name->node;
        p += name->length;
    } else {
        p = take_new_key(json, inside, p, end, &name);
    }
    if (name) {
        names->last = (uint16_t)((const char *)name - (const char *)names->name);
        names->name[last - names->name].next = names->last;
    }
    return p;
}

/* A member's name from its quote at p, and the colon. NULL: not whole here, or not plain. */
FGW_JSON_INLINE const uint8_t *take_key(struct fgw_json *json, struct place *place,
                                        const uint8_t *p, const uint8_t *end)
{
    const struct fgw_json_name *name = fgw_json_names_at(place->names, place->last->next);

    if (name->inside == place->inside && fgw_json_is_name(name, p, end)) {
        json->counts[place->depth - 1]++;
        place->node = name->node;
        place->last = name;
        return p + name->length;
    }
    if (*p != '"' || !(p = take_other_key(json, place->inside, place->last, p, end)))
        return NULL;
    json->counts[place->depth - 1]++;
    place->node = json->node;
    if (json->names)
        place->last = fgw_json_names_at(place->names, json->names->last);
    return p;
}

FGW_JSON_INLINE void begin_element(struct fgw_json *json, struct place *place)
{
    json->counts[place->depth - 1]++;
    place->node = place->inside->element;
}

/* The container at p begins. */
FGW_JSON_INLINE void open(struct fgw_json *json, struct place *place, const uint8_t *p)
{
    place->object = *p == '{';
    place->inside = &place->nodes[place->node];
    open_at(json, place->inside, (unsigned)place->depth++, (uint8_t)place->node, p,
            (int)place->object);
    place->node = place->inside->element;
}

/* The innermost container ends with the bracket at p. */
FGW_JSON_INLINE void close(struct fgw_json *json, struct place *place, const uint8_t *p)
{
    size_t level = --place->depth;

    json->paused = (uint8_t)close_at(json, place->inside, (unsigned)level, p);
    if (level--) {
        place->inside = &place->nodes[json->nodes[level]];
        place->object = json->objects[level];
    }
}

/* The walk stops at p: before what it does not take, or at the end of the piece. */
FGW_JSON_INLINE const uint8_t *leave(struct fgw_json *json, const struct place *place,
                                     enum state state, const uint8_t *p)
{
    json->depth = (uint8_t)place->depth;
    json->node = (uint8_t)place->node;
    json->state = (uint8_t)state;
    if (json->names)
        json->names->last = (uint16_t)((const char *)place->last - (const char *)place->names);
    return p;
}

FGW_JSON_INLINE const uint8_t *walk(struct fgw_json *json, struct place *place, const uint8_t *p,
                                    const uint8_t *end, int closed)
{
    const uint8_t *next;

    if (json->state == VALUE)
        goto value;
    if (json->state == AFTER)
        goto after;
key:
    next = take_key(json, place, p, end);
    if (!next)
        return leave(json, place, KEY, p);
    p = skip_space(next, end, closed);
    if (AT_END(p))
        return leave(json, place, VALUE, p);
value:
    if (*p != '"' && (*p | 0x20) == '{') {
        if (place->depth == FGW_JSON_DEPTH_MAX)
            return leave(json, place, VALUE, p);
        open(json, place, p);
        p = skip_space(p + 1, end, closed);
        if (AT_END(p))
            return leave(json, place, place->object ? FIRST_KEY : FIRST_ELEMENT, p);
        if (*p == (place->object ? '}' : ']'))
            goto close;
        if (place->object)
            goto key;
        begin_element(json, place);
        goto value;
    }
    next = take_scalar(json, &place->nodes[place->node], p, end, closed);
    if (!next)
        return leave(json, place, VALUE, p);
    p = next;
after:
    if (AT_END(p) || *p != ',')
        p = skip_space(p, end, closed);
    if (AT_END(p))
        return leave(json, place, AFTER, p);
    if (*p == ',') {
        p = skip_space(p + 1, end, closed);
        if (place->object && !AT_END(p))
            goto key;
        if (place->object)
            return leave(json, place, KEY, p);
        begin_element(json, place);
        if (AT_END(p))
            return leave(json, place, VALUE, p);
        goto value;
    }
    if (*p != (place->object ? '}' : ']'))
        return leave(json, place, AFTER, p);
close:
    close(json, place, p++);
    if (json->paused || !place->depth || p == end)
        return leave(json, place, place->depth ? AFTER : DONE, p);
    goto after;
}

__attribute__((noinline))
const uint8_t *fgw_json_fast(struct fgw_json *json, const uint8_t *p, const uint8_t *end)
{
    struct place place = {.nodes = json->spec->nodes, .depth = json->depth, .node = json->node};

    if (place.depth) {
        if (json->state == FIRST_KEY && *p == '}')
            return p;
        place.inside = &place.nodes[json->nodes[place.depth - 1]];
        place.object = (unsigned)in_object(json);
    } else if ((*p | 0x20) != '{') {
        return p; /* the scan takes documents of one scalar */
    }
    place.names = place.last = &NO_NAME;
    if (json->names) {
        place.names = json->names->name;
        place.last = fgw_json_names_at(place.names, json->names->last);
    }
    if (end[-1] == '}' || end[-1] == ']')
        return walk(json, &place, p, end, 1);
    return walk(json, &place, p, end, 0);
}
