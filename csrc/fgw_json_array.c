#include "fgw_json_array.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum state {
    BETWEEN = 0, /* elements: white space, commas, the array's own brackets */
    INSIDE,      /* an element that is an object or an array, outside its strings */
    STRING,
    ESCAPE, /* after a backslash in a string */
    SCALAR, /* an element of another kind, which ends where it is followed */
    ENDED,  /* the element is over, its END is due */
};

void fgw_json_array_init(struct fgw_json_array *array) { memset(array, 0, sizeof *array); }

int fgw_json_array_open(const struct fgw_json_array *array) { return array->state != BETWEEN; }

static inline int is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The first quote or backslash of [p, end), or end. */
static inline const uint8_t *string_end(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');

    while (end - p >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
        int hits = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, quote),
                                                  _mm_cmpeq_epi8(block, backslash)));
        if (hits)
            return p + __builtin_ctz((unsigned)hits);
        p += 16;
    }
#endif
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* The first byte of [p, end) that means something outside strings, or end. */
static inline const uint8_t *structure(const uint8_t *p, const uint8_t *end)
{
    /* 0x20 is all that tells `[` from `{` and `]` from `}`, and no other byte becomes one. */
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}')
        p++;
    return p;
}

/* Inside an object or an array: to its end or the input's. */
static const uint8_t *pass_element(struct fgw_json_array *array, const uint8_t *p,
                                   const uint8_t *end)
{
    while (p < end && array->state != ENDED) {
        if (array->state == ESCAPE) {
            array->state = STRING;
            p++;
        } else if (array->state == STRING) {
            p = string_end(p, end);
            if (p < end)
                array->state = *p++ == '"' ? (array->depth ? INSIDE : ENDED) : ESCAPE;
        } else {
            p = structure(p, end);
            if (p == end)
                break;
            if (*p == '"')
                array->state = STRING;
            else if ((*p | 0x20) == '{')
                array->depth += array->depth < UINT32_MAX;
            else if (--array->depth == 0)
                array->state = ENDED;
            p++;
        }
    }
    return p;
}

static const uint8_t *pass_scalar(struct fgw_json_array *array, const uint8_t *p,
                                  const uint8_t *end)
{
    while (p < end && !is_space(*p) && *p != ',' && *p != ']')
        p++;
    if (p < end)
        array->state = ENDED;
    return p;
}

/* Between elements. Returns where an element begins or the array closes, or `end`. */
static const uint8_t *pass_between(struct fgw_json_array *array, const uint8_t *p,
                                   const uint8_t *end)
{
    for (; p < end; p++) {
        if (*p == '[' && !array->opened)
            array->opened = 1;
        else if (!is_space(*p) && *p != ',')
            break;
    }
    return p;
}

/* An element begins with `byte`, which no piece has yet. */
static void begin(struct fgw_json_array *array, uint8_t byte)
{
    array->depth = 0;
    array->state = byte == '"' || (byte | 0x20) == '{' ? INSIDE : SCALAR;
}

enum fgw_split_kind fgw_json_array_next(struct fgw_json_array *array, const uint8_t *input,
                                        size_t length, size_t *at, struct fgw_split_piece *piece)
{
    const uint8_t *p = input + *at, *end = input + length;
    uint8_t fresh = 0;

    if (array->state == BETWEEN) {
        p = pass_between(array, p, end);
        *at = (size_t)(p - input);
        if (p == end)
            return FGW_SPLIT_MORE;
        if (*p == ']' && array->opened && !array->closed) {
            array->closed = 1;
            ++*at;
            return fgw_split_end(piece, 0);
        }
        begin(array, *p);
        fresh = 1;
    }
    const uint8_t *from = p;
    if (array->state == SCALAR)
        p = pass_scalar(array, p + fresh, end);
    else
        p = pass_element(array, p, end);
    *at = (size_t)(p - input);
    if (p > from)
        return fgw_split_set(piece, FGW_SPLIT_DATA, from, (size_t)(p - from), fresh);
    if (array->state != ENDED)
        return FGW_SPLIT_MORE;
    array->state = BETWEEN;
    return fgw_split_end(piece, 1);
}
