/* fgw_regex_match.c - running a program over a text: see fgw_regex.h. */
#define _GNU_SOURCE /* memmem: two-way search, linear in the text */
#include <string.h>

#include "fgw_regex_machine.h"

/* Below so many bytes, looking for the literal or keeping states costs more than it saves. */
#define SHORT 64
/* A cache that was filled and served fewer characters than this for each state is no use: the
 * set is walked from then on. RE2's measure. */
#define WORTH 10
#define OVER_BUDGET (-2)

static const struct fgw_regex_program *header(const uint8_t *program)
{
    return (const struct fgw_regex_program *)(const void *)program;
}

size_t fgw_regex_size(const uint8_t *program)
{
    return header(program)->magic == FGW_REGEX_MAGIC ? header(program)->size : 0;
}

size_t fgw_regex_scratch_min(const uint8_t *program)
{
    const struct fgw_regex_program *read = header(program);
    int none = read->cells > 0 || (read->flags & FGW_REGEX_IS_LITERAL);
    return none ? 0 : fgw_regex_machine_room(read);
}

static int is_literal(const struct fgw_regex_program *program, const uint8_t *text,
                      size_t length)
{
    const uint8_t *literal = (const uint8_t *)program + program->literal_at;
    size_t size = program->literal_length;
    uint32_t ends = program->flags & (FGW_REGEX_AT_BEGIN | FGW_REGEX_AT_END);
    if (length < size || (ends == (FGW_REGEX_AT_BEGIN | FGW_REGEX_AT_END) && length != size))
        return 0;
    if (ends & FGW_REGEX_AT_BEGIN)
        return memcmp(text, literal, size) == 0;
    if (ends & FGW_REGEX_AT_END)
        return memcmp(text + length - size, literal, size) == 0;
    return memmem(text, length, literal, size) != NULL;
}

static int run_table(const struct fgw_regex_program *program, const uint8_t *text, size_t length,
                     size_t at, uint64_t *steps)
{
    const uint16_t *cells =
        (const uint16_t *)(const void *)((const uint8_t *)program + program->table_at);
    uint32_t row = program->table_start;
    size_t begin = at;
    while (row >= 2 && at < length)
        row = cells[row + fgw_regex_class_at(program, text, length, &at)];
    *steps += at - begin + 1;
    return (int)(row >= 2 ? cells[row + program->classes] : row);
}

/* From a machine whose `now` is the set at text[at]. */
static int run_set(struct fgw_regex_machine *machine, const uint8_t *text, size_t length,
                   size_t at, uint32_t before)
{
    while (at < length) {
        uint32_t class = fgw_regex_class_at(machine->program, text, length, &at);
        if (machine->steps > machine->steps_max)
            return OVER_BUDGET;
        if (fgw_regex_machine_step(machine, before, class))
            return 1;
        before = machine->traits[class];
        uint64_t *next = machine->next;
        machine->next = machine->now;
        machine->now = next;
    }
    return fgw_regex_machine_step(machine, before, machine->program->classes);
}

static int run_states(struct fgw_regex_machine *machine, struct fgw_regex_cache *cache,
                      const uint8_t *text, size_t length, size_t at)
{
    const struct fgw_regex_program *program = machine->program;
    size_t filled_from = at;
    uint32_t state = fgw_regex_cache_keep(cache, machine, machine->now, FGW_REGEX_IS_BEGIN);
    if (state == FGW_REGEX_UNKNOWN)
        return run_set(machine, text, length, at, FGW_REGEX_IS_BEGIN);
    while (state > FGW_REGEX_FOUND && at < length) {
        uint32_t class = fgw_regex_class_at(program, text, length, &at);
        uint32_t to = fgw_regex_cache_state(cache, state)->next[class];
        machine->steps++;
        if (to == FGW_REGEX_UNKNOWN) {
            if (machine->steps > machine->steps_max)
                return OVER_BUDGET;
            to = fgw_regex_cache_step(cache, machine, state, class);
            if (to == FGW_REGEX_UNKNOWN) { /* full: begin anew, if it was worth it */
                uint64_t *set = machine->next;
                machine->next = machine->now;
                machine->now = set;
                if (at - filled_from < (size_t)WORTH * cache->n_states)
                    return run_set(machine, text, length, at, machine->traits[class]);
                (void)fgw_regex_cache_init(cache, cache->memory, cache->room);
                filled_from = at;
                to = fgw_regex_cache_keep(cache, machine, set, machine->traits[class]);
                if (to == FGW_REGEX_UNKNOWN)
                    return run_set(machine, text, length, at, machine->traits[class]);
            }
        }
        state = to;
    }
    if (state > FGW_REGEX_FOUND)
        state = fgw_regex_cache_step(cache, machine, state, program->classes);
    return state == FGW_REGEX_FOUND;
}

int fgw_regex_match(const uint8_t *bytes, const uint8_t *text, size_t length,
                    struct fgw_regex_scratch *scratch)
{
    const struct fgw_regex_program *program = header(bytes);
    struct fgw_regex_machine machine;
    struct fgw_regex_cache cache;
    size_t at = 0, needed = fgw_regex_scratch_min(bytes);
    if (program->flags & FGW_REGEX_IS_LITERAL) {
        scratch->steps += length + 1;
        return is_literal(program, text, length);
    }
    if (needed > scratch->room)
        return -1;
    uint64_t bound = scratch->steps_max ? scratch->steps_max : UINT64_MAX;
    if (scratch->steps > bound || bound - scratch->steps <= length)
        return OVER_BUDGET;
    if (length > SHORT && program->literal_length > 0) {
        const uint8_t *found = memmem(text, length, bytes + program->literal_at,
                                      program->literal_length);
        scratch->steps += length;
        if (found == NULL)
            return 0;
        if (program->flags & FGW_REGEX_LEADS)
            at = (size_t)(found - text);
    }
    if (program->cells > 0)
        return run_table(program, text, length, at, &scratch->steps);
    fgw_regex_machine_init(&machine, program, scratch->memory);
    machine.steps_max = bound > scratch->steps ? bound - scratch->steps : 0;
    int found = fgw_regex_machine_start(&machine);
    if (!found && (length - at <= SHORT
                   || fgw_regex_cache_init(&cache, scratch->memory + needed,
                                           scratch->room - needed)))
        found = run_set(&machine, text, length, at, FGW_REGEX_IS_BEGIN);
    else if (!found)
        found = run_states(&machine, &cache, text, length, at);
    scratch->steps += machine.steps + (length - at) + 1;
    return found;
}

/* Whether `count` items of `each` bytes at `at`, aligned, lie inside a program of that size. */
static int lies(const struct fgw_regex_program *program, uint32_t at, uint64_t count,
                uint32_t each)
{
    return at >= sizeof *program && at % each == 0 && at <= program->size
           && count * each <= program->size - at;
}

static int verify_code(const struct fgw_regex_program *program)
{
    const struct fgw_regex_inst *code = (const struct fgw_regex_inst *)(const void *)(
        (const uint8_t *)program + program->code_at);
    for (uint32_t i = 0; i < program->n_code; i++) {
        const struct fgw_regex_inst *inst = &code[i];
        if (inst->op > FGW_REGEX_FAIL || inst->x >= program->n_code || inst->y >= program->n_code
            || (inst->op == FGW_REGEX_SET && inst->arg >= program->sets))
            return -1;
    }
    return 0;
}

static int verify_alphabet(const struct fgw_regex_program *program)
{
    const uint8_t *base = (const uint8_t *)program;
    const uint16_t *classes = (const uint16_t *)(const void *)(base + program->class_at);
    for (uint32_t i = 0; i < 128; i++)
        if (program->ascii[i] >= program->classes)
            return -1;
    for (uint32_t i = 0; i < program->wide; i++)
        if (classes[i] >= program->classes)
            return -1;
    return 0;
}

static int verify_table(const struct fgw_regex_program *program)
{
    const uint16_t *cells =
        (const uint16_t *)(const void *)((const uint8_t *)program + program->table_at);
    uint32_t columns = program->classes + 1u;
    for (uint32_t i = 0; i < program->cells; i++)
        if (cells[i] >= 2
            && ((cells[i] - 2u) % columns != 0 || cells[i] + columns > program->cells))
            return -1;
    uint32_t start = program->table_start;
    return start >= 2 && start + columns > program->cells ? -1 : 0;
}

int fgw_regex_verify(const uint8_t *bytes, size_t size)
{
    const struct fgw_regex_program *program = header(bytes);
    if (size < sizeof *program || program->magic != FGW_REGEX_MAGIC || program->size > size
        || program->size < sizeof *program)
        return -1;
    uint64_t set_words = (uint64_t)program->sets * program->set_words;
    if (!lies(program, program->code_at, program->n_code, sizeof(struct fgw_regex_inst))
        || !lies(program, program->sets_at, set_words, 4)
        || !lies(program, program->wide_at, program->wide, 4)
        || !lies(program, program->class_at, program->wide, 2)
        || !lies(program, program->trait_at, program->classes, 1)
        || !lies(program, program->literal_at, program->literal_length, 1)
        || (program->cells > 0 && !lies(program, program->table_at, program->cells, 2))
        || program->n_code == 0 || program->n_code > FGW_REGEX_CODE_MAX || program->classes < 2
        || program->start >= program->n_code || program->wide == 0
        || program->set_words * 32u < program->classes)
        return -1;
    return verify_code(program) || verify_alphabet(program)
                   || (program->cells > 0 && verify_table(program))
               ? -1 : 0;
}
