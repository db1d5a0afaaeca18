/* fgw_bpe_run.c - long pieces: by windows, or by the last token of every prefix. */
#include "fgw_bpe_run.h"

#define UNLIKELY 16   /* bytes of text in letters of three bytes that hardly are one token */
#define WINDOW 96     /* bytes of a window, at first */
#define GIVEN_UP 16   /* bytes at its end whose tokens are encoded once more */
#define STEPS_BACK 8  /* tokens that a window begins earlier, at most */
#define LEAP 1024     /* bytes at the beginning of a run that are worth windows */
#define LEAP_REST 192 /* bytes at the end of them that are not */

/* The encoding of p[0, n) as far as it is known: up to `at`, with so many tokens, the last of
 * them. */
struct chain {
    size_t at;
    uint64_t tokens;
    uint32_t last; /* FGW_BPE_NONE: none yet */
};

/* Takes the first `kept` of a window's tokens into the chain. */
static void keep(struct chain *chain, const uint32_t *tokens, size_t kept)
{
    for (size_t i = 0; i < kept; i++)
        chain->at += fgw_bpe_grain_length(tokens[i]);
    chain->tokens += kept;
    chain->last = tokens[kept - 1];
}

/* How many of a window's tokens end before its last GIVEN_UP bytes. */
static size_t lasting(const uint32_t *tokens, size_t n, size_t window)
{
    size_t kept = 0, end = 0;
    while (kept < n && (end += fgw_bpe_grain_length(tokens[kept])) + GIVEN_UP <= window)
        kept++;
    return kept;
}

static size_t longer(size_t window)
{
    return 2 * window < FGW_BPE_SHORT ? 2 * window : FGW_BPE_SHORT;
}

/* Encodes p[0, n) by windows: whole, or to some token's end behind `enough`. 0 where the windows
 * do not fit together; 1. */
static int encode(struct chain *chain, const struct fgw_bpe_vocabulary *v, const uint8_t *p,
                  size_t n, size_t enough)
{
    uint32_t tokens[2][FGW_BPE_SHORT];
    size_t window = WINDOW, kept = 0, back = 0;
    unsigned now = 0;
    struct chain before = { 0, 0, FGW_BPE_NONE }; /* the last window */
    *chain = before;
    while (chain->at < enough) {
        size_t there = n - chain->at, length = there < window ? there : window;
        size_t found = fgw_bpe_merge(v, p + chain->at, length, tokens[now]);
        if (chain->at && !fgw_bpe_neighbours(v, chain->last, tokens[now][0])) {
            if (kept < 2 || ++back > STEPS_BACK) {
                if (window == FGW_BPE_SHORT)
                    return 0;
                window = longer(window); /* which sees more of what decides */
                *chain = before;
                kept = back = 0;
                continue;
            }
            chain->at -= fgw_bpe_grain_length(tokens[!now][--kept]);
            chain->tokens--;
            chain->last = tokens[!now][kept - 1];
            continue;
        }
        size_t lasts = length == there ? found : lasting(tokens[now], found, length);
        if (lasts == 0) { /* long tokens: FGW_BPE_SHORT bytes are two at least */
            window = longer(window);
            continue;
        }
        kept = lasts;
        before = *chain;
        keep(chain, tokens[now], kept);
        now = !now;
        back = 0;
    }
    return 1;
}

void fgw_bpe_run_start(struct fgw_bpe_run *run)
{
    run->length = 0;
    run->filled = 0;
    run->count[0] = 0;
}

/* Whether the last `length` bytes, up to `end`, are the last token; then notes it. */
static int ends_with(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v,
                     const uint8_t *end, size_t length)
{
    uint32_t token = fgw_bpe_find(v, end - length, length);
    uint64_t before = run->length - length;
    if (token == FGW_BPE_NONE)
        return 0;
    token = fgw_bpe_grain(token, length, end[-(ptrdiff_t)length]);
    if (before) {
        uint32_t left = run->last[before % FGW_BPE_TOKEN_MAX];
        if (left == FGW_BPE_NONE || !fgw_bpe_neighbours(v, left, token))
            return 0;
    }
    /* Before the write: a token as long as the ring stands on the place that it is read from. */
    uint32_t tokens = run->count[before % FGW_BPE_TOKEN_MAX] + 1;
    run->last[run->length % FGW_BPE_TOKEN_MAX] = token;
    run->count[run->length % FGW_BPE_TOKEN_MAX] = tokens;
    return 1;
}

/* One more byte. That no token can be last happens only behind a leap: the encoding of this prefix
 * does not end a token where that ended; its place says FGW_BPE_NONE. */
static void step(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v, uint8_t byte)
{
    if (run->filled == sizeof run->bytes) {
        run->filled = FGW_BPE_TOKEN_MAX;
        memcpy(run->bytes, run->bytes + FGW_BPE_TOKEN_MAX, FGW_BPE_TOKEN_MAX);
    }
    run->bytes[run->filled++] = byte;
    run->length++;
    const uint8_t *end = run->bytes + run->filled;
    size_t longest = run->length < FGW_BPE_TOKEN_MAX ? (size_t)run->length : FGW_BPE_TOKEN_MAX;
    uint32_t last = run->length > 1 ? run->last[(run->length - 1) % FGW_BPE_TOKEN_MAX]
                                    : FGW_BPE_NONE;
    if (last != FGW_BPE_NONE) { /* most often it has grown by this byte */
        size_t grown = fgw_bpe_grain_length(last) + 1;
        if (grown <= longest && ends_with(run, v, end, grown))
            return;
    }
    if (longest >= 3) {
        const uint64_t *endings = fgw_bpe_part(v, v->endings);
        uint64_t lengths = endings[fgw_bpe_ending(end - 3)];
        if (lengths >> 63)
            for (size_t length = longest; length >= 63; length--)
                if (ends_with(run, v, end, length))
                    return;
        lengths &= ~(UINT64_C(1) << 63);
        while (lengths) {
            size_t length = 63 - (size_t)__builtin_clzll(lengths);
            if (length <= longest && ends_with(run, v, end, length))
                return;
            lengths &= ~(UINT64_C(1) << length);
        }
    }
    if (longest >= 2 && ends_with(run, v, end, 2))
        return;
    if (!ends_with(run, v, end, 1))
        run->last[run->length % FGW_BPE_TOKEN_MAX] = FGW_BPE_NONE;
}

/* Begins a run with a long text: its encoding by windows up to a token's end before the last
 * bytes, then these, step by step. That is the run as if all had gone through it if of the last
 * FGW_BPE_TOKEN_MAX prefixes the encoding is known. Returns 0 where it is not, and the run is
 * empty. */
static int leap(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                size_t length)
{
    struct chain chain;
    if (!encode(&chain, v, bytes, length, length - LEAP_REST - 2 * FGW_BPE_TOKEN_MAX))
        return 0;
    memset(run->last, 0xff, sizeof run->last);
    run->length = chain.at;
    run->last[chain.at % FGW_BPE_TOKEN_MAX] = chain.last;
    run->count[chain.at % FGW_BPE_TOKEN_MAX] = (uint32_t)chain.tokens;
    run->filled = FGW_BPE_TOKEN_MAX;
    memcpy(run->bytes, bytes + chain.at - FGW_BPE_TOKEN_MAX, FGW_BPE_TOKEN_MAX);
    for (size_t at = chain.at; at < length; at++)
        step(run, v, bytes[at]);
    for (size_t i = 0; i < FGW_BPE_TOKEN_MAX; i++)
        if (run->last[i] == FGW_BPE_NONE) {
            fgw_bpe_run_start(run);
            return 0;
        }
    return 1;
}

void fgw_bpe_run_feed(struct fgw_bpe_run *run, const struct fgw_bpe_vocabulary *v,
                      const uint8_t *bytes, size_t length)
{
    if (run->length == 0 && length >= LEAP && leap(run, v, bytes, length))
        return;
    for (size_t i = 0; i < length; i++)
        step(run, v, bytes[i]);
}

uint32_t fgw_bpe_run_least(const struct fgw_bpe_run *run)
{
    /* The whole ends here, or a token that goes on from here began behind one of the prefixes. */
    uint32_t least = fgw_bpe_run_tokens(run);
    for (uint64_t back = 1; back < FGW_BPE_TOKEN_MAX && back <= run->length; back++) {
        uint32_t then = run->count[(run->length - back) % FGW_BPE_TOKEN_MAX] + 1;
        if (then < least)
            least = then;
    }
    return least;
}

uint64_t fgw_bpe_piece_tokens(const struct fgw_bpe_vocabulary *v, const uint8_t *bytes,
                              size_t length)
{
    if (length <= 2) {
        const uint32_t *duets = fgw_bpe_part(v, v->duets);
        return length == 1 || duets[bytes[0] << 8 | bytes[1]] != FGW_BPE_APART ? 1 : 2;
    }
    /* Merging finds that too; of long ones in other letters few are one token. */
    if ((length < UNLIKELY || bytes[1] < 0xe0) && fgw_bpe_find(v, bytes, length) != FGW_BPE_NONE)
        return 1;
    if (length <= WINDOW + GIVEN_UP)
        return fgw_bpe_merge_count(v, bytes, length);
    struct chain chain;
    if (encode(&chain, v, bytes, length, length))
        return chain.tokens;
    struct fgw_bpe_run run;
    fgw_bpe_run_start(&run);
    fgw_bpe_run_feed(&run, v, bytes, length);
    return fgw_bpe_run_tokens(&run);
}
