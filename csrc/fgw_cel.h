/* fgw_cel.h - the machine of the CEL language: programs, their verifier, one run.
 *
 * A program is one relocatable block of bytes, 8-aligned: nothing in it is an address, so that a
 * compiled policy can be one sealed file, mapped anywhere, by any number of processes.
 *
 *     0                    32                          constants            text            size
 *     | fgw_cel_program     | instructions, 8 bytes     | 16 bytes each      | bytes          |
 *
 * Its instructions work on a stack of values (struct fgw_value, 24 bytes), on slots (variables of
 * comprehensions and of cel.bind) and on the facts of one request. Jumps go forward; only LOOP
 * goes back, to the NEXT of a comprehension, which ends with its range.
 *
 *     ai.operation == 'chat' && key.models.exists(m, m.startsWith('gpt'))
 *
 *     0  FACT_EQ    fact ai.operation, constant 'chat'
 *     1  AND_JUMP   12           false already: keep it, skip the rest
 *     2  FACT       key.models
 *     3  ITERATE    slot 0, 11   slots 0 and 1: range and position; an error: keep it, jump
 *     4  CONSTANT   false        the accumulator stays on the stack
 *     5  NEXT       slot 0, 11   slot 2 = the element; none left: jump
 *     6  LOAD       slot 2
 *     7  CONSTANT   'gpt'
 *     8  CALL       STARTS_WITH, 2 operands
 *     9  OR                      accumulator || that: absorbs errors
 *    ..  OR_JUMP    11           true: keep it, leave; then LOOP 5
 *    11  AND
 *    12                          the end: one value is left
 *
 * Errors are values (FGW_VALUE_ERROR: as.number is enum fgw_cel_error, length the instruction that
 * made it). Any operation on an error is that error, the leftmost first; `&&` and `||` absorb it
 * where the other side decides.
 *
 * Bounds. Every instruction costs one step of run.steps (a program pays for all at first, a loop
 * for its body at each LOOP), a call four more; work on bytes and elements costs in proportion
 * (1 step for 32 bytes copied or compared, for 4 bytes looked at one by one, for 2 elements), paid
 * before it is done. New strings, lists and maps lie in run.arena. Running out of either ends the
 * run with an error that nothing absorbs. 100,000 steps take at most about 1 ms. No allocation, no
 * clock, no I/O, no state but the run's: two runs of one program may go on at the same time.
 */
#ifndef FGW_CEL_H
#define FGW_CEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fgw_policy.h"

enum fgw_cel_error {
    FGW_CEL_ERROR_ABSENT = 1,    /* a fact that the request does not have; an unset slot */
    FGW_CEL_ERROR_TYPE = 2,      /* no such overload */
    FGW_CEL_ERROR_OVERFLOW = 3,  /* beyond 64 bits, or the range of timestamps and durations */
    FGW_CEL_ERROR_DIVIDE = 4,    /* by zero, modulus too */
    FGW_CEL_ERROR_KEY = 5,       /* no such key */
    FGW_CEL_ERROR_INDEX = 6,     /* outside of a list or string */
    FGW_CEL_ERROR_RANGE = 7,     /* a conversion to a type that cannot hold it */
    FGW_CEL_ERROR_PARSE = 8,     /* text that is no number, time, duration, address, base64, … */
    FGW_CEL_ERROR_UTF8 = 9,      /* bytes that are no text */
    FGW_CEL_ERROR_DUPLICATE = 10, /* a key twice in one map */
    FGW_CEL_ERROR_KEY_TYPE = 11, /* a key that is no bool, int, uint or string */
    FGW_CEL_ERROR_NONE = 12,     /* value() of an empty optional; first of nothing */
    FGW_CEL_ERROR_ARGUMENT = 13, /* a negative count, an unknown verb of format, … */
    FGW_CEL_ERROR_REGEX = 14,    /* a pattern that does not compile */
    FGW_CEL_ERROR_ZONE = 15,     /* an unknown time zone */
    FGW_CEL_ERROR_DEPTH = 16,    /* values nested deeper than FGW_CEL_DEPTH */
    FGW_CEL_ERROR_STEPS = 17,    /* the budget: ends the run */
    FGW_CEL_ERROR_MEMORY = 18,   /* the arena: ends the run */
};

/* The stack is written [a b c], top last. `operand` fields that an op does not name are 0. */
enum fgw_cel_op {
    /* Facts and constants. */
    FGW_CEL_FACT,            /* [] -> [facts[at]]; absent: an error */
    FGW_CEL_FACT_OR,         /* [] -> [facts[at], or where absent constants[to]] */
    FGW_CEL_HAS_FACT,        /* [] -> [whether facts[at] is there] */
    FGW_CEL_FACT_EQ,         /* [] -> [facts[at] == constants[to]] */
    FGW_CEL_FACT_NE,         /* [] -> [facts[at] != constants[to]] */
    FGW_CEL_CONSTANT,        /* [] -> [constants[at]] */
    FGW_CEL_CONSTANT_LIST,   /* [] -> [the list of constants[at .. at + count)] */
    FGW_CEL_IN_CONSTANTS,    /* [x] -> [x in constants[at .. at + count)] */
    FGW_CEL_SOURCE,          /* [] -> [the map number `at` of run.source: read when asked] */

    /* Two operands: [a b] -> [a op b]. */
    FGW_CEL_EQ,
    FGW_CEL_NE,
    FGW_CEL_LT,
    FGW_CEL_LE,
    FGW_CEL_GT,
    FGW_CEL_GE,
    FGW_CEL_ADD,             /* numbers, strings, bytes, lists, times */
    FGW_CEL_SUB,
    FGW_CEL_MUL,
    FGW_CEL_DIV,
    FGW_CEL_MOD,
    FGW_CEL_IN,              /* b: list, map or cidr (then a: ip or the text of one) */
    FGW_CEL_AND,             /* both: errors absorbed where the other side decides */
    FGW_CEL_OR,

    /* One operand: [a] -> [op a]. */
    FGW_CEL_NOT,
    FGW_CEL_NEGATE,

    /* Jumps, to instruction `to` > their own. */
    FGW_CEL_JUMP,            /* [] */
    FGW_CEL_AND_JUMP,        /* [a] -> [a]; a is false: jump */
    FGW_CEL_OR_JUMP,         /* [a] -> [a]; a is true: jump */
    FGW_CEL_ERROR_JUMP,      /* [a] -> [a]; a is no boolean: make it an error, jump */
    FGW_CEL_FALSE_JUMP,      /* [a] -> []; a is false: jump. `c ? x : y`:
                                c; ERROR_JUMP end; FALSE_JUMP other; x; JUMP end; other: y; end: */

    /* Members. */
    FGW_CEL_INDEX,           /* [a b] -> [a[b]]; of an optional: an optional */
    FGW_CEL_OPT_INDEX,       /* [a b] -> [a[?b]] */
    FGW_CEL_SELECT,          /* [a] -> [a.f], f: string constants[to]; of an optional: optional */
    FGW_CEL_OPT_SELECT,      /* [a] -> [a.?f] */
    FGW_CEL_HAS,             /* [a] -> [has(a.f)] */

    /* Making lists and maps. Only what LIST or MAP has just made may be appended to. */
    FGW_CEL_LIST,            /* [] -> [an empty list with room for `at`] */
    FGW_CEL_APPEND,          /* [list x] -> [list]; x an error: [x] */
    FGW_CEL_APPEND_OPT,      /* [list x] -> [list]; x is optional: appended if it has a value */
    FGW_CEL_MAP,             /* [] -> [an empty map with room for `at`] */
    FGW_CEL_INSERT,          /* [map k v] -> [map]; k twice: an error */
    FGW_CEL_INSERT_OPT,      /* [map k v] -> [map]; v is optional: inserted if it has a value */
    FGW_CEL_MERGE,           /* [map m] -> [map with all entries of m] (transformMapEntry) */

    /* Slots and comprehensions. */
    FGW_CEL_STORE,           /* [a] -> []; slot `at` = a, errors too */
    FGW_CEL_LOAD,            /* [] -> [slot at] */
    FGW_CEL_ITERATE,         /* [range] -> [], slots at and at + 1 take it; neither list nor map:
                                  [error], jump to `to` */
    FGW_CEL_NEXT,            /* slots at, at + 1 as of ITERATE. One variable (arg 1): slot at + 2 =
                                  element or key. Two (arg 2): slots at + 2, at + 3 = index and
                                  element, or key and value. None left: jump to `to` */
    FGW_CEL_LOOP,            /* jump back to `to`, which is a NEXT */
    FGW_CEL_GUARD,           /* [acc p] -> [acc]; p is false: jump to `to`; p is no boolean: acc
                                  becomes an error, jump to `to`. filter, exists_one, map with p */
    FGW_CEL_ERROR_EXIT,      /* [a] -> [a]; a is an error: jump to `to` */

    /* Optionals. */
    FGW_CEL_OR_OPTIONAL,     /* [a] a.or(…): has a value: keep, jump to `to`; empty: [], go on;
                                  else [error], jump */
    FGW_CEL_OR_VALUE,        /* [a] a.orValue(…): has one: [value], jump to `to`; empty: [], go on;
                                  else [error], jump */
    FGW_CEL_OPT_MAP,         /* [a] optMap, optFlatMap: has a value: [value], go on; empty or an
                                  error: keep, jump to `to` */

    /* Functions. */
    FGW_CEL_CALL,            /* [x1 … xn] -> [f(x1 … xn)], f = at (enum fgw_cel_function), n = arg;
                                  the receiver of a method is x1. Types pick the overload. */
    FGW_CEL_CONCAT,          /* [x1 … xn] -> [their texts in a row], n = arg: `${…}` */
    FGW_CEL_OPS,
};

/* (least operands, most operands); a method's receiver counts. What types they take is CEL's. */
#define FGW_CEL_FUNCTIONS(F)                                                                      \
    F(SIZE, 1, 1) F(CONTAINS, 2, 2) F(STARTS_WITH, 2, 2) F(ENDS_WITH, 2, 2) F(MATCHES, 2, 2)      \
    F(GLOB, 2, 2)                      /* glob(text, pattern) */                                  \
    /* Conversions; dyn(x) is x. */                                                               \
    F(INT, 1, 1) F(UINT, 1, 1) F(DOUBLE, 1, 1) F(STRING, 1, 1) F(BYTES, 1, 1) F(BOOL, 1, 1)       \
    F(TIMESTAMP, 1, 1) F(DURATION, 1, 1) F(TYPE, 1, 1)                                            \
    /* Times: (timestamp), (timestamp, zone); hours to milliseconds of (duration) too. */         \
    F(GET_FULL_YEAR, 1, 2) F(GET_MONTH, 1, 2) F(GET_DATE, 1, 2) F(GET_DAY_OF_MONTH, 1, 2)         \
    F(GET_DAY_OF_WEEK, 1, 2) F(GET_DAY_OF_YEAR, 1, 2) F(GET_HOURS, 1, 2) F(GET_MINUTES, 1, 2)     \
    F(GET_SECONDS, 1, 2) F(GET_MILLISECONDS, 1, 2)                                                \
    /* Strings. */                                                                                \
    F(CHAR_AT, 2, 2) F(INDEX_OF, 2, 3) F(LAST_INDEX_OF, 2, 3) F(JOIN, 1, 2) F(SPLIT, 2, 3)        \
    F(REPLACE, 3, 4) F(SUBSTRING, 2, 3) F(TRIM, 1, 1) F(LOWER_ASCII, 1, 1) F(UPPER_ASCII, 1, 1)   \
    F(REVERSE, 1, 1)                   /* of a string or list */                                  \
    F(QUOTE, 1, 1) F(FORMAT, 2, 2)                                                                \
    /* math.*; least and greatest take any number of operands, or one list. */                    \
    F(LEAST, 1, 255) F(GREATEST, 1, 255) F(CEIL, 1, 1) F(FLOOR, 1, 1) F(ROUND, 1, 1)              \
    F(TRUNC, 1, 1) F(ABS, 1, 1) F(SIGN, 1, 1) F(SQRT, 1, 1) F(IS_NAN, 1, 1) F(IS_INF, 1, 1)       \
    F(IS_FINITE, 1, 1) F(BIT_AND, 2, 2) F(BIT_OR, 2, 2) F(BIT_XOR, 2, 2) F(BIT_NOT, 1, 1)         \
    F(BIT_SHIFT_LEFT, 2, 2) F(BIT_SHIFT_RIGHT, 2, 2)                                              \
    F(BASE64_ENCODE, 1, 1) F(BASE64_DECODE, 1, 1)                                                 \
    /* Network. IP is ip('…') and cidr.ip(). */                                                   \
    F(IP, 1, 1) F(CIDR, 1, 1) F(IS_IP, 1, 1) F(IS_CIDR, 1, 1) F(IP_IS_CANONICAL, 1, 1)            \
    F(FAMILY, 1, 1) F(IS_UNSPECIFIED, 1, 1) F(IS_LOOPBACK, 1, 1) F(IS_GLOBAL_UNICAST, 1, 1)       \
    F(IS_LINK_LOCAL_MULTICAST, 1, 1) F(IS_LINK_LOCAL_UNICAST, 1, 1) F(CONTAINS_IP, 2, 2)          \
    F(CONTAINS_CIDR, 2, 2) F(MASKED, 1, 1) F(PREFIX_LENGTH, 1, 1)                                 \
    /* optional.of, .none, .ofNonZeroValue; unwrap drops the empty ones of a list. */             \
    F(OPTIONAL_OF, 1, 1) F(OPTIONAL_NONE, 0, 0) F(OPTIONAL_OF_NON_ZERO, 1, 1) F(HAS_VALUE, 1, 1)  \
    F(VALUE, 1, 1) F(OPTIONAL_UNWRAP, 1, 1)                                                       \
    /* Lists: (list, from, to) of slice; range(n). */                                             \
    F(SLICE, 3, 3) F(FLATTEN, 1, 2) F(DISTINCT, 1, 1) F(SORT, 1, 1) F(RANGE, 1, 1)                \
    F(FIRST, 1, 1) F(LAST, 1, 1)                                                                  \
    /* Ours. GET_REQ_HEADER(name): the list of its values, empty where absent. */                 \
    F(GET_REQ_HEADER, 1, 1) F(RANDOM, 0, 0)

enum fgw_cel_function {
#define FGW_CEL_NAME(name, least, most) FGW_CEL_F_##name,
    FGW_CEL_FUNCTIONS(FGW_CEL_NAME)
#undef FGW_CEL_NAME
    FGW_CEL_FUNCTION_COUNT,
};

struct fgw_cel_instruction {
    uint8_t op;     /* enum fgw_cel_op */
    uint8_t arg;    /* number of operands, or of variables */
    uint16_t at;    /* a fact, constant, slot, function, source; or a first room */
    uint16_t to;    /* a constant, or the instruction jumped to (n_code: the end) */
    uint16_t count; /* of constants */
};
_Static_assert(sizeof(struct fgw_cel_instruction) == 8, "one cache line holds eight");

/* By type: STRING, BYTES, and inside programs REGEX and ZONE: `length` bytes at `offset` from the
 * program's first byte (REGEX and ZONE: at a multiple of 8). INT, UINT, BOOL, DURATION: number.
 * DOUBLE: real. TIMESTAMP: number and length as in struct fgw_value. TYPE: number is the
 * fgw_value_type. IP: 4 or 16 (length) bytes at offset. CIDR: the same, length is
 * (4 or 16) | prefix << 8. NULL: nothing. */
struct fgw_cel_constant {
    uint32_t type; /* enum fgw_value_type */
    uint32_t length;
    union {
        int64_t number;
        double real;
        uint64_t offset;
    } as;
};
_Static_assert(sizeof(struct fgw_cel_constant) == 16, "part of a file");

/* The first bytes of a program's block. Instructions follow at once, then constants, then text. */
struct fgw_cel_program {
    uint32_t magic;       /* FGW_CEL_MAGIC */
    uint32_t size;        /* of the whole block, a multiple of 8 */
    uint16_t n_code;      /* >= 1 */
    uint16_t n_constants;
    uint16_t n_facts;     /* facts[] has at least so many; <= FGW_FACTS_MAX */
    uint16_t n_slots;     /* <= FGW_CEL_SLOTS */
    uint64_t facts_read;  /* bit i: an instruction reads facts[i] */
    uint16_t sources;     /* bit i: an instruction reads source i */
    uint8_t type;         /* enum fgw_value_type of the result where it is known, else 0 */
    uint8_t reserved[5];
};
_Static_assert(sizeof(struct fgw_cel_program) == 32, "part of a file");

#define FGW_CEL_MAGIC 0x314c4543u /* "CEL1" */
#define FGW_CEL_STACK 64          /* values */
#define FGW_CEL_SLOTS 64
#define FGW_CEL_CODE_MAX 16384    /* instructions */
#define FGW_CEL_DEPTH 32          /* of nested lists, maps, optionals, where they are compared */
#define FGW_CEL_STEPS 100000      /* the usual budget */
#define FGW_CEL_ARENA 65536       /* bytes: the usual arena */
#define FGW_CEL_ZONE_NAMED 500    /* steps for a zone that is named at run time, … */
#define FGW_CEL_ZONE_UNKNOWN 25000 /* … and for one that turns out to be none */

/* A time zone, the bytes of a FGW_VALUE_ZONE constant: length / 16 of these, by time; the first
 * holds for all earlier instants too. fastgw.policy.zones writes them. */
struct fgw_cel_zone {
    int64_t since;  /* seconds since 1970 */
    int32_t offset; /* seconds east of UTC */
    int32_t reserved;
};

/* What a map of the request is, to `SOURCE at`; and what CALL GET_REQ_HEADER reads. */
enum fgw_cel_source_id {
    FGW_CEL_SOURCE_HEADERS,      /* by lower-case name; one entry for each name */
    FGW_CEL_SOURCE_QUERY,
    FGW_CEL_SOURCE_TAGS,         /* of the access key */
    FGW_CEL_SOURCE_OWNER,
    FGW_CEL_SOURCE_HEADER_LINES, /* one entry for each line, as it came: GET_REQ_HEADER only */
    FGW_CEL_SOURCES = 16,
};

/* Maps that are read only where an expression asks for them; whoever runs the program fills it.
 * Keys are strings. What they point at must outlive the result. */
struct fgw_cel_source {
    const void *owner;
    uint32_t (*count)(const void *owner, uint32_t map);
    void (*entry)(const void *owner, uint32_t map, uint32_t i, struct fgw_value *key,
                  struct fgw_value *value);
    /* 1 with *value set, or 0. */
    int (*find)(const void *owner, uint32_t map, const uint8_t *key, uint32_t length,
                struct fgw_value *value);
    /* Seconds that a zone named only at run time is east of UTC at an instant: 0 with *offset
     * set, -1: no such zone. May itself be NULL. Names may come from clients: whoever answers
     * keeps nothing of those that are none, and the machine takes the price of a search of files
     * (FGW_CEL_ZONE_UNKNOWN steps) for each of them. */
    int (*zone)(const void *owner, const uint8_t *name, uint32_t length, int64_t seconds,
                int32_t *offset);
};

/* For `policy simulate`: every value that an instruction pushed, in order; full: no more. */
struct fgw_cel_trace {
    uint32_t used, room;
    struct fgw_cel_traced {
        uint32_t at; /* the instruction */
        uint32_t reserved;
        struct fgw_value value;
    } *entries;
};

struct fgw_cel_run {
    const struct fgw_value *facts;
    const struct fgw_cel_source *source; /* or NULL: every map of it is empty */
    struct fgw_cel_trace *trace;         /* or NULL */
    uint8_t *arena;                      /* 8-aligned, not NULL */
    uint32_t arena_size;
    uint32_t arena_used;                 /* 0 at first; results lie below it */
    uint32_t steps;                      /* what may be spent; afterwards: what is left */
    uint32_t reserved;
    uint64_t random;                     /* the seed of random(), moved by each */
};

static inline const struct fgw_cel_instruction *fgw_cel_code(const struct fgw_cel_program *program)
{
    return (const struct fgw_cel_instruction *)(program + 1);
}

static inline const struct fgw_cel_constant *
fgw_cel_constants(const struct fgw_cel_program *program)
{
    return (const struct fgw_cel_constant *)(fgw_cel_code(program) + program->n_code);
}

/* 0 if block[0 .. size) begins with a program of which every path stays inside its code,
 * constants, text, facts, slots and stack, and ends with exactly one value; else -1. Only programs
 * that passed may be run. `block` is 8-aligned. */
int fgw_cel_verify(const void *block, size_t size);

/* The most common expression, fact == 'text', without the machine: 1, 0; -1: use fgw_cel_eval. */
static inline int fgw_cel_glance(const struct fgw_cel_program *program,
                                 const struct fgw_value *facts)
{
    const struct fgw_cel_instruction *step = fgw_cel_code(program);
    if (program->n_code != 1 || step->op != FGW_CEL_FACT_EQ)
        return -1;
    const struct fgw_value *fact = &facts[step->at];
    const struct fgw_cel_constant *constant = &fgw_cel_constants(program)[step->to];
    if (fact->type != FGW_VALUE_STRING || constant->type != FGW_VALUE_STRING)
        return -1;
    return fact->length == constant->length
           && (fact->length == 0
               || memcmp(fact->bytes, (const uint8_t *)program + constant->as.offset, fact->length)
                      == 0);
}

/* The address in a text as `in cidr` reads it: its 4 or 16 bytes, and how many; 0: it is none. */
uint32_t fgw_cel_address(const uint8_t *text, uint32_t length, uint8_t out[16]);

/* The fact that a program of one FACT comes to, which may be absent; NULL: use fgw_cel_eval. */
static inline const struct fgw_value *fgw_cel_peek(const struct fgw_cel_program *program,
                                                   const struct fgw_value *facts)
{
    const struct fgw_cel_instruction *step = fgw_cel_code(program);
    return program->n_code == 1 && step->op == FGW_CEL_FACT ? &facts[step->at] : NULL;
}

/* Runs a verified program. Returns 1 or 0 where the result is a boolean, -1 where it is anything
 * else; *result has it in any case, and points into the facts, the program and the arena. */
int fgw_cel_eval(const struct fgw_cel_program *program, struct fgw_cel_run *run,
                 struct fgw_value *result);

#endif
