/* fgw_index.c - see fgw_index.h. */
#include "fgw_index.h"

#include <string.h>

#include "fgw_cel.h"

/* Odd numbers without a pattern (digits of pi). */
#define K1 0x243F6A8885A308D3u
#define K2 0x13198A2E03707345u
#define K3 0xA4093822299F31D1u

static inline uint64_t mix(uint64_t left, uint64_t right)
{
    unsigned __int128 product = (unsigned __int128)left * right;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint64_t hash_bytes(const uint8_t *bytes, size_t length, uint64_t seed)
{
    uint64_t word = 0;
    size_t left = length;
    for (; left > 8; left -= 8, bytes += 8)
        seed = mix(seed ^ load(bytes), K1);
    if (length >= 8) {
        word = load(bytes + left - 8);
    } else if (left >= 4) {
        uint32_t low, high;
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + left - 4, 4);
        word = low | (uint64_t)high << 32;
    } else if (left > 0) {
        word = bytes[0] | (uint64_t)bytes[left / 2] << 8 | (uint64_t)bytes[left - 1] << 16;
    }
    return mix(seed ^ word, K2 ^ length);
}

static inline uint64_t seed_of(const struct fgw_index_part *part)
{
    return (uint64_t)part->fact << 48 ^ (uint64_t)part->kind << 40 ^ part->length ^ K3;
}

/* The first `bits` of an address, the rest zero: 16 bytes. */
static void cut(const uint8_t *address, uint32_t bits, uint8_t out[16])
{
    memset(out, 0, 16);
    memcpy(out, address, bits / 8);
    if (bits % 8)
        out[bits / 8] = (uint8_t)(address[bits / 8] & (0xFF00 >> bits % 8));
}

uint64_t fgw_index_key(const struct fgw_index_part *part, const uint8_t *bytes, size_t length,
                       int64_t number)
{
    uint8_t network[16];
    uint64_t key;
    switch (part->kind) {
    case FGW_INDEX_TEXT:
        key = hash_bytes(bytes, length, seed_of(part));
        break;
    case FGW_INDEX_PREFIX:
        key = length >= part->length ? hash_bytes(bytes, part->length, seed_of(part)) : 0;
        return key ? key : length >= part->length;
    case FGW_INDEX_NETWORK:
        if (length != (part->length & 255))
            return 0;
        cut(bytes, part->length >> 8, network);
        key = hash_bytes(network, 16, seed_of(part));
        break;
    case FGW_INDEX_NUMBER:
        key = mix(seed_of(part) ^ (uint64_t)number, K1);
        break;
    default:
        key = seed_of(part);
        break;
    }
    return key ? key : 1;
}

uint64_t fgw_index_hash(const uint64_t *keys, size_t count)
{
    uint64_t hash = K2;
    for (size_t i = 0; i < count; i++)
        hash = mix(hash ^ keys[i], K3);
    return hash;
}

static const void *at(const struct fgw_index *index, uint32_t offset)
{
    return (const uint8_t *)index + offset;
}

static inline void add_row(const struct fgw_index *index, const struct fgw_index_row *row,
                           struct fgw_index_walk *walk)
{
    uint32_t i = walk->n_rows;
    if (row->count == 0)
        return;
    const uint32_t *numbers = &row->at;
    if (row->count > 1)
        numbers = (const uint32_t *)at(index, index->rules_at) + row->at;
    walk->head[i] = numbers[0];
    walk->next[i] = numbers + 1;
    walk->end[i] = numbers + row->count;
    walk->n_rows++;
}

/* What stays the same for all parts of one request. */
struct asked {
    uint64_t keys[FGW_INDEX_PARTS_MAX]; /* 0: the part does not hold */
    uint64_t absent;                    /* bit i: a part had to do without fact i */
    uint8_t address[16];
    uint32_t address_length; /* 0: not read yet, or none */
    uint32_t address_fact;   /* + 1 */
};

static uint64_t network_key(const struct fgw_index_part *part, const struct fgw_value *fact,
                            struct asked *asked)
{
    if (asked->address_fact != part->fact + 1u) {
        asked->address_fact = part->fact + 1u;
        asked->address_length = fgw_cel_address(fact->bytes, fact->length, asked->address);
        if (asked->address_length == 0)
            asked->absent |= (uint64_t)1 << part->fact;
    }
    return asked->address_length
               ? fgw_index_key(part, asked->address, asked->address_length, 0) : 0;
}

static inline uint64_t part_key(const struct fgw_index_part *part, const struct fgw_value *facts,
                                struct asked *asked)
{
    const struct fgw_value *fact = &facts[part->fact];
    if (part->kind == FGW_INDEX_HAS)
        return fact->type == FGW_VALUE_ABSENT ? 0 : fgw_index_key(part, NULL, 0, 0);
    if (fact->type == FGW_VALUE_ABSENT) {
        asked->absent |= (uint64_t)1 << part->fact;
        return 0;
    }
    if (part->kind == FGW_INDEX_NUMBER)
        return fact->type == FGW_VALUE_INT || fact->type == FGW_VALUE_BOOL
                   ? fgw_index_key(part, NULL, 0, fact->as.number) : 0;
    if (fact->type != FGW_VALUE_STRING)
        return 0;
    if (part->kind == FGW_INDEX_NETWORK)
        return network_key(part, fact, asked);
    return fgw_index_key(part, fact->bytes, fact->length, 0);
}

static void look_up(const struct fgw_index *index, const uint64_t *keys,
                    struct fgw_index_walk *walk)
{
    const struct fgw_index_probe *probes = at(index, index->probes_at);
    const uint16_t *members = at(index, index->members_at);
    const struct fgw_index_slot *slots = at(index, index->slots_at);
    uint64_t hashes[FGW_INDEX_PROBES_MAX];
    uint32_t n = 0, mask = index->n_slots - 1;
    for (uint32_t i = 0; i < index->n_probes; i++) {
        const uint16_t *member = members + probes[i].first, *end = member + probes[i].count;
        uint64_t hash = K2;
        for (; member < end && keys[*member] != 0; member++)
            hash = mix(hash ^ keys[*member], K3);
        if (member < end)
            continue;
        hashes[n++] = hash;
        __builtin_prefetch(&slots[hash & mask]); /* a large table is not in the cache */
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint64_t slot = hashes[i] & mask; slots[slot].row.count > 0; slot = (slot + 1) & mask)
            if (slots[slot].hash == hashes[i]) {
                add_row(index, &slots[slot].row, walk);
                break;
            }
}

static void climb(const struct fgw_index *index, const struct fgw_index_tree *tree, int64_t number,
                  struct fgw_index_walk *walk)
{
    const int64_t *borders = at(index, tree->borders_at);
    const struct fgw_index_row *rows = at(index, tree->rows_at);
    uint32_t low = 0, high = tree->n_borders;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (borders[middle] <= number)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t node = tree->leaves + low; node > 0; node /= 2)
        add_row(index, &rows[node], walk);
}

void fgw_index_start(const struct fgw_index *index, const struct fgw_value *facts,
                     struct fgw_index_walk *walk)
{
    const struct fgw_index_part *parts = at(index, index->parts_at);
    const struct fgw_index_tree *trees = at(index, index->trees_at);
    const struct fgw_index_row *absent = at(index, index->absent_at);
    struct asked asked;
    asked.absent = 0;
    asked.address_fact = 0;
    walk->n_rows = 0;
    for (uint32_t i = 0; i < index->n_parts; i++)
        asked.keys[i] = part_key(&parts[i], facts, &asked);
    look_up(index, asked.keys, walk);
    for (uint32_t i = 0; i < index->n_trees; i++) {
        const struct fgw_value *fact = &facts[trees[i].fact];
        if (fact->type == FGW_VALUE_INT)
            climb(index, &trees[i], fact->as.number, walk);
        else if (fact->type == FGW_VALUE_ABSENT)
            asked.absent |= (uint64_t)1 << trees[i].fact;
    }
    for (uint64_t left = asked.absent; left != 0; left &= left - 1)
        add_row(index, &absent[__builtin_ctzll(left)], walk);
    add_row(index, &index->always, walk);
}

/* Whether `count` things of `each` bytes at `offset`, aligned to `aligned`, lie in the block. */
static int lies(const struct fgw_index *index, uint32_t offset, uint64_t count, uint32_t each,
                uint32_t aligned)
{
    return offset >= sizeof *index && offset % aligned == 0 && offset <= index->size
           && count <= (index->size - offset) / each;
}

static int row_is_sound(const struct fgw_index *index, const struct fgw_index_row *row)
{
    const uint32_t *rules = at(index, index->rules_at);
    if (row->count <= 1)
        return row->count == 0 || row->at < index->n_rules;
    if (row->at > index->n_numbers || row->count > index->n_numbers - row->at)
        return 0;
    for (uint32_t i = 0; i < row->count; i++)
        if (rules[row->at + i] >= index->n_rules
            || (i > 0 && rules[row->at + i] <= rules[row->at + i - 1]))
            return 0;
    return 1;
}

static int parts_are_sound(const struct fgw_index *index)
{
    const struct fgw_index_part *parts = at(index, index->parts_at);
    const struct fgw_index_probe *probes = at(index, index->probes_at);
    const uint16_t *members = at(index, index->members_at);
    for (uint32_t i = 0; i < index->n_parts; i++) {
        uint32_t bits = parts[i].length >> 8, bytes = parts[i].length & 255;
        if (parts[i].fact >= index->n_facts || parts[i].kind < FGW_INDEX_TEXT
            || parts[i].kind > FGW_INDEX_NETWORK
            || (parts[i].kind == FGW_INDEX_NETWORK
                && ((bytes != 4 && bytes != 16) || bits > 8 * bytes)))
            return 0;
    }
    for (uint32_t i = 0; i < index->n_members; i++)
        if (members[i] >= index->n_parts)
            return 0;
    for (uint32_t i = 0; i < index->n_probes; i++)
        if (probes[i].count == 0 || probes[i].first > index->n_members
            || probes[i].count > index->n_members - probes[i].first)
            return 0;
    return 1;
}

static int tree_is_sound(const struct fgw_index *index, const struct fgw_index_tree *tree)
{
    uint32_t depth = 1;
    while (depth < FGW_INDEX_DEPTH_MAX && 1u << (depth - 1) < tree->leaves)
        depth++;
    if (tree->fact >= index->n_facts || tree->leaves != 1u << (depth - 1)
        || tree->n_borders >= tree->leaves
        || !lies(index, tree->borders_at, tree->n_borders, 8, 8)
        || !lies(index, tree->rows_at, 2 * (uint64_t)tree->leaves, sizeof(struct fgw_index_row),
                 4))
        return 0;
    const struct fgw_index_row *rows = at(index, tree->rows_at);
    for (uint32_t i = 0; i < 2 * tree->leaves; i++)
        if (!row_is_sound(index, &rows[i]))
            return 0;
    return 1;
}

static int slots_are_sound(const struct fgw_index *index)
{
    const struct fgw_index_slot *slots = at(index, index->slots_at);
    uint32_t taken = 0;
    for (uint32_t i = 0; i < index->n_slots; i++) {
        taken += slots[i].row.count > 0;
        if (!row_is_sound(index, &slots[i].row))
            return 0;
    }
    return taken < index->n_slots; /* or a search for what is not there would not end */
}

int fgw_index_verify(const void *block, size_t size)
{
    const struct fgw_index *index = block;
    if (size < sizeof *index || index->magic != FGW_INDEX_MAGIC || index->size > size
        || index->size < sizeof *index || index->n_facts > FGW_FACTS_MAX
        || index->n_absent != index->n_facts || index->n_parts > FGW_INDEX_PARTS_MAX
        || index->n_probes > FGW_INDEX_PROBES_MAX || index->n_trees > FGW_INDEX_TREES_MAX
        || index->n_slots == 0 || (index->n_slots & (index->n_slots - 1)) != 0
        || !lies(index, index->parts_at, index->n_parts, sizeof(struct fgw_index_part), 4)
        || !lies(index, index->probes_at, index->n_probes, sizeof(struct fgw_index_probe), 2)
        || !lies(index, index->members_at, index->n_members, 2, 2)
        || !lies(index, index->trees_at, index->n_trees, sizeof(struct fgw_index_tree), 4)
        || !lies(index, index->absent_at, index->n_absent, sizeof(struct fgw_index_row), 4)
        || !lies(index, index->slots_at, index->n_slots, sizeof(struct fgw_index_slot), 8)
        || !lies(index, index->rules_at, index->n_numbers, 4, 4))
        return -1;
    const struct fgw_index_tree *trees = at(index, index->trees_at);
    const struct fgw_index_row *absent = at(index, index->absent_at);
    for (uint32_t i = 0; i < index->n_trees; i++)
        if (!tree_is_sound(index, &trees[i]))
            return -1;
    for (uint32_t i = 0; i < index->n_absent; i++)
        if (!row_is_sound(index, &absent[i]))
            return -1;
    return parts_are_sound(index) && slots_are_sound(index) && row_is_sound(index, &index->always)
               ? 0 : -1;
}
