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
    v->briefs = (sizeof *v + 63) & ~UINT64_C(63);
    v->ids = v->briefs + 8 * places(v->briefs_shift);
    v->slots = v->ids + 4 * places(v->briefs_shift);
    v->splits = v->slots + 8 * places(v->slots_shift);
    v->starts = v->splits + 8 * tokens;
    v->endings = v->starts + (((tokens + 1) * 4 + 7) & ~UINT64_C(7));
    v->duets = v->endings + 8 * FGW_BPE_ENDINGS;
    v->letters = v->duets + 4 * 65536;
    v->straddles = v->letters + 4 * FGW_BPE_LETTERS_END;
    v->bytes = v->straddles + 65536 / 8;
    v->known = v->bytes + ((sizes->bytes + 63) & ~UINT64_C(63));
    v->moves = v->known + FGW_BPE_KNOWN * fgw_bpe_pair_places(tokens) / 8;
    v->pairs = v->moves + ((fgw_bpe_pair_buckets(tokens) + 63) & ~UINT64_C(63));
    v->size = v->pairs + 8 * fgw_bpe_pair_places(tokens);
}

/* Where the scratch is that only building needs. */
static uint64_t scratch(const struct fgw_bpe_vocabulary *v)
{
    return v->pairs + 8 * fgw_bpe_pair_places(v->tokens);
}

int64_t fgw_bpe_vocabulary_measure(const char *text, size_t length)
{
    struct fgw_bpe_vocabulary v;
    struct sizes sizes;
    if (count(text, length, &sizes) < 0)
        return -1;
    lay_out(&v, &sizes);
    return (int64_t)(scratch(&v) + fgw_bpe_pair_scratch(v.tokens));
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
    if (length == 1)
        v->byte_grain[bytes[0]] = fgw_bpe_grain(token, 1, bytes[0]);
    if (length == 2) {
        uint32_t *duets = part(v, v->duets);
        duets[bytes[0] << 8 | bytes[1]] = token;
    }
    if (length >= 3)
        endings[fgw_bpe_ending(bytes + length - 3)] |= UINT64_C(1) << (length < 63 ? length : 63);
    return 0;
}

static int goes_on(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

static size_t width_of(uint8_t lead)
{
    return lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* By token: the least rank of what merges with this first or last part of a character, and
 * something of the character before or behind it. */
struct unrest {
    uint32_t *before, *behind;
};

static void lower(uint32_t *least, uint32_t rank)
{
    *least = rank < *least ? rank : *least;
}

/* Notes the merge that makes `token`, if a character ends between its two parts, but one of them
 * is less than a character. */
static void note(struct fgw_bpe_vocabulary *v, struct unrest *unrest, uint32_t token)
{
    const uint32_t *starts = fgw_bpe_part(v, v->starts), *splits = fgw_bpe_part(v, v->splits);
    const uint8_t *texts = fgw_bpe_part(v, v->bytes);
    uint64_t *straddles = part(v, v->straddles);
    const uint32_t left = splits[2 * token] & FGW_BPE_TOKEN;
    const uint32_t right = splits[2 * token + 1] & FGW_BPE_TOKEN;
    const uint8_t *a = texts + starts[left], *b = texts + starts[right];
    const size_t m = starts[left + 1] - starts[left], n = starts[right + 1] - starts[right];
    const int begins = b[0] >= 0xc2 && n < width_of(b[0]);
    const int ends = m < 4 && goes_on(a[0]) && goes_on(a[m / 2]) && goes_on(a[m - 1])
                     && !goes_on(b[0]);
    if (begins)
        lower(unrest->before + right, token);
    if (ends)
        lower(unrest->behind + left, token);
    if (begins || ends)
        straddles[a[m - 1] << 2 | b[0] >> 6] |= UINT64_C(1) << (b[0] & 63);
}

/* Whether all that merges with first, or last, parts of the token comes later than those parts go
 * into it. */
static int calm(const struct fgw_bpe_vocabulary *v, const uint32_t *unrest, uint32_t token,
                unsigned side)
{
    const uint32_t *splits = fgw_bpe_part(v, v->splits);
    while (token >= 256) {
        uint32_t next = splits[2 * token + side] & FGW_BPE_TOKEN;
        if (unrest[next] <= token)
            return 0;
        token = next;
    }
    return 1;
}

/* The entry of the character b[0, width) among the letters. What is not one token is never calm
 * behind: its last byte stands alone. */
static uint32_t letter_of(const struct fgw_bpe_vocabulary *v, const struct unrest *unrest,
                          const uint8_t *b, size_t width)
{
    uint32_t tokens[4];
    const size_t n = fgw_bpe_merge(v, b, width, tokens);
    const size_t first = fgw_bpe_grain_length(tokens[0]);
    const uint32_t token = tokens[0] & FGW_BPE_TOKEN;
    if (first < 2 || first + n - 1 != width)
        return UINT32_MAX;
    return tokens[0] | (calm(v, unrest->before, token, 0) ? FGW_BPE_CALM_BEFORE : 0)
           | (n == 1 && calm(v, unrest->behind, token, 1) ? FGW_BPE_CALM_BEHIND : 0);
}

/* Fills in letters and straddles, which the splits of all tokens decide. */
static void settle_letters(struct fgw_bpe_vocabulary *v, uint32_t *scratch)
{
    uint32_t *letters = part(v, v->letters);
    struct unrest unrest = { scratch, scratch + v->tokens };
    memset(scratch, 0xff, 2 * sizeof *scratch * v->tokens);
    for (uint32_t token = 256; token < v->tokens; token++)
        note(v, &unrest, token);
    for (uint32_t code = 0x80; code < FGW_BPE_LETTERS_END; code++) {
        uint8_t two[2] = { (uint8_t)(0xc0 | code >> 6), (uint8_t)(0x80 | (code & 63)) };
        uint8_t three[3] = { (uint8_t)(0xe0 | code >> 12), (uint8_t)(0x80 | (code >> 6 & 63)),
                             two[1] };
        uint8_t four[4] = { 0xf0, 0x9f, three[1], two[1] };
        if (code - 0xd800 < 0x800)
            continue;
        letters[code] = code < 0x800     ? letter_of(v, &unrest, two, 2)
                        : code < 0x10000 ? letter_of(v, &unrest, three, 3)
                                         : letter_of(v, &unrest, four, 4);
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
    if (scratch(vocabulary) + fgw_bpe_pair_scratch(vocabulary->tokens) > room)
        return -1;
    vocabulary->kind = kind;
    uint32_t *duets = part(vocabulary, vocabulary->duets);
    for (unsigned two = 0; two < 65536; two++)
        duets[two] = FGW_BPE_APART;
    memset((char *)vocabulary + vocabulary->letters, 0xff, 4 * FGW_BPE_LETTERS_END);
    while (text < end) {
        uint32_t rank;
        int taken = line(&text, end, token, &rank);
        /* The 256 bytes come first, so that every later token can be made of them. */
        if (taken < 0 || (taken == 1) != (rank < 256)
            || enter(vocabulary, rank, token, (size_t)taken) < 0
            || fgw_bpe_pair_split(vocabulary, rank, token, (size_t)taken) < 0)
            return -1;
    }
    if (fgw_bpe_pair_settle(vocabulary, part(vocabulary, scratch(vocabulary))) < 0)
        return -1;
    settle_letters(vocabulary, part(vocabulary, scratch(vocabulary)));
    return 0;
}
