/* fgw_cel_machine.h - what the parts of the CEL machine share; not for callers.
 *
 * Every part takes the run in hand, and gives values. A failure is a value too; the two that end
 * the run (no steps, no memory) also set `ended`, and the loop looks at it after every call.
 */
#ifndef FGW_CEL_MACHINE_H
#define FGW_CEL_MACHINE_H

#include "fgw_cel.h"

struct fgw_cel {
    const struct fgw_cel_program *program;
    struct fgw_cel_run *run;
    uint32_t steps; /* left */
    uint16_t at;    /* the instruction in hand */
    uint8_t ended;
    uint8_t depth;  /* of the value that is walked */
};

typedef struct fgw_value fgw_cel_call(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n);

/* What values are made of. */

static inline struct fgw_value cel_of(uint32_t type, int64_t number)
{
    return (struct fgw_value){.type = type, .as.number = number};
}

static inline struct fgw_value cel_bool(int truth)
{
    return cel_of(FGW_VALUE_BOOL, truth != 0);
}

static inline struct fgw_value cel_int(int64_t number)
{
    return cel_of(FGW_VALUE_INT, number);
}

static inline struct fgw_value cel_uint(uint64_t number)
{
    return cel_of(FGW_VALUE_UINT, (int64_t)number);
}

static inline struct fgw_value cel_double(double real)
{
    return (struct fgw_value){.type = FGW_VALUE_DOUBLE, .as.real = real};
}

static inline struct fgw_value cel_text(uint32_t type, const uint8_t *bytes, uint32_t length)
{
    return (struct fgw_value){{.bytes = bytes}, .length = length, .type = type};
}

static inline struct fgw_value cel_optional(const struct fgw_value *held)
{
    return (struct fgw_value){{.items = held}, .type = FGW_VALUE_OPTIONAL};
}

static inline struct fgw_value cel_fail(struct fgw_cel *cel, enum fgw_cel_error why)
{
    return (struct fgw_value){.type = FGW_VALUE_ERROR, .length = cel->at, .as.number = why};
}

static inline int cel_is(const struct fgw_value *value, uint32_t type)
{
    return value->type == type;
}

static inline int cel_is_text(const struct fgw_value *value)
{
    return value->type == FGW_VALUE_STRING || value->type == FGW_VALUE_BYTES;
}

/* The uint in it. */
static inline uint64_t cel_bits(const struct fgw_value *value)
{
    return (uint64_t)value->as.number;
}

static inline int cel_same(const uint8_t *a, const uint8_t *b, size_t length)
{
    return length == 0 || memcmp(a, b, length) == 0;
}

static inline int cel_says(const struct fgw_value *text, const char *word)
{
    return text->length == strlen(word)
           && cel_same(text->bytes, (const uint8_t *)word, text->length);
}

/* The two budgets. 0: paid; -1: the run has ended. */

static inline int cel_pay(struct fgw_cel *cel, uint64_t steps)
{
    if (steps > cel->steps) {
        cel->steps = 0;
        cel->ended = 1;
        return -1;
    }
    cel->steps -= (uint32_t)steps;
    return 0;
}

/* Bytes that are copied or compared as they are; and those that are looked at one by one. */
static inline int cel_pay_bytes(struct fgw_cel *cel, uint64_t bytes)
{
    return cel_pay(cel, bytes / 32);
}

static inline int cel_pay_scan(struct fgw_cel *cel, uint64_t bytes)
{
    return cel_pay(cel, bytes / 4);
}

/* 8-aligned memory of the arena, or NULL: the run has ended. Costs no steps. */
static inline void *cel_take(struct fgw_cel *cel, uint64_t bytes)
{
    struct fgw_cel_run *run = cel->run;
    uint64_t whole = (bytes + 7) & ~(uint64_t)7;
    if (whole > run->arena_size - run->arena_used) {
        cel->ended = 2;
        return NULL;
    }
    void *memory = run->arena + run->arena_used;
    run->arena_used += (uint32_t)whole;
    return memory;
}

/* Why the run has ended; `ended` is 1: no steps, 2: no memory. */
static inline struct fgw_value cel_over(struct fgw_cel *cel)
{
    return cel_fail(cel, cel->ended == 2 ? FGW_CEL_ERROR_MEMORY : FGW_CEL_ERROR_STEPS);
}

/* Room for a new text of `length` bytes, paid for; NULL: the run has ended. */
static inline uint8_t *cel_room(struct fgw_cel *cel, uint64_t length)
{
    if (cel_pay_bytes(cel, length))
        return NULL;
    return cel_take(cel, length);
}

static inline void cel_copy(uint8_t *to, const uint8_t *from, size_t length)
{
    if (length)
        memcpy(to, from, length);
}

/* fgw_cel_value.c: comparing, and reading lists and maps. */

/* 1 equal, 0 not, -1: the run has ended, or (error of depth) they are nested too deep. */
int fgw_cel_equal(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b);
struct fgw_value fgw_cel_equality(struct fgw_cel *cel, const struct fgw_value *a,
                                  const struct fgw_value *b, int negate);
/* -1, 0, 1; 2: not comparable (NaN); 3: no such overload; 4: the run has ended. */
int fgw_cel_order(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b);
struct fgw_value fgw_cel_comparison(struct fgw_cel *cel, uint8_t op, const struct fgw_value *a,
                                    const struct fgw_value *b);
/* The error of the two, the left one first; no such overload where neither is one. */
struct fgw_value fgw_cel_mismatch(struct fgw_cel *cel, const struct fgw_value *a,
                                  const struct fgw_value *b);
struct fgw_value fgw_cel_in(struct fgw_cel *cel, const struct fgw_value *a,
                            const struct fgw_value *b);
/* A SOURCE as a map; anything else as it is. */
struct fgw_value fgw_cel_settled(struct fgw_cel *cel, const struct fgw_value *value);
/* map[key]: 1 with *value set, 0: no such key, -1: *value is an error. */
int fgw_cel_find(struct fgw_cel *cel, const struct fgw_value *map, const struct fgw_value *key,
                 struct fgw_value *value);
/* a[b], a.b, and (optional 1) a[?b], a.?b. */
struct fgw_value fgw_cel_member(struct fgw_cel *cel, const struct fgw_value *a,
                                const struct fgw_value *b, int optional, int select);
struct fgw_value fgw_cel_has(struct fgw_cel *cel, const struct fgw_value *a,
                             const struct fgw_value *field);

/* fgw_cel_list.c: making lists and maps. */

struct fgw_value fgw_cel_list_new(struct fgw_cel *cel, uint32_t room);
struct fgw_value fgw_cel_map_new(struct fgw_cel *cel, uint32_t room);
struct fgw_value fgw_cel_append(struct fgw_cel *cel, const struct fgw_value *list,
                                const struct fgw_value *x);
struct fgw_value fgw_cel_insert(struct fgw_cel *cel, const struct fgw_value *map,
                                const struct fgw_value *key, const struct fgw_value *value);
struct fgw_value fgw_cel_merge(struct fgw_cel *cel, const struct fgw_value *map,
                               const struct fgw_value *more);
struct fgw_value fgw_cel_concatenated(struct fgw_cel *cel, const struct fgw_value *a,
                                      const struct fgw_value *b);
struct fgw_value fgw_cel_some(struct fgw_cel *cel, const struct fgw_value *held);

/* fgw_cel_number.c */

struct fgw_value fgw_cel_arithmetic(struct fgw_cel *cel, uint8_t op, const struct fgw_value *a,
                                    const struct fgw_value *b);
struct fgw_value fgw_cel_negated(struct fgw_cel *cel, const struct fgw_value *a);

/* fgw_cel_time.c */

struct fgw_value fgw_cel_time_sum(struct fgw_cel *cel, const struct fgw_value *a,
                                  const struct fgw_value *b, int sign);
struct fgw_value fgw_cel_time_parse(struct fgw_cel *cel, const struct fgw_value *text);
struct fgw_value fgw_cel_duration_parse(struct fgw_cel *cel, const struct fgw_value *text);
#define FGW_CEL_TIME_TEXT 40 /* bytes that either writes at most */
uint32_t fgw_cel_time_write(const struct fgw_value *timestamp, uint8_t *out);
uint32_t fgw_cel_duration_write(const struct fgw_value *duration, uint8_t *out);
#define FGW_CEL_TIME_FIRST (-62135596800) /* 0001-01-01T00:00:00Z */
#define FGW_CEL_TIME_LAST 253402300799    /* 9999-12-31T23:59:59Z */

/* fgw_cel_net.c */

struct fgw_value fgw_cel_ip_parse(struct fgw_cel *cel, const struct fgw_value *text);
/* 1 or 0: an ip (or its text) is in a cidr; -1: *error. */
struct fgw_value fgw_cel_in_cidr(struct fgw_cel *cel, const struct fgw_value *ip,
                                 const struct fgw_value *cidr);
#define FGW_CEL_NET_TEXT 64 /* bytes that it writes at most */
uint32_t fgw_cel_net_write(const struct fgw_value *ip_or_cidr, uint8_t *out);

/* fgw_cel_convert.c */

/* string(x): *text is a STRING, or what is wrong. */
struct fgw_value fgw_cel_string(struct fgw_cel *cel, const struct fgw_value *x);
struct fgw_value fgw_cel_concat(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n);
/* The name of a type, e.g. "google.protobuf.Timestamp". */
const char *fgw_cel_type_name(int64_t type);
/* Decimal digits of a number, at most 20; their count. */
uint32_t fgw_cel_digits(uint64_t number, uint8_t *out);

/* fgw_cel_call.c */

extern fgw_cel_call *const fgw_cel_calls[FGW_CEL_FUNCTION_COUNT];

/* The functions by name: fgw_cel_f_SIZE, …; each in the file of its theme. */
#define FGW_CEL_DECLARE(name, least, most) fgw_cel_call fgw_cel_f_##name;
FGW_CEL_FUNCTIONS(FGW_CEL_DECLARE)
#undef FGW_CEL_DECLARE

#endif
