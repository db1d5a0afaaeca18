#include "fgw_cel_machine.h"
#include "fgw_glob.h"
#include "fgw_regex.h"

#define REGEX_ROOM 8192      /* bytes in which a pattern of the run itself is compiled */
#define REGEX_COMPILE 10000  /* steps that it costs: at most about 100 us */
#define REGEX_STATES 16384   /* scratch beyond the least, for the states of a large pattern */
#define REGEX_STEPS 4        /* characters or instructions of a match for one step */

fgw_cel_call *const fgw_cel_calls[FGW_CEL_FUNCTION_COUNT] = {
#define FGW_CEL_ENTRY(name, least, most) fgw_cel_f_##name,
    FGW_CEL_FUNCTIONS(FGW_CEL_ENTRY)
#undef FGW_CEL_ENTRY
};

struct fgw_value fgw_cel_f_GLOB(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type != FGW_VALUE_STRING || x[1].type != FGW_VALUE_STRING)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    /* Only what stands behind a star is tried at every place. */
    if (cel_pay(cel, ((uint64_t)x->length * x[1].length + x->length + x[1].length) / 8))
        return cel_over(cel);
    return cel_bool(fgw_glob_match(x[1].bytes, x[1].length, x->bytes, x->length));
}

static struct fgw_value match(struct fgw_cel *cel, const uint8_t *program,
                              const struct fgw_value *text)
{
    struct fgw_cel_run *run = cel->run;
    uint32_t before = run->arena_used, room = run->arena_size - before;
    uint64_t least = fgw_regex_scratch_min(program);
    uint64_t wanted = least ? least + REGEX_STATES : 0;
    struct fgw_regex_scratch scratch = {
        .memory = run->arena + before, .room = wanted < room ? wanted : room,
        .steps_max = (uint64_t)cel->steps * REGEX_STEPS + 1}; /* 0 would be: without end */
    if (least > room) {
        cel->ended = 2;
        return cel_over(cel);
    }
    int found = fgw_regex_match(program, text->bytes, text->length, &scratch);
    if (cel_pay(cel, scratch.steps / REGEX_STEPS) || found == -2) {
        cel->ended = 1;
        return cel_over(cel);
    }
    return cel_bool(found);
}

/* A pattern that is known only at run time: compiled behind what the arena holds. */
static struct fgw_value match_text(struct fgw_cel *cel, const struct fgw_value *x)
{
    struct fgw_cel_run *run = cel->run;
    struct fgw_regex_error error;
    uint32_t before = run->arena_used, room = run->arena_size - before;
    if (cel_pay(cel, REGEX_COMPILE))
        return cel_over(cel);
    int64_t size = fgw_regex_compile(x[1].bytes, x[1].length, run->arena + before,
                                     room < REGEX_ROOM ? room : REGEX_ROOM, &error);
    if (size < 0)
        return cel_fail(cel, FGW_CEL_ERROR_REGEX);
    run->arena_used = before + (uint32_t)size;
    struct fgw_value found = match(cel, run->arena + before, x);
    run->arena_used = before;
    return found;
}

struct fgw_value fgw_cel_f_MATCHES(struct fgw_cel *cel, const struct fgw_value *x, uint32_t n)
{
    (void)n;
    if (x->type != FGW_VALUE_STRING)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    if (x[1].type == FGW_VALUE_REGEX)
        return match(cel, x[1].bytes, x);
    return x[1].type == FGW_VALUE_STRING ? match_text(cel, x)
                                         : cel_fail(cel, FGW_CEL_ERROR_TYPE);
}

static int same_name(const struct fgw_value *a, const struct fgw_value *b)
{
    if (a->length != b->length)
        return 0;
    for (uint32_t i = 0; i < a->length; i++) {
        uint8_t x = a->bytes[i], y = b->bytes[i];
        x = (uint8_t)(x | ((uint8_t)(x - 'A') < 26 ? 0x20 : 0));
        y = (uint8_t)(y | ((uint8_t)(y - 'A') < 26 ? 0x20 : 0));
        if (x != y)
            return 0;
    }
    return 1;
}

struct fgw_value fgw_cel_f_GET_REQ_HEADER(struct fgw_cel *cel, const struct fgw_value *x,
                                          uint32_t n)
{
    const struct fgw_cel_source *source = cel->run->source;
    struct fgw_value list = fgw_cel_list_new(cel, 0), name, value;
    (void)n;
    if (x->type != FGW_VALUE_STRING)
        return cel_fail(cel, FGW_CEL_ERROR_TYPE);
    uint32_t lines = source ? source->count(source->owner, FGW_CEL_SOURCE_HEADER_LINES) : 0;
    for (uint32_t i = 0; i < lines && !cel->ended; i++) {
        source->entry(source->owner, FGW_CEL_SOURCE_HEADER_LINES, i, &name, &value);
        if (cel_pay(cel, 2 + x->length / 8u))
            return cel_over(cel);
        if (same_name(&name, x))
            list = fgw_cel_append(cel, &list, &value);
    }
    return list;
}
