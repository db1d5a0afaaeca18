#include "fgw_cel_machine.h"

static struct fgw_value *writable(const struct fgw_value *list)
{
    return (struct fgw_value *)(uintptr_t)list->items; /* the arena's, or nobody appends to it */
}

/* An empty list or map with room for `room` elements or pairs. */
static struct fgw_value made(struct fgw_cel *cel, uint32_t type, uint64_t room)
{
    uint64_t values = type == FGW_VALUE_MAP ? 2 * room : room;
    struct fgw_value *items = cel_take(cel, values * sizeof *items);
    if (items == NULL)
        return cel_over(cel);
    return (struct fgw_value){{.items = items}, .type = type, .as.number = (int64_t)room};
}

struct fgw_value fgw_cel_list_new(struct fgw_cel *cel, uint32_t room)
{
    return made(cel, FGW_VALUE_LIST, room);
}

struct fgw_value fgw_cel_map_new(struct fgw_cel *cel, uint32_t room)
{
    return made(cel, FGW_VALUE_MAP, room);
}

/* Makes room for one more: 0, or -1: the run has ended. A list that was taken last from the arena
 * grows where it is. */
static int grow(struct fgw_cel *cel, struct fgw_value *list)
{
    uint64_t each = (list->type == FGW_VALUE_MAP ? 2 : 1) * sizeof(struct fgw_value);
    uint64_t more = list->length < 4 ? 4 : list->length;
    const uint8_t *end = (const uint8_t *)list->items + list->length * each;
    if (list->as.number == list->length && list->items != NULL
        && end == cel->run->arena + cel->run->arena_used) {
        uint64_t left = (cel->run->arena_size - cel->run->arena_used) / each;
        if (more > left && left > 0)
            more = left;
        if (cel_take(cel, more * each) == NULL)
            return -1;
        list->as.number += (int64_t)more;
        return 0;
    }
    if (cel_pay(cel, list->length / 2))
        return -1;
    struct fgw_value wider = made(cel, list->type, list->length + more);
    if (cel->ended)
        return -1;
    cel_copy((uint8_t *)writable(&wider), (const uint8_t *)list->items, list->length * each);
    wider.length = list->length;
    *list = wider;
    return 0;
}

struct fgw_value fgw_cel_append(struct fgw_cel *cel, const struct fgw_value *list,
                                const struct fgw_value *x)
{
    struct fgw_value longer = *list;
    if (list->type != FGW_VALUE_LIST || x->type == FGW_VALUE_ERROR)
        return fgw_cel_mismatch(cel, list, x);
    struct fgw_value element = fgw_cel_settled(cel, x);
    if (cel->ended || (longer.length >= longer.as.number && grow(cel, &longer)))
        return cel_over(cel);
    writable(&longer)[longer.length++] = element;
    return longer;
}

struct fgw_value fgw_cel_insert(struct fgw_cel *cel, const struct fgw_value *map,
                                const struct fgw_value *key, const struct fgw_value *value)
{
    struct fgw_value more = *map, old;
    if (map->type != FGW_VALUE_MAP || key->type == FGW_VALUE_ERROR
        || value->type == FGW_VALUE_ERROR)
        return map->type == FGW_VALUE_ERROR ? *map : fgw_cel_mismatch(cel, key, value);
    if (key->type != FGW_VALUE_BOOL && key->type != FGW_VALUE_INT && key->type != FGW_VALUE_UINT
        && key->type != FGW_VALUE_STRING)
        return cel_fail(cel, FGW_CEL_ERROR_KEY_TYPE);
    struct fgw_value held = fgw_cel_settled(cel, value);
    if (cel->ended)
        return cel_over(cel);
    int found = fgw_cel_find(cel, map, key, &old);
    if (found)
        return found < 0 ? old : cel_fail(cel, FGW_CEL_ERROR_DUPLICATE);
    if (more.length >= more.as.number && grow(cel, &more))
        return cel_over(cel);
    struct fgw_value *pair = &writable(&more)[2 * (size_t)more.length++];
    pair[0] = *key;
    pair[1] = held;
    return more;
}

struct fgw_value fgw_cel_merge(struct fgw_cel *cel, const struct fgw_value *map,
                               const struct fgw_value *other)
{
    struct fgw_value into = *map, more = fgw_cel_settled(cel, other);
    if (cel->ended)
        return cel_over(cel);
    if (more.type != FGW_VALUE_MAP || into.type != FGW_VALUE_MAP)
        return fgw_cel_mismatch(cel, map, other);
    for (uint32_t i = 0; i < more.length && into.type == FGW_VALUE_MAP; i++)
        into = fgw_cel_insert(cel, &into, &more.items[2 * (size_t)i],
                              &more.items[2 * (size_t)i + 1]);
    return into;
}

struct fgw_value fgw_cel_concatenated(struct fgw_cel *cel, const struct fgw_value *a,
                                      const struct fgw_value *b)
{
    uint64_t length = (uint64_t)a->length + b->length;
    if (cel_pay(cel, length / 2))
        return cel_over(cel);
    struct fgw_value list = made(cel, FGW_VALUE_LIST, length);
    if (cel->ended)
        return cel_over(cel);
    struct fgw_value *items = writable(&list);
    cel_copy((uint8_t *)items, (const uint8_t *)a->items, a->length * sizeof *items);
    cel_copy((uint8_t *)(items + a->length), (const uint8_t *)b->items, b->length * sizeof *items);
    list.length = (uint32_t)length;
    return list;
}

struct fgw_value fgw_cel_some(struct fgw_cel *cel, const struct fgw_value *held)
{
    struct fgw_value *kept = cel_take(cel, sizeof *kept);
    if (kept == NULL)
        return cel_over(cel);
    *kept = fgw_cel_settled(cel, held);
    return cel->ended ? cel_over(cel) : cel_optional(kept);
}

/* Optionals. */

struct fgw_value fgw_cel_f_OPTIONAL_OF(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return fgw_cel_some(cel, x);
}

struct fgw_value fgw_cel_f_OPTIONAL_NONE(struct fgw_cel *cel, const struct fgw_value *x,
                                         uint32_t n)
{
    (void)cel, (void)x, (void)n;
    return cel_optional(NULL);
}

static int is_zero(const struct fgw_value *x)
{
    switch (x->type) {
    case FGW_VALUE_NULL:
        return 1;
    case FGW_VALUE_STRING:
    case FGW_VALUE_BYTES:
    case FGW_VALUE_LIST:
    case FGW_VALUE_MAP:
        return x->length == 0;
    case FGW_VALUE_OPTIONAL:
        return x->items == NULL;
    case FGW_VALUE_DOUBLE:
        return x->as.real == 0;
    case FGW_VALUE_BOOL:
    case FGW_VALUE_INT:
    case FGW_VALUE_UINT:
    case FGW_VALUE_DURATION:
        return x->as.number == 0;
    default:
        return 0; /* a time, an address, a type */
    }
}

struct fgw_value fgw_cel_f_OPTIONAL_OF_NON_ZERO(struct fgw_cel *cel, const struct fgw_value *x,
                                                uint32_t n)
{
    (void)n;
    return is_zero(x) ? cel_optional(NULL) : fgw_cel_some(cel, x);
}

struct fgw_value fgw_cel_f_HAS_VALUE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    return cel_is(x, FGW_VALUE_OPTIONAL) ? cel_bool(x->items != NULL)
                                         : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

struct fgw_value fgw_cel_f_VALUE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (!cel_is(x, FGW_VALUE_OPTIONAL))
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    return x->items ? *x->items : cel_fail(cel, FGW_CEL_ERROR_NONE);
}

/* Lists. The work of each is paid before it begins. */

/* Copies of the elements that `keeps`, at most one for each. */
static struct fgw_value empty_like(struct fgw_cel *cel, const struct fgw_value *list)
{
    if (list->type != FGW_VALUE_LIST)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    if (cel_pay(cel, list->length))
        return cel_over(cel);
    return made(cel, FGW_VALUE_LIST, list->length);
}

struct fgw_value fgw_cel_f_OPTIONAL_UNWRAP(struct fgw_cel *cel, const struct fgw_value *x,
                                           uint32_t n)
{
    struct fgw_value list = empty_like(cel, x);
    (void)n;
    for (uint32_t i = 0; list.type == FGW_VALUE_LIST && i < x->length; i++) {
        const struct fgw_value *held = &x->items[i];
        if (held->type != FGW_VALUE_OPTIONAL)
            return cel_fail(cel, FGW_CEL_ERROR_TYPE);
        if (held->items)
            writable(&list)[list.length++] = *held->items;
    }
    return list;
}

struct fgw_value fgw_cel_f_SLICE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type != FGW_VALUE_LIST || x[1].type != FGW_VALUE_INT || x[2].type != FGW_VALUE_INT)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    int64_t from = x[1].as.number, to = x[2].as.number;
    if (from < 0 || from > to || to > x->length)
        return cel_fail(cel, FGW_CEL_ERROR_INDEX);
    struct fgw_value part = *x;
    part.items += from; /* elements never change: a part of them may be shared */
    part.length = (uint32_t)(to - from);
    part.as.number = 0;
    return part;
}

static struct fgw_value flatten(struct fgw_cel *cel, struct fgw_value *into,
                                const struct fgw_value *list, int64_t levels)
{
    if (cel->depth > FGW_CEL_DEPTH)
        return cel_fail(cel, FGW_CEL_ERROR_DEPTH);
    cel->depth++;
    for (uint32_t i = 0; i < list->length && into->type == FGW_VALUE_LIST; i++) {
        const struct fgw_value *x = &list->items[i];
        if (cel_pay(cel, 2))
            return cel_over(cel);
        if (x->type == FGW_VALUE_LIST && levels > 0)
            *into = flatten(cel, into, x, levels - 1);
        else
            *into = fgw_cel_append(cel, into, x);
    }
    cel->depth--;
    return *into;
}

struct fgw_value fgw_cel_f_FLATTEN(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    if (x->type != FGW_VALUE_LIST || (n == 2 && x[1].type != FGW_VALUE_INT))
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    if (n == 2 && x[1].as.number < 0)
        return cel_fail(cel, FGW_CEL_ERROR_ARGUMENT);
    struct fgw_value list = fgw_cel_list_new(cel, x->length);
    cel->depth = 0;
    return cel->ended ? cel_over(cel) : flatten(cel, &list, x, n == 2 ? x[1].as.number : 1);
}

struct fgw_value fgw_cel_f_DISTINCT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct fgw_value list = empty_like(cel, x);
    (void)n;
    for (uint32_t i = 0; list.type == FGW_VALUE_LIST && i < x->length; i++) {
        struct fgw_value known = fgw_cel_in(cel, &x->items[i], &list);
        if (known.type != FGW_VALUE_BOOL)
            return known;
        if (!known.as.number)
            writable(&list)[list.length++] = x->items[i];
    }
    return list;
}

/* Merges from[a, b) and from[b, c), both in order. 0; -1: *wrong is what they cannot be compared
 * for. */
static int merge_runs(struct fgw_cel *cel, const struct fgw_value *from, struct fgw_value *into,
                      const uint32_t bounds[3], struct fgw_value *wrong)
{
    uint32_t a = bounds[0], b = bounds[1];
    for (uint32_t at = bounds[0]; at < bounds[2]; at++) {
        int second = a == bounds[1];
        if (!second && b < bounds[2]) {
            int which = fgw_cel_order(cel, &from[a], &from[b]);
            if (which >= 3 || cel_pay(cel, 1)) {
                *wrong = fgw_cel_mismatch(cel, &from[a], &from[b]);
                return -1;
            }
            second = which == 1;
        }
        into[at] = second ? from[b++] : from[a++];
    }
    return 0;
}

/* Bottom-up merge sort: stable, n log n, with a second row for the runs. */
struct fgw_value fgw_cel_f_SORT(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    struct fgw_value list = empty_like(cel, x), wrong;
    (void)n;
    if (list.type != FGW_VALUE_LIST)
        return list;
    struct fgw_value other = made(cel, FGW_VALUE_LIST, x->length);
    if (cel->ended)
        return cel_over(cel);
    cel_copy((uint8_t *)writable(&list), (const uint8_t *)x->items,
             x->length * sizeof(struct fgw_value));
    list.length = other.length = x->length;
    if (x->length && fgw_cel_order(cel, x->items, x->items) >= 3)
        return fgw_cel_mismatch(cel, x->items, x->items);
    for (uint64_t run = 1; run < list.length; run *= 2) {
        for (uint64_t at = 0; at < list.length; at += 2 * run) {
            uint64_t middle = at + run < list.length ? at + run : list.length;
            uint64_t end = at + 2 * run < list.length ? at + 2 * run : list.length;
            uint32_t bounds[3] = {(uint32_t)at, (uint32_t)middle, (uint32_t)end};
            if (merge_runs(cel, list.items, writable(&other), bounds, &wrong))
                return wrong;
        }
        struct fgw_value sorted = other;
        other = list;
        list = sorted;
    }
    return list;
}

struct fgw_value fgw_cel_f_RANGE(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type != FGW_VALUE_INT)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    int64_t count = x->as.number < 0 ? 0 : x->as.number;
    if (cel_pay(cel, (uint64_t)count)) /* so it fits 32 bits */
        return cel_over(cel);
    struct fgw_value list = fgw_cel_list_new(cel, (uint32_t)count);
    for (int64_t i = 0; !cel->ended && i < count; i++)
        writable(&list)[list.length++] = cel_int(i);
    return list;
}

struct fgw_value fgw_cel_f_FIRST(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type != FGW_VALUE_LIST)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    return x->length ? fgw_cel_some(cel, &x->items[0]) : cel_optional(NULL);
}

struct fgw_value fgw_cel_f_LAST(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type != FGW_VALUE_LIST)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    return x->length ? fgw_cel_some(cel, &x->items[x->length - 1]) : cel_optional(NULL);
}
