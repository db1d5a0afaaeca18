/* fgw_bpe_pair.c - the pairs of a vocabulary, found and laid out. */
#include "fgw_bpe_pair.h"

#define MOVES 256u
#define SEEDS 64u
#define LARGEST 64u /* pairs of a bucket; three are usual */
#define NOTHING UINT64_MAX
#define LEAST 64u /* the least number of places of a group */

/* A token's bytes while they are merged. */
struct parts {
    const uint8_t *bytes;
    uint32_t token; /* only what is below it merges */
    size_t n;
    uint32_t parts[FGW_BPE_TOKEN_MAX]; /* grains */
    uint16_t starts[FGW_BPE_TOKEN_MAX + 1];
};

/* The token that the parts i and i + 1 merge to. */
static uint32_t merged(const struct fgw_bpe_vocabulary *v, const struct parts *row, size_t i)
{
    const uint32_t *splits = fgw_bpe_part(v, v->splits);
    size_t start = row->starts[i];
    uint32_t token = fgw_bpe_find(v, row->bytes + start, row->starts[i + 2] - start);
    if (token == FGW_BPE_NONE || token >= row->token || splits[2 * token] != row->parts[i]
        || splits[2 * token + 1] != row->parts[i + 1])
        return FGW_BPE_NONE;
    return token;
}

static void merge(struct parts *row, uint32_t *ranks, size_t at)
{
    row->parts[at] = fgw_bpe_joined(ranks[at], row->parts[at], row->parts[at + 1]);
    row->n--;
    memmove(row->parts + at + 1, row->parts + at + 2, (row->n - at - 1) * sizeof *row->parts);
    memmove(ranks + at, ranks + at + 1, (row->n - at) * sizeof *ranks);
    memmove(row->starts + at + 1, row->starts + at + 2, (row->n - at) * sizeof *row->starts);
}

int fgw_bpe_pair_split(struct fgw_bpe_vocabulary *v, uint32_t token, const uint8_t *bytes,
                       size_t length)
{
    uint32_t *splits = (uint32_t *)((char *)v + v->splits), ranks[FGW_BPE_TOKEN_MAX];
    struct parts row = { .bytes = bytes, .token = token, .n = length };
    if (length == 1) {
        splits[2 * token] = splits[2 * token + 1] = fgw_bpe_grain(token, 1, bytes[0]);
        return 0;
    }
    for (size_t i = 0; i <= length; i++)
        row.starts[i] = (uint16_t)i;
    for (size_t i = 0; i < length; i++)
        row.parts[i] = v->byte_grain[bytes[i]];
    for (size_t i = 0; i + 1 < length; i++)
        ranks[i] = merged(v, &row, i);
    while (row.n > 2) {
        size_t least = 0;
        for (size_t i = 1; i + 1 < row.n; i++)
            least = ranks[i] < ranks[least] ? i : least;
        if (ranks[least] == FGW_BPE_NONE)
            return -1;
        merge(&row, ranks, least);
        if (least)
            ranks[least - 1] = merged(v, &row, least - 1);
        if (least + 1 < row.n)
            ranks[least] = merged(v, &row, least);
    }
    splits[2 * token] = row.parts[0];
    splits[2 * token + 1] = row.parts[1];
    return 0;
}

/* Twice the tokens, where each group is half full; a group has LEAST places at least. */
uint64_t fgw_bpe_pair_places(uint64_t tokens)
{
    return ((2 * tokens + 63) & ~UINT64_C(63)) + (FGW_BPE_GROUPS + 1) * 2 * LEAST;
}

uint64_t fgw_bpe_pair_buckets(uint64_t tokens)
{
    return fgw_bpe_pair_places(tokens) / 4;
}

uint64_t fgw_bpe_pair_scratch(uint64_t tokens)
{
    return (fgw_bpe_pair_buckets(tokens) + 2 * tokens) * sizeof(uint32_t);
}

static void *part(struct fgw_bpe_vocabulary *v, uint64_t offset)
{
    return (char *)v + offset;
}

static uint64_t key_of(const struct fgw_bpe_vocabulary *v, uint32_t token)
{
    const uint32_t *splits = fgw_bpe_part(v, v->splits);
    return fgw_bpe_pair_key(splits[2 * token], splits[2 * token + 1]);
}

static const struct fgw_bpe_group *group_of(const struct fgw_bpe_vocabulary *v, uint32_t token)
{
    const uint32_t *splits = fgw_bpe_part(v, v->splits);
    return fgw_bpe_group(v, splits[2 * token], splits[2 * token + 1]);
}

/* Gives each group its places. The first ones are nobody's; behind the last one all ends. */
static void lay_out(struct fgw_bpe_vocabulary *v)
{
    uint32_t pairs = LEAST, moves = 0;
    for (unsigned i = 0; i < FGW_BPE_GROUPS; i++)
        v->groups[i].mask = 0;
    for (uint32_t token = 256; token < v->tokens; token++)
        v->groups[group_of(v, token) - v->groups].mask++;
    for (unsigned i = 0; i < FGW_BPE_GROUPS; i++) {
        struct fgw_bpe_group *group = v->groups + i;
        uint32_t places = LEAST;
        while (4 * (uint64_t)places < 5 * (uint64_t)group->mask)
            places *= 2;
        group->pairs = pairs;
        group->mask = places - 1;
        group->moves = moves;
        pairs += places;
        moves += places / 4;
    }
    v->size = v->pairs + pairs * sizeof(uint64_t);
}

/* Puts the pairs of a chain of tokens on their places moved so often, or none and says -1. */
static int put(struct fgw_bpe_vocabulary *v, const uint32_t *chain, uint32_t token, unsigned move)
{
    uint64_t *pairs = part(v, v->pairs), taken[LARGEST];
    size_t n = 0;
    for (; token; token = chain[token]) {
        const uint64_t key = key_of(v, token);
        const uint64_t place = fgw_bpe_pair_place(group_of(v, token), fgw_bpe_pair_hash(v, key),
                                                  move);
        if (pairs[place] != NOTHING || n == LARGEST) {
            while (n)
                pairs[taken[--n]] = NOTHING;
            return -1;
        }
        pairs[place] = key << 18 | token;
        taken[n++] = place;
    }
    return 0;
}

static int settle_bucket(struct fgw_bpe_vocabulary *v, const uint32_t *chain, uint32_t first,
                         uint8_t *move)
{
    for (unsigned tried = 0; tried < MOVES; tried++)
        if (put(v, chain, first, tried) == 0) {
            *move = (uint8_t)tried;
            return 0;
        }
    return -1;
}

static unsigned chain_length(const uint32_t *chain, uint32_t token)
{
    unsigned n = 0;
    for (; token && n < LARGEST; token = chain[token])
        n++;
    return n;
}

/* Chains the tokens of each bucket; a byte, as 0 is, is in none, so 0 ends one. Notes the pairs in
 * the filter. */
static void fill_buckets(struct fgw_bpe_vocabulary *v, uint32_t *firsts, uint32_t *chain)
{
    uint64_t *known = part(v, v->known);
    for (uint32_t token = 256; token < v->tokens; token++) {
        const struct fgw_bpe_group *group = group_of(v, token);
        const uint64_t hash = fgw_bpe_pair_hash(v, key_of(v, token));
        const uint64_t bucket = fgw_bpe_pair_bucket(group, hash);
        const uint64_t bit = fgw_bpe_pair_bit(group, hash);
        known[bit >> 6] |= UINT64_C(1) << (bit & 63);
        chain[token] = firsts[bucket];
        firsts[bucket] = token;
    }
}

/* The largest buckets first, while there is room. -1: two pairs are never apart. */
static int settle(struct fgw_bpe_vocabulary *v, uint32_t *scratch)
{
    const uint64_t buckets = fgw_bpe_pair_buckets(v->tokens);
    uint32_t *firsts = scratch, *chain = scratch + buckets;
    uint8_t *moves = part(v, v->moves); /* the bucket's size, until that is settled */
    memset(part(v, v->pairs), 0xff, v->size - v->pairs);
    memset(part(v, v->known), 0, fgw_bpe_pair_places(v->tokens) * FGW_BPE_KNOWN / 8);
    memset(firsts, 0, buckets * sizeof *firsts);
    fill_buckets(v, firsts, chain);
    for (uint64_t bucket = 0; bucket < buckets; bucket++)
        moves[bucket] = (uint8_t)chain_length(chain, firsts[bucket]);
    for (unsigned size = LARGEST; size; size--)
        for (uint64_t bucket = 0; bucket < buckets; bucket++)
            if (firsts[bucket] && moves[bucket] == size) {
                if (settle_bucket(v, chain, firsts[bucket], moves + bucket) < 0)
                    return -1;
                firsts[bucket] = 0;
            }
    return 0;
}

int fgw_bpe_pair_settle(struct fgw_bpe_vocabulary *v, uint32_t *scratch)
{
    lay_out(v);
    v->seed = 0xd6e8feb86659fd93u;
    for (unsigned tried = 0; tried < SEEDS; tried++) {
        if (settle(v, scratch) == 0)
            return 0;
        v->seed *= 0x9e3779b97f4a7c15u;
    }
    return -1;
}
