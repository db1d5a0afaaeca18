#include "fgw_cel_machine.h"

struct fgw_value fgw_cel_mismatch(struct fgw_cel *cel, const struct fgw_value *a,
                                  const struct fgw_value *b)
{
    if (cel->ended)
        return cel_over(cel);
    if (a->type == FGW_VALUE_ERROR)
        return *a;
    if (b->type == FGW_VALUE_ERROR)
        return *b;
    return cel_fail(cel, cel->depth > FGW_CEL_DEPTH ? FGW_CEL_ERROR_DEPTH : FGW_CEL_ERROR_TYPE);
}

/* Numbers. Across types they are compared as doubles, as the conformance cases have it; int and
 * uint exactly. */

static int is_number(const struct fgw_value *value)
{
    return value->type == FGW_VALUE_INT || value->type == FGW_VALUE_UINT
           || value->type == FGW_VALUE_DOUBLE;
}

static double as_double(const struct fgw_value *value)
{
    return value->type == FGW_VALUE_DOUBLE ? value->as.real
           : value->type == FGW_VALUE_INT  ? (double)value->as.number
                                           : (double)cel_bits(value);
}

static int order_numbers(const struct fgw_value *a, const struct fgw_value *b)
{
    if (a->type == FGW_VALUE_DOUBLE || b->type == FGW_VALUE_DOUBLE) {
        double x = as_double(a), y = as_double(b);
        return x != x || y != y ? 2 : (x > y) - (x < y);
    }
    int a_negative = a->type == FGW_VALUE_INT && a->as.number < 0;
    int b_negative = b->type == FGW_VALUE_INT && b->as.number < 0;
    if (a_negative != b_negative)
        return a_negative ? -1 : 1;
    uint64_t x = cel_bits(a), y = cel_bits(b); /* of one sign, so the bits keep the order */
    return (x > y) - (x < y);
}

/* UTF-8 keeps the order of code points, so bytes decide. */
static int order_texts(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b)
{
    uint32_t common = a->length < b->length ? a->length : b->length;
    if (cel_pay_bytes(cel, common))
        return 4;
    int first = common ? memcmp(a->bytes, b->bytes, common) : 0;
    if (first)
        return first < 0 ? -1 : 1;
    return (a->length > b->length) - (a->length < b->length);
}

int fgw_cel_order(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b)
{
    if (is_number(a) && is_number(b))
        return order_numbers(a, b);
    if (a->type != b->type)
        return 3;
    switch (a->type) {
    case FGW_VALUE_STRING:
    case FGW_VALUE_BYTES:
        return order_texts(cel, a, b);
    case FGW_VALUE_TIMESTAMP:
        if (a->as.number == b->as.number)
            return (a->length > b->length) - (a->length < b->length);
        return a->as.number < b->as.number ? -1 : 1;
    case FGW_VALUE_BOOL:
    case FGW_VALUE_DURATION:
        return (a->as.number > b->as.number) - (a->as.number < b->as.number);
    default:
        return 3;
    }
}

struct fgw_value fgw_cel_comparison(struct fgw_cel *cel, uint8_t op, const struct fgw_value *a,
                                    const struct fgw_value *b)
{
    int which = a->type == FGW_VALUE_INT && b->type == FGW_VALUE_INT
                    ? (a->as.number > b->as.number) - (a->as.number < b->as.number)
                    : fgw_cel_order(cel, a, b);
    if (which >= 3)
        return fgw_cel_mismatch(cel, a, b);
    if (which == 2)
        return cel_bool(0);
    switch (op) {
    case FGW_CEL_LT:
        return cel_bool(which < 0);
    case FGW_CEL_LE:
        return cel_bool(which <= 0);
    case FGW_CEL_GT:
        return cel_bool(which > 0);
    default:
        return cel_bool(which >= 0);
    }
}

/* Equality of everything. */

static int equal_lists(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b)
{
    if (a->length != b->length)
        return 0;
    if (cel_pay(cel, a->length / 2))
        return -1;
    for (uint32_t i = 0; i < a->length; i++) {
        int same = fgw_cel_equal(cel, &a->items[i], &b->items[i]);
        if (same != 1)
            return same;
    }
    return 1;
}

static int equal_maps(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b)
{
    if (a->length != b->length)
        return 0;
    for (uint32_t i = 0; i < a->length; i++) {
        struct fgw_value other;
        int found = fgw_cel_find(cel, b, &a->items[2 * (size_t)i], &other);
        if (found != 1)
            return found;
        int same = fgw_cel_equal(cel, &a->items[2 * (size_t)i + 1], &other);
        if (same != 1)
            return same;
    }
    return 1;
}

static int equal_addresses(const struct fgw_value *a, const struct fgw_value *b)
{
    return a->length == b->length && a->as.number == b->as.number
           && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* What holds others: one level deeper. */
static int equal_nested(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b)
{
    int same;
    if (cel->depth > FGW_CEL_DEPTH)
        return -1;
    if (cel_pay(cel, 1))
        return -1;
    cel->depth++;
    if (a->type == FGW_VALUE_LIST)
        same = equal_lists(cel, a, b);
    else if (a->type == FGW_VALUE_MAP)
        same = equal_maps(cel, a, b);
    else if (a->items == NULL || b->items == NULL)
        same = a->items == b->items;
    else
        same = fgw_cel_equal(cel, a->items, b->items);
    if (same >= 0 || cel->depth <= FGW_CEL_DEPTH)
        cel->depth--; /* too deep stays too deep, for the message */
    return same;
}

int fgw_cel_equal(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b)
{
    if (a->type != b->type) {
        if (is_number(a) && is_number(b))
            return order_numbers(a, b) == 0;
        return a->type == FGW_VALUE_ERROR || b->type == FGW_VALUE_ERROR ? -1 : 0;
    }
    switch (a->type) {
    case FGW_VALUE_STRING:
    case FGW_VALUE_BYTES:
        if (a->length != b->length)
            return 0;
        return cel_pay_bytes(cel, a->length) ? -1 : cel_same(a->bytes, b->bytes, a->length);
    case FGW_VALUE_BOOL:
    case FGW_VALUE_INT:
    case FGW_VALUE_UINT:
    case FGW_VALUE_DURATION:
    case FGW_VALUE_TYPE:
        return a->as.number == b->as.number;
    case FGW_VALUE_DOUBLE:
        return a->as.real == b->as.real;
    case FGW_VALUE_TIMESTAMP:
        return a->as.number == b->as.number && a->length == b->length;
    case FGW_VALUE_NULL:
        return 1;
    case FGW_VALUE_IP:
    case FGW_VALUE_CIDR:
        return equal_addresses(a, b);
    case FGW_VALUE_LIST:
    case FGW_VALUE_MAP:
    case FGW_VALUE_OPTIONAL:
        return equal_nested(cel, a, b);
    default:
        return -1;
    }
}

struct fgw_value fgw_cel_equality(struct fgw_cel *cel, const struct fgw_value *a,
                                  const struct fgw_value *b, int negate)
{
    struct fgw_value x, y;
    if (cel_is(a, FGW_VALUE_SOURCE) || cel_is(b, FGW_VALUE_SOURCE)) {
        x = fgw_cel_settled(cel, a), y = fgw_cel_settled(cel, b);
        a = &x, b = &y;
    }
    cel->depth = 0;
    int same = fgw_cel_equal(cel, a, b);
    return same < 0 ? fgw_cel_mismatch(cel, a, b) : cel_bool(same ^ negate);
}

/* Maps that the request has. */

static uint32_t source_count(const struct fgw_cel *cel, const struct fgw_value *map)
{
    const struct fgw_cel_source *source = cel->run->source;
    return source == NULL ? 0 : source->count(source->owner, (uint32_t)map->as.number);
}

struct fgw_value fgw_cel_settled(struct fgw_cel *cel, const struct fgw_value *value)
{
    if (value->type != FGW_VALUE_SOURCE)
        return *value;
    const struct fgw_cel_source *source = cel->run->source;
    uint32_t count = source_count(cel, value);
    struct fgw_value map = fgw_cel_map_new(cel, count);
    if (cel->ended || cel_pay(cel, 2 * (uint64_t)count))
        return cel_over(cel);
    struct fgw_value *pairs = (struct fgw_value *)(uintptr_t)map.items;
    for (uint32_t i = 0; i < count; i++)
        source->entry(source->owner, (uint32_t)value->as.number, i, &pairs[2 * (size_t)i],
                      &pairs[2 * (size_t)i + 1]);
    map.length = count;
    return map;
}

static int find_in_source(struct fgw_cel *cel, const struct fgw_value *map,
                          const struct fgw_value *key, struct fgw_value *value)
{
    const struct fgw_cel_source *source = cel->run->source;
    if (source == NULL || key->type != FGW_VALUE_STRING)
        return 0;
    /* Whoever looks may compare each key. */
    if (cel_pay(cel, source_count(cel, map) + key->length / 8u)) {
        *value = cel_over(cel);
        return -1;
    }
    return source->find(source->owner, (uint32_t)map->as.number, key->bytes, key->length, value);
}

int fgw_cel_find(struct fgw_cel *cel, const struct fgw_value *map, const struct fgw_value *key,
                 struct fgw_value *value)
{
    if (key->type == FGW_VALUE_ERROR) {
        *value = *key;
        return -1;
    }
    if (map->type == FGW_VALUE_SOURCE)
        return find_in_source(cel, map, key, value);
    if (cel_pay(cel, map->length / 2)) {
        *value = cel_over(cel);
        return -1;
    }
    for (uint32_t i = 0; i < map->length; i++) {
        const struct fgw_value *pair = &map->items[2 * (size_t)i];
        if (pair->type == FGW_VALUE_STRING
            && (key->type != FGW_VALUE_STRING || key->length != pair->length))
            continue;
        int same = fgw_cel_equal(cel, key, pair);
        if (same == 1)
            *value = pair[1];
        else if (same < 0)
            *value = fgw_cel_mismatch(cel, key, key);
        if (same)
            return same;
    }
    return 0;
}

struct fgw_value fgw_cel_in(struct fgw_cel *cel, const struct fgw_value *a,
                            const struct fgw_value *b)
{
    struct fgw_value x;
    cel->depth = 0;
    if (cel_is(a, FGW_VALUE_ERROR) || cel_is(b, FGW_VALUE_ERROR))
        return fgw_cel_mismatch(cel, a, b);
    if (b->type == FGW_VALUE_CIDR)
        return fgw_cel_in_cidr(cel, a, b);
    if (b->type == FGW_VALUE_MAP || b->type == FGW_VALUE_SOURCE) {
        int found = fgw_cel_find(cel, b, a, &x);
        return found < 0 ? x : cel_bool(found);
    }
    if (b->type != FGW_VALUE_LIST)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    if (cel_pay(cel, b->length / 2))
        return cel_over(cel);
    if (cel_is(a, FGW_VALUE_SOURCE)) {
        x = fgw_cel_settled(cel, a);
        a = &x;
    }
    for (uint32_t i = 0; i < b->length; i++) {
        int same = fgw_cel_equal(cel, a, &b->items[i]);
        if (same < 0)
            return fgw_cel_mismatch(cel, a, &b->items[i]);
        if (same)
            return cel_bool(1);
    }
    return cel_bool(0);
}

/* Members. */

/* The place in a list that a number names, or -1: none; -2: no number. */
static int64_t place(const struct fgw_value *list, const struct fgw_value *index)
{
    if (!is_number(index))
        return -2;
    if (index->type == FGW_VALUE_DOUBLE) {
        double real = index->as.real;
        if (!(real >= 0 && real < list->length) || (double)(int64_t)real != real)
            return -1;
        return (int64_t)real;
    }
    return cel_bits(index) < list->length ? (int64_t)cel_bits(index) : -1;
}

/* a[b] of a list or map. 1: *value; 0: not there; -1: *value is an error. */
static int look_up(struct fgw_cel *cel, const struct fgw_value *a, const struct fgw_value *b,
                   struct fgw_value *value)
{
    if (a->type == FGW_VALUE_MAP || a->type == FGW_VALUE_SOURCE)
        return fgw_cel_find(cel, a, b, value);
    if (a->type == FGW_VALUE_LIST && b->type != FGW_VALUE_STRING) {
        int64_t at = place(a, b);
        if (at >= 0)
            *value = a->items[at];
        else if (at == -2)
            *value = cel_fail(cel, FGW_CEL_ERROR_TYPE);
        return at >= 0 ? 1 : at == -2 ? -1 : 0;
    }
    *value = cel_fail(cel, FGW_CEL_ERROR_TYPE);
    return -1;
}

struct fgw_value fgw_cel_member(struct fgw_cel *cel, const struct fgw_value *a,
                                const struct fgw_value *b, int optional, int select)
{
    const struct fgw_value *of = a;
    struct fgw_value value;
    cel->depth = 0;
    if (cel_is(a, FGW_VALUE_ERROR) || cel_is(b, FGW_VALUE_ERROR))
        return fgw_cel_mismatch(cel, a, b);
    if (a->type == FGW_VALUE_OPTIONAL) {
        if (a->items == NULL)
            return cel_optional(NULL);
        of = a->items;
        optional = 1;
    }
    if (select && of->type != FGW_VALUE_MAP && of->type != FGW_VALUE_SOURCE)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    int found = look_up(cel, of, b, &value);
    if (found < 0)
        return value;
    if (optional)
        return found ? fgw_cel_some(cel, &value) : cel_optional(NULL);
    if (found)
        return value;
    return cel_fail(cel, of->type == FGW_VALUE_LIST ? FGW_CEL_ERROR_INDEX : FGW_CEL_ERROR_KEY);
}

struct fgw_value fgw_cel_has(struct fgw_cel *cel, const struct fgw_value *a,
                             const struct fgw_value *field)
{
    struct fgw_value value;
    if (cel_is(a, FGW_VALUE_ERROR))
        return *a;
    if (a->type == FGW_VALUE_OPTIONAL) {
        if (a->items == NULL)
            return cel_bool(0);
        a = a->items;
    }
    if (a->type != FGW_VALUE_MAP && a->type != FGW_VALUE_SOURCE)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    int found = fgw_cel_find(cel, a, field, &value);
    return found < 0 ? value : cel_bool(found);
}
