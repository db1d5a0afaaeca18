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

struct sizes {
    uint64_t tokens, briefs, bytes;
};

/* Counts tokens, which must stand in order of rank, and their bytes. */
static int count(const char *text, size_t length, struct sizes *sizes)
{
    const char *end = text + length;
    uint8_t token[FGW_BPE_TOKEN_MAX];
    *sizes = (struct sizes){ 0, 0, 0 };
    while (text < end) {
        uint32_t rank;
        int taken = line(&text, end, token, &rank);
        if (taken < 0 || rank != sizes->tokens || sizes->tokens == FGW_BPE_TOKENS_MAX - 1)
            return -1;
        sizes->tokens += 1;
        sizes->briefs += taken <= FGW_BPE_BRIEF_MAX;
        sizes->bytes += (uint64_t)taken;
    }
    return sizes->tokens < 256 || sizes->bytes >= START_MAX ? -1 : 0;
}

/* 64 - log2 of a table's places, at most four fifths of which will be taken. */
static uint32_t shift_for(uint64_t entries)
{
    uint32_t shift = 64 - 10;
    while ((UINT64_C(4) << (64 - shift)) / 5 < entries)
        shift--;
    return shift;
}

static uint64_t places(uint32_t shift)
{
    return UINT64_C(1) << (64 - shift);
}

static void lay_out(struct fgw_bpe_vocabulary *v, const struct sizes *sizes)
{
    const uint64_t tokens = sizes->tokens;
    v->tokens = (uint32_t)tokens;
    v->briefs_shift = shift_for(sizes->briefs);
    v->slots_shift = shift_for(tokens - sizes->briefs);
    v->pairs_shift = shift_for(tokens);
    v->briefs = (sizeof *v + 63) & ~UINT64_C(63);
    v->ids = v->briefs + 8 * places(v->briefs_shift);
    v->slots = v->ids + 4 * places(v->briefs_shift);
    v->pairs = v->slots + 8 * places(v->slots_shift);
    v->known = v->pairs + 8 * places(v->pairs_shift);
    v->splits = v->known + FGW_BPE_KNOWN * places(v->pairs_shift) / 8;
    v->starts = v->splits + 8 * tokens;
    v->endings = v->starts + (((tokens + 1) * 4 + 7) & ~UINT64_C(7));
    v->duets = v->endings + 8 * FGW_BPE_ENDINGS;
    v->letters = v->duets + 4 * 65536;
    v->straddles = v->letters + 4 * FGW_BPE_LETTERS_END;
    v->bytes = v->straddles + 65536 / 8;
    v->size = v->bytes + sizes->bytes;
}

int64_t fgw_bpe_vocabulary_measure(const char *text, size_t length)
{
    struct fgw_bpe_vocabulary v;
    struct sizes sizes;
    if (count(text, length, &sizes) < 0)
        return -1;
    lay_out(&v, &sizes);
    return (int64_t)v.size;
}

static void *part(struct fgw_bpe_vocabulary *v, uint64_t offset)
{
    return (char *)v + offset;
}

/* Makes the token known by its bytes. -1 where another has them. */
static int enter(struct fgw_bpe_vocabulary *v, uint32_t token, const uint8_t *bytes, size_t length)
{
    uint64_t *endings = part(v, v->endings);
    uint32_t *starts = part(v, v->starts);
    uint8_t *texts = part(v, v->bytes);
    if (fgw_bpe_find(v, bytes, length) != FGW_BPE_NONE)
        return -1;
    memcpy(texts + starts[token], bytes, length);
    starts[token + 1] = starts[token] + (uint32_t)length;
    if (length <= FGW_BPE_BRIEF_MAX) {
        uint64_t *briefs = part(v, v->briefs), brief = fgw_bpe_brief(bytes, length);
        uint32_t *ids = part(v, v->ids);
        uint64_t at = fgw_bpe_brief_place(v, brief);
        if (length == 8 && bytes[7] > FGW_BPE_BRIEF_MARK) /* looks like a shorter one */
            return -1;
        briefs[at] = brief;
        ids[at] = token;
    } else {
        uint64_t *slots = part(v, v->slots), hash = fgw_bpe_hash(bytes, length);
        uint64_t at = hash >> v->slots_shift;
        while (slots[at])
            at = (at + 1) & (places(v->slots_shift) - 1);
        slots[at] = (uint64_t)token << 46 | (uint64_t)starts[token] << 24 | (hash & 0xffff) << 8
                    | length;
    }
    if (length >= 3)
        endings[fgw_bpe_ending(bytes + length - 3)] |= UINT64_C(1) << (length < 63 ? length : 63);
    return 0;
}

/* Finds the last merge that makes the token, by the merges of lower rank. -1: there is none. */
static int split(struct fgw_bpe_vocabulary *v, uint32_t token, const uint8_t *bytes, size_t length)
{
    uint64_t *pairs = part(v, v->pairs), *known = part(v, v->known);
    uint32_t *splits = part(v, v->splits), *duets = part(v, v->duets);
    uint64_t mask = places(v->pairs_shift) - 1, at, key, bit;
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

/* The least rank of what merges with a part of a character, by that part. */
struct unrest {
    uint32_t before_one[2][256];       /* its first byte; [1]: behind a byte that is no ASCII */
    uint32_t before_two[2][16][64];    /* of three, the first two */
    uint32_t behind_one[64];           /* its last byte, */
    uint32_t behind_two[64][64];       /* its last two, */
};

static int goes_on(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

static void lower(uint32_t *least, uint32_t rank)
{
    *least = rank < *least ? rank : *least;
}

/* Notes the merge of a[0, m) and b[0, n) where a character ends between them, but one of them is
 * not whole characters. */
static void note(struct fgw_bpe_vocabulary *v, struct unrest *unrest, uint32_t rank,
                 const uint8_t *a, size_t m, const uint8_t *b, size_t n)
{
    uint64_t *straddles = part(v, v->straddles);
    const int wide = a[m - 1] >= 0x80, one = n == 1 && b[0] >= 0xc2;
    const int two = n == 2 && b[0] >= 0xe0 && b[0] < 0xf0;
    const int last = m == 1 && goes_on(a[0]) && !goes_on(b[0]);
    const int last_two = m == 2 && goes_on(a[0]) && goes_on(a[1]) && !goes_on(b[0]);
    if (one)
        lower(&unrest->before_one[wide][b[0]], rank);
    if (two)
        lower(&unrest->before_two[wide][b[0] & 15][b[1] & 63], rank);
    if (last)
        lower(&unrest->behind_one[a[0] & 63], rank);
    if (last_two)
        lower(&unrest->behind_two[a[0] & 63][a[1] & 63], rank);
    if (one || two || last || last_two)
        straddles[a[m - 1] << 2 | b[0] >> 6] |= UINT64_C(1) << (b[0] & 63);
}

/* Whether all that merges with parts of the character comes later than those parts go into it. Of
 * `b`, its 2 or 3 bytes; made last of a and b, which are its `token`. */
static uint32_t calm(const struct fgw_bpe_vocabulary *v, const struct unrest *unrest,
                     const uint8_t *b, size_t length, uint32_t token)
{
    const uint32_t *splits = fgw_bpe_part(v, v->splits);
    const uint32_t first = splits[2 * token], second = splits[2 * token + 1];
    const uint32_t first_goes = length == 3 && first >= 256 ? first : token;
    const uint32_t last_goes = length == 3 && second >= 256 ? second : token;
    const unsigned last = b[length - 1] & 63u;
    int before = 1, behind = unrest->behind_one[last] > last_goes;
    for (int wide = 0; wide < 2; wide++) {
        before &= unrest->before_one[wide][b[0]] > first_goes;
        if (length == 3 && first >= 256)
            before &= unrest->before_two[wide][b[0] & 15][b[1] & 63] > token;
    }
    if (length == 3 && second >= 256)
        behind &= unrest->behind_two[b[1] & 63][last] > token;
    return (before ? FGW_BPE_CALM_BEFORE : 0) | (behind ? FGW_BPE_CALM_BEHIND : 0);
}

/* Fills in letters and straddles, which the splits of all tokens decide. */
static void settle_letters(struct fgw_bpe_vocabulary *v)
{
    const uint32_t *starts = fgw_bpe_part(v, v->starts), *splits = fgw_bpe_part(v, v->splits);
    const uint8_t *texts = fgw_bpe_part(v, v->bytes);
    uint32_t *letters = part(v, v->letters);
    struct unrest unrest;
    memset(&unrest, 0xff, sizeof unrest);
    for (uint32_t token = 256; token < v->tokens; token++) {
        uint32_t a = splits[2 * token], b = splits[2 * token + 1];
        note(v, &unrest, token, texts + starts[a], starts[a + 1] - starts[a], texts + starts[b],
             starts[b + 1] - starts[b]);
    }
    for (uint32_t code = 0x80; code < FGW_BPE_LETTERS_END; code++) {
        uint8_t bytes[3] = { (uint8_t)(0xc0 | code >> 6), (uint8_t)(0x80 | (code & 63)), 0 };
        size_t length = 2;
        if (code >= 0x800) {
            length = 3;
            bytes[0] = (uint8_t)(0xe0 | code >> 12);
            bytes[1] = (uint8_t)(0x80 | (code >> 6 & 63));
            bytes[2] = (uint8_t)(0x80 | (code & 63));
        }
        uint32_t token = fgw_bpe_find(v, bytes, length);
        letters[code] = token == FGW_BPE_NONE ? FGW_BPE_LETTER_TOKEN
                                              : token | calm(v, &unrest, bytes, length, token);
    }
}

int fgw_bpe_vocabulary_build(struct fgw_bpe_vocabulary *vocabulary, size_t room, unsigned kind,
                             const char *text, size_t length)
{
    const char *end = text + length;
    struct sizes sizes;
    uint8_t token[FGW_BPE_TOKEN_MAX];
    if (count(text, length, &sizes) < 0 || room < sizeof *vocabulary
        || (kind != FGW_BPE_CL100K && kind != FGW_BPE_O200K))
        return -1;
    lay_out(vocabulary, &sizes);
    if (vocabulary->size > room)
        return -1;
    vocabulary->kind = kind;
    memset((char *)vocabulary + vocabulary->duets, 0xff, 4 * 65536);
    memset((char *)vocabulary + vocabulary->letters, 0xff, 4 * FGW_BPE_LETTERS_END);
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
    settle_letters(vocabulary);
    return 0;
}
