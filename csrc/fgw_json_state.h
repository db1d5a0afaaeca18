/* fgw_json_state.h - what the parts of the JSON scan share; not for callers.
 *
 *     fgw_json.c         structure: containers, keys, white space, words
 *     fgw_json_fast.c    the same, for what lies whole in one piece
 *     fgw_json_node.h    what the spec wants of values and members
 *     fgw_json_string.c  inside strings: escapes, UTF-8, where the bytes go
 *     fgw_json_number.c  inside numbers
 *
 * Every part takes [p, end), moves json->state on and returns where it stopped, or NULL.
 */
#ifndef FGW_JSON_STATE_H
#define FGW_JSON_STATE_H

#include "fgw_json.h"

/* Small, and run for every member: where the compiler counts only callers, it leaves them out. */
#define FGW_JSON_INLINE __attribute__((always_inline)) static inline

enum state {
    VALUE = 0,      /* a value must begin */
    FIRST_ELEMENT,  /* just after `[`: a value or `]` */
    FIRST_KEY,      /* just after `{`: a key or `}` */
    KEY,            /* after a comma: a key */
    COLON,
    AFTER,          /* after a value inside a container */
    DONE,           /* after the outermost value: white space only */
    SKIP,           /* in a container that lies too deep, */
    SKIP_STRING,
    SKIP_ESCAPE,
    STRING,
    ESCAPE,         /* after a backslash */
    HEX,            /* in the four digits of \u */
    LOW_BACKSLASH,  /* a high surrogate was read: `\` of the low one must follow, */
    LOW_U,          /* then its `u` */
    CONTINUATION,   /* inside a UTF-8 sequence that the cut of a piece broke */
    WORD_TRUE,
    WORD_FALSE,
    WORD_NULL,
    WORD_NAN,       /* of lenient specs, */
    WORD_INFINITY,  /* also behind a minus */
    MINUS,
    ZERO,
    INTEGER,
    POINT,
    FRACTION,
    EXPONENT,
    EXPONENT_SIGN,
    EXPONENT_DIGITS,
    INVALID,
};

enum sink { SINK_KEY = 1, SINK_SLOT = 2, SINK_HEAD = 4, SINK_EAR = 8 };

static inline const uint8_t *fail(struct fgw_json *json, enum fgw_json_error error)
{
    json->error = (uint8_t)error;
    json->state = INVALID;
    return NULL;
}

static inline uint64_t offset_of(const struct fgw_json *json, const uint8_t *p)
{
    return json->origin + (uint64_t)(uintptr_t)p;
}

static inline const struct fgw_json_node *node_of(const struct fgw_json *json)
{
    return &json->spec->nodes[json->node];
}

#endif
