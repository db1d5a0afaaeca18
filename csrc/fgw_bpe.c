/* fgw_bpe.c - slices of a text to whole characters, to pieces, to a count. */
#include "fgw_bpe.h"

#include "fgw_bpe_long.h"
#include "fgw_bpe_word.h"

static const uint8_t REPLACEMENT[3] = { 0xef, 0xbf, 0xbd };

/* Bytes of the character that begins with this one; 0: none does. */
static inline unsigned width_of(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Whether `byte` may be the second one behind `lead`: no long forms, no surrogates, nothing beyond
 * U+10FFFF. Later ones are only to be 80 to BF. */
static inline int second_fits(uint8_t lead, uint8_t byte)
{
    unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return byte >= low && byte <= high;
}

/* Bytes at p, of at most n, that are a character or its beginning. 0: not even the first. */
static unsigned fitting(const uint8_t *p, size_t n)
{
    unsigned width = width_of(p[0]), have = 1;
    if (width < 2)
        return width;
    if (n > 1 && second_fits(p[0], p[1]))
        for (have = 2; have < width && have < n && (p[have] & 0xc0) == 0x80; have++)
            ;
    return have;
}

/* Bytes at the beginning of these eight that are sure to be whole characters of 1, 2 or 3 bytes,
 * all alike: 8, 6 or 0. */
static inline size_t alike(uint64_t eight)
{
    const uint64_t leads = eight & 0x001e001e001e001eu;
    const unsigned first = (unsigned)eight & 0xff, second = (unsigned)(eight >> 24) & 0xff;
    if (!(eight & 0x8080808080808080u))
        return 8;
    if ((eight & 0xc0e0c0e0c0e0c0e0u) == 0x80c080c080c080c0u) /* no C0, no C1 */
        return (((leads + 0x001e001e001e001eu) & 0x0020002000200020u) == 0x0020002000200020u) * 8u;
    if ((eight & 0x0000c0c0f0c0c0f0u) == 0x00008080e08080e0u)
        return (first != 0xe0 && first != 0xed && second != 0xe0 && second != 0xed) * 6u;
    return 0;
}

/* Bytes of p[0, n) that are whole characters. */
static size_t whole_characters(const uint8_t *p, size_t n)
{
    size_t at = 0;
    for (;;) {
        for (size_t taken; n - at >= 8 && (taken = alike(fgw_bpe_word64(p + at))) > 0; at += taken)
            ;
        if (at == n)
            return n;
        unsigned width = width_of(p[at]);
        if (width != 1 && (width == 0 || fitting(p + at, n - at) < width))
            return at;
        at += width;
    }
}

/* Fills the tail up with whole characters of p[0, n). Returns how many bytes that were. */
static size_t fill_tail(struct fgw_bpe_count *counter, const uint8_t *p, size_t n)
{
    size_t room = FGW_BPE_TAIL - counter->tail_length, taken = n;
    if (taken > room)
        for (taken = room; taken && (p[taken] & 0xc0) == 0x80; taken--)
            ;
    memcpy(counter->tail + counter->tail_length, p, taken);
    counter->tail_length = (uint16_t)(counter->tail_length + taken);
    return taken;
}

/* Takes the first `length` bytes off the tail. */
static void drop_tail(struct fgw_bpe_count *counter, size_t length)
{
    counter->tail_length = (uint16_t)(counter->tail_length - length);
    memmove(counter->tail, counter->tail + length, counter->tail_length);
}

/* The tail, which did not hold a whole piece, goes on with p[0, n). Returns how much was taken. */
static size_t feed_tail(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                        const uint8_t *p, size_t n)
{
    const size_t before = counter->tail_length, taken = fill_tail(counter, p, n);
    struct fgw_bpe_open open;
    size_t at = 0, length;
    while ((length = fgw_bpe_piece(v->kind, counter->tail + at, counter->tail_length - at, 0,
                                   &open)) > 0) {
        counter->pieces += fgw_bpe_piece_tokens(v, counter->tail + at, length);
        at += length;
        if (at >= before) { /* the rest of the tail is in p too */
            counter->tail_length = 0;
            return at - before;
        }
    }
    if (at == 0 && taken < n) { /* full, and no end in sight */
        fgw_bpe_long_start(counter, v, &open, counter->tail);
        at = open.body;
    }
    drop_tail(counter, at);
    return taken;
}

/* Where words that are no token of 8 bytes stood in this slice, by their hash. A text repeats its
 * words, and here they are in the cache that is near. */
#define RECENT 2048
#define RECENT_LENGTH 48
#define RECENT_WORTH 2048 /* bytes of a slice */

struct recent {
    uint32_t at;
    uint16_t length; /* 0: none */
    uint16_t tokens;
};

static uint64_t recent_tokens(const struct fgw_bpe_vocabulary *v, struct recent *recent,
                              const uint8_t *p, size_t at, size_t length)
{
    if (recent == NULL || length > RECENT_LENGTH || at > UINT32_MAX)
        return fgw_bpe_piece_tokens(v, p + at, length);
    struct recent *place = recent + (fgw_bpe_hash(p + at, length) >> 32) % RECENT;
    if (place->length != length || !fgw_bpe_equal(p + place->at, p + at, length)) {
        place->tokens = (uint16_t)fgw_bpe_piece_tokens(v, p + at, length);
        place->at = (uint32_t)at;
        place->length = (uint16_t)length;
    }
    return place->tokens;
}

/* Tokens of the piece of `length` bytes at p + at. */
static inline uint64_t tokens_of(const struct fgw_bpe_vocabulary *v, struct recent *recent,
                                 const uint8_t *p, size_t at, size_t length, uint64_t brief)
{
    if (length <= FGW_BPE_BRIEF_MAX && fgw_bpe_is_brief(v, brief))
        return 1;
    return recent_tokens(v, recent, p, at, length);
}

/* Counts what is whole pieces of p[0, n). Returns its length; `open` then says what follows. */
static inline size_t whole_pieces(unsigned kind, const struct fgw_bpe_vocabulary *v,
                                  struct recent *recent, const uint8_t *p, size_t n,
                                  uint64_t *tokens, struct fgw_bpe_open *open)
{
    size_t at = 0, length;
    while (at < n) {
        uint64_t brief = 0;
        if (n - at >= FGW_BPE_WORD_ROOM
            && (length = fgw_bpe_word(kind, p + at, n - at, &brief)) > 0)
            ;
        else if ((length = fgw_bpe_piece(kind, p + at, n - at, 0, open)) == 0)
            break;
        else if (length <= FGW_BPE_BRIEF_MAX)
            brief = fgw_bpe_brief(p + at, length);
        *tokens += tokens_of(v, recent, p, at, length, brief);
        at += length;
    }
    return at;
}

/* Takes all of p, at the beginning of a piece. */
static size_t feed_pieces(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                          const uint8_t *p, size_t n)
{
    struct recent places[RECENT], *recent = NULL;
    struct fgw_bpe_open open;
    uint64_t tokens = 0;
    if (n >= RECENT_WORTH) {
        memset(places, 0, sizeof places);
        recent = places;
    }
    /* Twice, so that each has only its own branches. */
    size_t at = v->kind == FGW_BPE_O200K
                    ? whole_pieces(FGW_BPE_O200K, v, recent, p, n, &tokens, &open)
                    : whole_pieces(FGW_BPE_CL100K, v, recent, p, n, &tokens, &open);
    counter->pieces += tokens;
    if (n - at > FGW_BPE_TAIL) {
        fgw_bpe_long_start(counter, v, &open, p + at);
        at += open.body;
    }
    fill_tail(counter, p + at, n - at);
    return n;
}

/* A long piece goes on with the tail, if it has a look ahead, and then p[0, n). */
static size_t feed_long(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                        const uint8_t *p, size_t n)
{
    size_t used = 0;
    if (counter->tail_length == 0) {
        used = fgw_bpe_long_feed(counter, v, p, n);
        if (counter->state == FGW_BPE_ENDED)
            used += fill_tail(counter, p + used, n - used);
        return used;
    }
    while (used < n && counter->state != FGW_BPE_BRIEF) {
        used += fill_tail(counter, p + used, width_of(p[used]));
        drop_tail(counter,
                  fgw_bpe_long_feed(counter, v, counter->tail, counter->tail_length));
    }
    return used;
}

/* Takes whole characters. */
static void feed_characters(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                            const uint8_t *p, size_t n)
{
    while (n) {
        size_t used = counter->state ? feed_long(counter, v, p, n)
                      : counter->tail_length ? feed_tail(counter, v, p, n)
                                             : feed_pieces(counter, v, p, n);
        p += used;
        n -= used;
    }
}

/* Goes on with a character that was cut. Returns how much of p was taken. */
static size_t feed_partial(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *v,
                           const uint8_t *p, size_t n)
{
    uint8_t character[4];
    size_t used = 0;
    while (used < n && counter->partial_length) {
        unsigned have = counter->partial_length;
        memcpy(character, counter->partial, have);
        character[have] = p[used];
        if (fitting(character, have + 1) <= have) { /* the byte begins something else */
            counter->partial_length = 0;
            feed_characters(counter, v, REPLACEMENT, sizeof REPLACEMENT);
        } else if (have + 1 == width_of(character[0])) {
            used++;
            counter->partial_length = 0;
            feed_characters(counter, v, character, have + 1);
        } else {
            counter->partial[counter->partial_length++] = p[used++];
        }
    }
    return used;
}

void fgw_bpe_start(struct fgw_bpe_count *counter)
{
    memset(counter, 0, offsetof(struct fgw_bpe_count, tail));
}

void fgw_bpe_feed(struct fgw_bpe_count *counter, const struct fgw_bpe_vocabulary *vocabulary,
                  const uint8_t *bytes, size_t length)
{
    size_t at = feed_partial(counter, vocabulary, bytes, length);
    while (at < length) {
        size_t whole = whole_characters(bytes + at, length - at);
        feed_characters(counter, vocabulary, bytes + at, whole);
        at += whole;
        if (at == length)
            return;
        unsigned have = fitting(bytes + at, length - at);
        if (have == length - at) { /* nothing wrong with it but that it is cut */
            memcpy(counter->partial, bytes + at, have);
            counter->partial_length = (uint8_t)have;
            return;
        }
        feed_characters(counter, vocabulary, REPLACEMENT, sizeof REPLACEMENT);
        at += have ? have : 1;
    }
}

uint64_t fgw_bpe_tokens(const struct fgw_bpe_count *counter)
{
    if (counter->state)
        return counter->pieces + fgw_bpe_long_least(counter);
    return counter->pieces + (counter->tail_length || counter->partial_length);
}

uint64_t fgw_bpe_now(const struct fgw_bpe_count *counter,
                     const struct fgw_bpe_vocabulary *vocabulary)
{
    struct fgw_bpe_count copy;
    memcpy(&copy, counter, counter->state ? sizeof copy : offsetof(struct fgw_bpe_count, whole));
    return fgw_bpe_finish(&copy, vocabulary);
}

uint64_t fgw_bpe_finish(struct fgw_bpe_count *counter,
                        const struct fgw_bpe_vocabulary *vocabulary)
{
    struct fgw_bpe_open open;
    size_t at = 0;
    if (counter->partial_length) {
        counter->partial_length = 0;
        feed_characters(counter, vocabulary, REPLACEMENT, sizeof REPLACEMENT);
    }
    if (counter->state)
        at = fgw_bpe_long_end(counter, vocabulary, counter->tail, counter->tail_length);
    while (at < counter->tail_length) {
        size_t length = fgw_bpe_piece(vocabulary->kind, counter->tail + at,
                                      counter->tail_length - at, 1, &open);
        counter->pieces += fgw_bpe_piece_tokens(vocabulary, counter->tail + at, length);
        at += length;
    }
    counter->tail_length = 0;
    return counter->pieces;
}
