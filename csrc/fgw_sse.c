#include "fgw_sse.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum state {
    LINE = 0, /* at the first byte of a line */
    NAME,     /* in a field's name */
    COLON,    /* just after it: one space may be dropped */
    VALUE,
    AFTER_CR, /* a line has ended at a CR: a LF here belongs to it */
    MARK_1,   /* inside a byte order mark, after its first byte */
    MARK_2,
};

void fgw_sse_init(struct fgw_sse *sse) { memset(sse, 0, sizeof *sse); }

int fgw_sse_open(const struct fgw_sse *sse)
{
    return sse->lines != 0;
}

int fgw_sse_first(const struct fgw_sse *sse, const uint8_t *input, size_t length, size_t at)
{
    if (sse->inside || (sse->state != LINE && sse->state != AFTER_CR))
        return -1;
    if (sse->state == AFTER_CR && at < length && input[at] == '\n')
        at++;
    return at < length ? input[at] : -1;
}

/* The first CR or LF of [at, end), or end. */
static inline const uint8_t *line_end(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');

    while (end - at >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        int hits = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, cr),
                                                  _mm_cmpeq_epi8(block, lf)));
        if (hits)
            return at + __builtin_ctz((unsigned)hits);
        at += 16;
    }
#endif
    while (at < end && *at != '\n' && *at != '\r')
        at++;
    return at;
}

static enum fgw_split_kind field_kind(const struct fgw_sse *sse)
{
    const char *name = sse->name;

    switch (sse->name_length) {
    case 2:
        return memcmp(name, "id", 2) ? FGW_SPLIT_MORE : FGW_SPLIT_ID;
    case 4:
        return memcmp(name, "data", 4) ? FGW_SPLIT_MORE : FGW_SPLIT_DATA;
    case 5:
        if (!memcmp(name, "event", 5))
            return FGW_SPLIT_NAME;
        return memcmp(name, "retry", 5) ? FGW_SPLIT_MORE : FGW_SPLIT_RETRY;
    default:
        return FGW_SPLIT_MORE;
    }
}

/* A field's value is about to begin. Returns 1 if a JOIN has to go out first. */
static inline int begin_value(struct fgw_sse *sse, enum fgw_split_kind field)
{
    sse->field = (uint8_t)field;
    sse->fresh = 1;
    if (field != FGW_SPLIT_DATA)
        return 0;
    int join = sse->lines;
    sse->lines = 1;
    return join;
}

/* Moves past the line end at `p` (CR, LF or CRLF) and sets the state that follows. */
static inline const uint8_t *pass_line_end(struct fgw_sse *sse, const uint8_t *p,
                                           const uint8_t *end)
{
    sse->state = LINE;
    if (*p++ == '\r') {
        if (p < end && *p == '\n')
            p++;
        else if (p == end)
            sse->state = AFTER_CR;
    }
    return p;
}

/* The rest of a byte order mark: the bytes EF BB BF at the very start are skipped; anything else
 * that begins with EF is the name of a field that nobody knows. */
static const uint8_t *pass_mark(struct fgw_sse *sse, const uint8_t *p)
{
    if (sse->state == MARK_1 && *p == 0xbb) {
        sse->state = MARK_2;
        return p + 1;
    }
    if (sse->state == MARK_2 && *p == 0xbf) {
        sse->state = LINE;
        return p + 1;
    }
    sse->name[0] = '\xef';
    sse->name_length = 1;
    sse->state = NAME;
    return p;
}

/* In a name: up to the colon or the line's end. Short of both, all input is taken. */
static const uint8_t *pass_name(struct fgw_sse *sse, const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != ':' && *p != '\n' && *p != '\r') {
        if (sse->name_length < sizeof sse->name)
            sse->name[sse->name_length++] = (char)*p;
        p++;
    }
    if (p < end) {
        sse->state = *p == ':' ? COLON : VALUE; /* no colon: the value is empty */
        p += *p == ':';
    }
    return p;
}

/* At the first byte of a line that is not blank. Returns 1 if a JOIN is due. */
static inline int begin_line(struct fgw_sse *sse, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;

    sse->inside = 1;
    if (end - p > 5 && !memcmp(p, "data:", 5)) { /* nearly every line of a real stream */
        *at = p + 5 + (p[5] == ' ');
        sse->state = VALUE;
        return begin_value(sse, FGW_SPLIT_DATA);
    }
    sse->name_length = 0;
    sse->state = NAME;
    return 0;
}

/* In a value: its next piece, and past the line's end if that is in the input too. */
static inline enum fgw_split_kind next_of_value(struct fgw_sse *sse, const uint8_t **at,
                                                const uint8_t *end, struct fgw_split_piece *piece)
{
    const uint8_t *p = *at, *stop = line_end(p, end);
    enum fgw_split_kind field = (enum fgw_split_kind)sse->field;
    uint8_t fresh = sse->fresh;

    *at = stop < end ? pass_line_end(sse, stop, end) : end;
    if (field == FGW_SPLIT_MORE || (stop == p && (!fresh || stop == end)))
        return FGW_SPLIT_MORE;
    sse->fresh = 0;
    return fgw_split_set(piece, field, p, (size_t)(stop - p), fresh);
}

static inline enum fgw_split_kind end_block(struct fgw_sse *sse, struct fgw_split_piece *piece)
{
    uint8_t dispatch = sse->lines;

    sse->lines = 0;
    sse->inside = 0;
    return fgw_split_end(piece, dispatch);
}

/* One step of the automaton, with at least one byte at *at. Returns MORE if it yielded nothing. */
static inline enum fgw_split_kind step(struct fgw_sse *sse, const uint8_t **at,
                                       const uint8_t *end, struct fgw_split_piece *piece)
{
    switch (sse->state) {
    case LINE:
        if (!sse->started) {
            sse->started = 1;
            if (**at == 0xef) {
                sse->state = MARK_1;
                sse->inside = 1;
                ++*at;
                break;
            }
        }
        if (**at == '\n' || **at == '\r') {
            *at = pass_line_end(sse, *at, end);
            return end_block(sse, piece);
        }
        if (begin_line(sse, at, end))
            return fgw_split_set(piece, FGW_SPLIT_JOIN, NULL, 0, 0);
        break;
    case NAME:
        *at = pass_name(sse, *at, end);
        if (sse->state != NAME && begin_value(sse, field_kind(sse)))
            return fgw_split_set(piece, FGW_SPLIT_JOIN, NULL, 0, 0);
        break;
    case COLON:
        *at += **at == ' ';
        sse->state = VALUE;
        break;
    case VALUE:
        return next_of_value(sse, at, end, piece);
    case AFTER_CR:
        *at += **at == '\n';
        sse->state = LINE;
        break;
    default:
        *at = pass_mark(sse, *at);
    }
    return FGW_SPLIT_MORE;
}

enum fgw_split_kind fgw_sse_next(struct fgw_sse *sse, const uint8_t *input, size_t length,
                                 size_t *at, struct fgw_split_piece *piece)
{
    const uint8_t *p = input + *at, *end = input + length;
    enum fgw_split_kind kind = FGW_SPLIT_MORE;

    while (kind == FGW_SPLIT_MORE && p < end)
        kind = step(sse, &p, end, piece);
    *at = (size_t)(p - input);
    return kind;
}
