/* fgw_json_node.h - values and members of the JSON scan: what the spec wants of them; not for
 * callers. Shared by the scan at any cut (fgw_json.c) and the fast one (fgw_json_fast.c).
 */
#ifndef FGW_JSON_NODE_H
#define FGW_JSON_NODE_H

#include <string.h>

#include "fgw_json_names.h"
#include "fgw_json_state.h"

static inline int in_object(const struct fgw_json *json)
{
    return json->objects[json->depth - 1u];
}

static inline int is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The slot that a value at `node`, which begins at `at`, is to be noted in, or NULL. */
FGW_JSON_INLINE struct fgw_json_slot *begin_slot(struct fgw_json *json,
                                                 const struct fgw_json_node *node,
                                                 enum fgw_json_type type, const uint8_t *at)
{
    const size_t at_slot = node->slot;

    if (at_slot == FGW_JSON_NO_SLOT)
        return NULL;
    struct fgw_json_slot *slot = &json->slots[at_slot];
    const uint64_t bit = (uint64_t)1 << at_slot;
    if (json->seen & bit) {
        if (node->flags & FGW_JSON_ONCE)
            json->twice |= bit;
        if (type == FGW_JSON_NULL && node->flags & FGW_JSON_STICKY)
            return NULL;
    }
    json->seen |= bit;
    slot->type = (uint8_t)type;
    slot->start = offset_of(json, at);
    slot->end = 0;
    slot->count = 0;
    slot->copied = 0;
    return slot;
}

static inline void end_slot(struct fgw_json *json, uint8_t index, const uint8_t *end)
{
    if (index != FGW_JSON_NO_SLOT)
        json->slots[index].end = offset_of(json, end);
}

/* A container at `node`, the one of number `at`, begins at p, inside `level` others. */
FGW_JSON_INLINE void open_at(struct fgw_json *json, const struct fgw_json_node *node,
                             unsigned level, uint8_t at, const uint8_t *p, int object)
{
    begin_slot(json, node, object ? FGW_JSON_OBJECT : FGW_JSON_ARRAY, p);
    json->objects[level] = object != 0;
    json->counts[level] = 0;
    json->nodes[level] = at;
}

/* It ends with the bracket at p. Returns whether the scan pauses here. */
FGW_JSON_INLINE int close_at(struct fgw_json *json, const struct fgw_json_node *node,
                             unsigned level, const uint8_t *p)
{
    if (node->slot != FGW_JSON_NO_SLOT) {
        end_slot(json, node->slot, p + 1);
        json->slots[node->slot].count = json->counts[level];
        if (node->flags & FGW_JSON_LONE && json->slots[node->slot].type == FGW_JSON_OBJECT)
            json->strangers += json->counts[level] < 2;
    }
    return node->flags & FGW_JSON_PAUSE;
}

static inline char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
}

/* Whether `key` is an edge's in other letters: servers that match names in any case (Go's do) take
 * it for that member. */
static inline int is_variant(const struct fgw_json_node *node, const char *key, size_t length)
{
    for (unsigned i = 0; i < node->edge_count; i++) {
        const struct fgw_json_edge *edge = &node->edges[i];
        size_t same = 0;
        if (edge->key_length != length)
            continue;
        while (same < length && lower(key[same]) == lower(edge->key[same]))
            same++;
        if (same == length)
            return 1;
    }
    return 0;
}

/* The first eight bytes of a name as an edge has them; `room` bytes may be read. */
FGW_JSON_INLINE uint64_t word_of(const char *key, size_t length, size_t room)
{
    uint64_t word = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (room >= 8) {
        memcpy(&word, key, 8);
        return length >= 8 ? word : word & ((UINT64_C(1) << 8 * length) - 1);
    }
#endif
    for (size_t i = 0; i < length && i < 8; i++)
        word |= (uint64_t)(uint8_t)key[i] << 8 * i;
    return word;
}

/* Whether `key`, which begins with the edge's word, is this edge's. */
static inline int is_edge(const struct fgw_json_edge *edge, const char *key, size_t length)
{
    if (edge->key_length != length)
        return 0;
    if (length <= 8)
        return 1;
    for (size_t at = 8; at + 8 < length; at += 8)
        if (fgw_json_eight(edge->key + at) != fgw_json_eight(key + at))
            return 0;
    /* The last eight bytes: they overlap what was compared. */
    return fgw_json_eight(edge->key + length - 8) == fgw_json_eight(key + length - 8);
}

/* The node of the member `key` of an object at `inside`. `room` >= length bytes may be read. */
FGW_JSON_INLINE uint8_t member_node(struct fgw_json *json, const struct fgw_json_node *inside,
                                    const char *key, size_t length, size_t room)
{
    const struct fgw_json_edge *edge = inside->edges;

    if (__builtin_expect(inside->flags & FGW_JSON_KEYS_TEXT, 0))
        json->text_bytes += length;
    unsigned left = inside->edge_count;
    if (!left)
        return inside->other;
    uint64_t word = word_of(key, length, room);
    do {
        if (edge->word == word && is_edge(edge, key, length))
            return edge->node;
        edge++;
    } while (--left);
    if (inside->flags & FGW_JSON_CASES && is_variant(inside, key, length))
        json->variants++;
    return inside->other;
}

#endif
