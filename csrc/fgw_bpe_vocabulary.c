/* fgw_bpe_vocabulary.c - a vocabulary from the text that tiktoken publishes. */
#include "fgw_bpe_vocabulary.h"

#include "fgw_bpe_merge.h"

#define START_MAX (1u << 22)

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Reads `base64 SP rank LF` at *p. Returns the number of bytes put to `out` (FGW_BPE_TOKEN_MAX at
 * most), or -1. */
static int line(const char **p, const char *end, uint8_t *out, uint32_t *rank)
{
    const char *c = *p;
    uint32_t bits = 0;
    unsigned have = 0, length = 0, digits = 0;
    uint64_t number = 0;
    for (int six; c < end && (six = sextet(*c)) >= 0; c++) {
        bits = bits << 6 | (uint32_t)six;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (length == FGW_BPE_TOKEN_MAX)
                return -1;
            out[length++] = (uint8_t)(bits >> have);
        }
    }
    while (c < end && *c == '=')
        c++;
    if (length == 0 || c == end || *c++ != ' ')
        return -1;
    for (; c < end && *c >= '0' && *c <= '9' && digits < 9; c++, digits++)
        number = number * 10 + (uint64_t)(*c - '0');
    if (digits == 0 || (c < end && *c++ != '\n'))
        return -1;
    *rank = (uint32_t)number;
    *p = c;
    return (int)length;
}

/* Counts tokens, which must stand in order of rank, and their bytes. */
static int count(const char *text, size_t length, uint64_t *tokens, uint64_t *bytes)
{
    const char *end = text + length;
    uint8_t token[FGW_BPE_TOKEN_MAX];
    *tokens = *bytes = 0;
    while (text < end) {
        uint32_t rank;
        int taken = line(&text, end, token, &rank);
        if (taken < 0 || rank != *tokens || *tokens == FGW_BPE_TOKENS_MAX - 1)
            return -1;
        *tokens += 1;
        *bytes += (uint64_t)taken;
    }
    return *tokens < 256 || *bytes >= START_MAX ? -1 : 0;
}

static void lay_out(struct fgw_bpe_vocabulary *v, uint64_t tokens, uint64_t bytes)
{
    uint64_t slots = 1024;
    v->slots_shift = 64 - 10;
    while (slots < 2 * tokens) {
        slots *= 2;
        v->slots_shift--;
    }
    v->tokens = (uint32_t)tokens;
    v->slots = (sizeof *v + 63) & ~UINT64_C(63);
    v->pairs = v->slots + 8 * slots;
    v->known = v->pairs + 8 * slots;
    v->splits = v->known + slots / 2;
    v->starts = v->splits + 8 * tokens;
    v->endings = v->starts + (((tokens + 1) * 4 + 7) & ~UINT64_C(7));
    v->duets = v->endings + 8 * FGW_BPE_ENDINGS;
    v->bytes = v->duets + 4 * 65536;
    v->size = v->bytes + bytes;
}

int64_t fgw_bpe_vocabulary_measure(const char *text, size_t length)
{
    struct fgw_bpe_vocabulary v;
    uint64_t tokens, bytes;
    if (count(text, length, &tokens, &bytes) < 0)
        return -1;
    lay_out(&v, tokens, bytes);
    return (int64_t)v.size;
}

/* Makes the token known by its bytes. -1 where another has them. */
static int enter(struct fgw_bpe_vocabulary *v, uint32_t token, const uint8_t *bytes, size_t length)
{
    uint64_t *slots = (uint64_t *)(void *)((char *)v + v->slots);
    uint64_t *endings = (uint64_t *)(void *)((char *)v + v->endings);
    uint32_t *starts = (uint32_t *)(void *)((char *)v + v->starts);
    uint8_t *texts = (uint8_t *)v + v->bytes;
    uint64_t hash = fgw_bpe_hash(bytes, length), at = hash >> v->slots_shift;
    uint64_t mask = (UINT64_C(1) << (64 - v->slots_shift)) - 1;
    if (fgw_bpe_find(v, bytes, length) != FGW_BPE_NONE)
        return -1;
    while (slots[at])
        at = (at + 1) & mask;
    memcpy(texts + starts[token], bytes, length);
    starts[token + 1] = starts[token] + (uint32_t)length;
    slots[at] = (uint64_t)token << 46 | (uint64_t)starts[token] << 24 | (hash & 0xffff) << 8
                | length;
    if (length >= 3)
        endings[fgw_bpe_ending(bytes + length - 3)] |= UINT64_C(1) << (length < 63 ? length : 63);
    return 0;
}

/* Finds the last merge that makes the token, by the merges of lower rank. -1: there is none. */
static int split(struct fgw_bpe_vocabulary *v, uint32_t token, const uint8_t *bytes, size_t length)
{
    uint64_t *pairs = (uint64_t *)(void *)((char *)v + v->pairs);
    uint64_t *known = (uint64_t *)(void *)((char *)v + v->known);
    uint32_t *splits = (uint32_t *)(void *)((char *)v + v->splits);
    uint32_t *duets = (uint32_t *)(void *)((char *)v + v->duets);
    uint64_t mask = (UINT64_C(1) << (64 - v->slots_shift)) - 1, at, key, bit;
    uint32_t parts[FGW_BPE_TOKEN_MAX];
    if (length == 1) {
        splits[2 * token] = splits[2 * token + 1] = token;
        v->byte_token[bytes[0]] = token;
        return token < 256 ? 0 : -1;
    }
    if (fgw_bpe_merge(v, bytes, length, parts) != 2)
        return -1;
    splits[2 * token] = parts[0];
    splits[2 * token + 1] = parts[1];
    key = (uint64_t)parts[0] << 18 | parts[1];
    for (at = fgw_bpe_pair_at(v, key); pairs[at]; at = (at + 1) & mask)
        ;
    pairs[at] = key << 28 | token;
    bit = fgw_bpe_known_bit(v, key);
    known[bit >> 6] |= UINT64_C(1) << (bit & 63);
    if (length == 2)
        duets[bytes[0] << 8 | bytes[1]] = token;
    return 0;
}

int fgw_bpe_vocabulary_build(struct fgw_bpe_vocabulary *vocabulary, size_t room, unsigned kind,
                             const char *text, size_t length)
{
    const char *end = text + length;
    uint64_t tokens, bytes;
    uint8_t token[FGW_BPE_TOKEN_MAX];
    if (count(text, length, &tokens, &bytes) < 0 || room < sizeof *vocabulary
        || (kind != FGW_BPE_CL100K && kind != FGW_BPE_O200K))
        return -1;
    lay_out(vocabulary, tokens, bytes);
    if (vocabulary->size > room)
        return -1;
    vocabulary->kind = kind;
    memset((char *)vocabulary + vocabulary->duets, 0xff, 4 * 65536);
    memset(vocabulary->byte_token, 0xff, sizeof vocabulary->byte_token);
    while (text < end) {
        uint32_t rank;
        int taken = line(&text, end, token, &rank);
        /* The 256 bytes come first, so that every later token can be made of them. */
        if (taken < 0 || (taken == 1) != (rank < 256)
            || enter(vocabulary, rank, token, (size_t)taken) < 0
            || split(vocabulary, rank, token, (size_t)taken) < 0)
            return -1;
    }
    return 0;
}
