/* fgw_regex_machine.c - see fgw_regex_machine.h. */
#include "fgw_regex_machine.h"

#include <string.h>

#define TABLE_ROWS_MAX 512

size_t fgw_regex_machine_room(const struct fgw_regex_program *program)
{
    size_t words = (program->n_code + 63u) / 64;
    return 2 * words * sizeof(uint64_t) + ((program->n_code * sizeof(uint16_t) + 7) & ~(size_t)7);
}

void fgw_regex_machine_init(struct fgw_regex_machine *machine,
                            const struct fgw_regex_program *program, uint8_t *memory)
{
    const uint8_t *base = (const uint8_t *)program;
    machine->program = program;
    machine->code = (const struct fgw_regex_inst *)(const void *)(base + program->code_at);
    machine->sets = (const uint32_t *)(const void *)(base + program->sets_at);
    machine->traits = base + program->trait_at;
    machine->words = (program->n_code + 63u) / 64;
    machine->now = (uint64_t *)(void *)memory;
    machine->next = machine->now + machine->words;
    machine->stack = (uint16_t *)(void *)(machine->next + machine->words);
    machine->steps = 0;
    machine->steps_max = UINT64_MAX;
}

static inline int mark(uint64_t *set, uint32_t i)
{
    uint64_t bit = (uint64_t)1 << i % 64;
    if (set[i / 64] & bit)
        return 0;
    set[i / 64] |= bit;
    return 1;
}

/* Adds instruction `i` and all that follow it without a character, at a place where `holds`
 * (enum fgw_regex_place) is so. Each is pushed once at most: the stack cannot run over. */
static int add(struct fgw_regex_machine *machine, uint64_t *set, uint32_t i, uint32_t holds)
{
    uint16_t *stack = machine->stack;
    uint32_t depth = 0;
    int found = 0;
    if (mark(set, i))
        stack[depth++] = (uint16_t)i;
    while (depth > 0) {
        const struct fgw_regex_inst *inst = &machine->code[stack[--depth]];
        machine->steps++;
        switch (inst->op) {
        case FGW_REGEX_SPLIT:
            if (mark(set, inst->y))
                stack[depth++] = inst->y;
            if (mark(set, inst->x))
                stack[depth++] = inst->x;
            break;
        case FGW_REGEX_ASSERT:
            if ((inst->arg & holds) && mark(set, inst->x))
                stack[depth++] = inst->x;
            break;
        case FGW_REGEX_MATCH:
            found = 1;
            break;
        default:
            break;
        }
    }
    return found;
}

int fgw_regex_machine_start(struct fgw_regex_machine *machine)
{
    memset(machine->now, 0, machine->words * sizeof *machine->now);
    return add(machine, machine->now, machine->program->start, 0);
}

/* What holds between a character with the traits `before` and the next, of `class`. */
static uint32_t places_between(const struct fgw_regex_machine *machine, uint32_t before,
                               uint32_t class)
{
    int ends = class == machine->program->classes;
    uint32_t after = ends ? 0 : machine->traits[class], holds;
    holds = (before ^ after) & FGW_REGEX_IS_WORD ? FGW_REGEX_WORD_EDGE : FGW_REGEX_NO_WORD_EDGE;
    if (before & FGW_REGEX_IS_BEGIN)
        holds |= FGW_REGEX_TEXT_BEGIN | FGW_REGEX_LINE_BEGIN;
    if (before & FGW_REGEX_IS_NEWLINE)
        holds |= FGW_REGEX_LINE_BEGIN;
    if (ends)
        holds |= FGW_REGEX_TEXT_END | FGW_REGEX_LINE_END;
    if (after & FGW_REGEX_IS_NEWLINE)
        holds |= FGW_REGEX_LINE_END;
    return holds;
}

/* Follows the assertions in `now` that hold. */
static int settle(struct fgw_regex_machine *machine, uint32_t holds)
{
    int found = 0;
    for (uint32_t w = 0; w < machine->words; w++)
        for (uint64_t word = machine->now[w]; word != 0; word &= word - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(word);
            const struct fgw_regex_inst *inst = &machine->code[i];
            machine->steps++;
            if (inst->op == FGW_REGEX_ASSERT && (inst->arg & holds))
                found |= add(machine, machine->now, inst->x, holds);
        }
    return found;
}

int fgw_regex_machine_step(struct fgw_regex_machine *machine, uint32_t before, uint32_t class)
{
    const struct fgw_regex_program *program = machine->program;
    uint32_t set_words = program->set_words;
    int found = 0;
    if ((program->flags & FGW_REGEX_ASSERTS)
        && settle(machine, places_between(machine, before, class)))
        return 1;
    if (class == program->classes)
        return 0;
    memset(machine->next, 0, machine->words * sizeof *machine->next);
    for (uint32_t w = 0; w < machine->words; w++)
        for (uint64_t word = machine->now[w]; word != 0; word &= word - 1) {
            const struct fgw_regex_inst *inst =
                &machine->code[w * 64 + (uint32_t)__builtin_ctzll(word)];
            machine->steps++;
            if (inst->op == FGW_REGEX_CHAR ? inst->arg == class
                : inst->op == FGW_REGEX_SET
                    && (machine->sets[inst->arg * set_words + class / 32] >> class % 32 & 1))
                found |= add(machine, machine->next, inst->x, 0);
        }
    /* A match may begin behind this character as well. */
    return found | add(machine, machine->next, program->start, 0);
}

int fgw_regex_cache_init(struct fgw_regex_cache *cache, uint8_t *memory, size_t room)
{
    if (room < 1024)
        return -1;
    cache->memory = memory;
    cache->room = room & ~(size_t)7;
    for (cache->n_slots = 16; cache->n_slots * 32u < room && cache->n_slots < 16384;)
        cache->n_slots *= 2;
    memset(memory, 0, cache->n_slots * sizeof(uint32_t));
    cache->used = cache->n_slots * sizeof(uint32_t);
    cache->n_states = 0;
    return 0;
}

/* Whether an instruction says something about what is still to come. */
static inline int matters(const struct fgw_regex_inst *inst, uint32_t traits)
{
    if (inst->op == FGW_REGEX_ASSERT)
        return inst->arg != FGW_REGEX_TEXT_BEGIN || (traits & FGW_REGEX_IS_BEGIN);
    return inst->op <= FGW_REGEX_SET;
}

uint32_t fgw_regex_cache_keep(struct fgw_regex_cache *cache,
                              const struct fgw_regex_machine *machine, const uint64_t *set,
                              uint32_t traits)
{
    uint32_t columns = machine->program->classes + 1u, hash = traits + 1, count = 0;
    size_t head = sizeof(struct fgw_regex_state) + columns * sizeof(uint32_t);
    if (cache->used + head > cache->room)
        return FGW_REGEX_UNKNOWN;
    struct fgw_regex_state *state = fgw_regex_cache_state(cache, (uint32_t)cache->used);
    uint16_t *insts = (uint16_t *)(void *)((uint8_t *)state + head);
    size_t most = (cache->room - cache->used - head) / sizeof *insts;
    for (uint32_t w = 0; w < machine->words; w++)
        for (uint64_t word = set[w]; word != 0; word &= word - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(word);
            if (!matters(&machine->code[i], traits))
                continue;
            if (count >= most)
                return FGW_REGEX_UNKNOWN;
            insts[count++] = (uint16_t)i;
            hash = (hash ^ i) * 0x9E3779B1u;
            hash ^= hash >> 15;
        }
    if (count == 0)
        return FGW_REGEX_DEAD;
    uint32_t *slots = (uint32_t *)(void *)cache->memory, at = hash & (cache->n_slots - 1);
    for (; slots[at] != 0; at = (at + 1) & (cache->n_slots - 1)) {
        const struct fgw_regex_state *other = fgw_regex_cache_state(cache, slots[at]);
        if (other->hash == hash && other->count == count && other->traits == traits
            && memcmp((const uint8_t *)other + head, insts, count * sizeof *insts) == 0)
            return slots[at];
    }
    if (cache->n_states + 1 >= cache->n_slots)
        return FGW_REGEX_UNKNOWN;
    state->hash = hash;
    state->count = (uint16_t)count;
    state->traits = (uint16_t)traits;
    memset(state->next, 0, columns * sizeof(uint32_t));
    slots[at] = (uint32_t)cache->used;
    cache->used = (cache->used + head + count * sizeof *insts + 7) & ~(size_t)7;
    cache->n_states++;
    return slots[at];
}

uint32_t fgw_regex_cache_step(struct fgw_regex_cache *cache, struct fgw_regex_machine *machine,
                              uint32_t from, uint32_t class)
{
    const struct fgw_regex_program *program = machine->program;
    struct fgw_regex_state *state = fgw_regex_cache_state(cache, from);
    const uint16_t *insts = (const uint16_t *)(const void *)(state->next + program->classes + 1);
    memset(machine->now, 0, machine->words * sizeof *machine->now);
    for (uint32_t i = 0; i < state->count; i++)
        machine->now[insts[i] / 64] |= (uint64_t)1 << insts[i] % 64;
    uint32_t to = FGW_REGEX_DEAD;
    if (fgw_regex_machine_step(machine, state->traits, class))
        to = FGW_REGEX_FOUND;
    else if (class < program->classes)
        to = fgw_regex_cache_keep(cache, machine, machine->next, machine->traits[class]);
    state->next[class] = to;
    return to;
}

/* Follows every state over every class. -1: there are too many for a table. */
static int explore(struct fgw_regex_cache *cache, struct fgw_regex_machine *machine,
                   uint32_t *start)
{
    uint32_t columns = machine->program->classes + 1u;
    *start = FGW_REGEX_FOUND;
    if (fgw_regex_machine_start(machine))
        return 0;
    *start = fgw_regex_cache_keep(cache, machine, machine->now, FGW_REGEX_IS_BEGIN);
    if (*start <= FGW_REGEX_DEAD)
        return *start == FGW_REGEX_DEAD ? 0 : -1;
    size_t head = sizeof(struct fgw_regex_state) + columns * sizeof(uint32_t);
    for (size_t at = *start; at < cache->used;) {
        struct fgw_regex_state *state = fgw_regex_cache_state(cache, (uint32_t)at);
        for (uint32_t class = 0; class < columns; class++)
            if (fgw_regex_cache_step(cache, machine, (uint32_t)at, class) == FGW_REGEX_UNKNOWN)
                return -1;
        if (cache->n_states > TABLE_ROWS_MAX
            || 2 + cache->n_states * columns > FGW_REGEX_CELLS_MAX)
            return -1;
        at = (at + head + state->count * sizeof(uint16_t) + 7) & ~(size_t)7;
    }
    return 0;
}

/* The states' rows in the order in which they lie in the cache; hash becomes each one's row. */
static void write_table(const struct fgw_regex_cache *cache, uint32_t start, uint32_t columns,
                        uint16_t *cells)
{
    size_t head = sizeof(struct fgw_regex_state) + columns * sizeof(uint32_t);
    uint32_t row = 2;
    cells[0] = cells[1] = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t at = start; at < cache->used;) {
            struct fgw_regex_state *state = fgw_regex_cache_state(cache, (uint32_t)at);
            if (pass == 0) {
                state->hash = row;
                row += columns;
            } else {
                for (uint32_t i = 0; i < columns; i++)
                    cells[state->hash + i] = (uint16_t)(
                        state->next[i] <= FGW_REGEX_FOUND
                            ? state->next[i] - FGW_REGEX_DEAD
                            : fgw_regex_cache_state(cache, state->next[i])->hash);
            }
            at = (at + head + state->count * sizeof(uint16_t) + 7) & ~(size_t)7;
        }
    }
}

size_t fgw_regex_make_table(uint8_t *bytes, size_t room)
{
    struct fgw_regex_program *program = (struct fgw_regex_program *)(void *)bytes;
    struct fgw_regex_machine machine;
    struct fgw_regex_cache cache;
    size_t size = program->size, needed = fgw_regex_machine_room(program);
    size_t table_room = (FGW_REGEX_CELLS_MAX * sizeof(uint16_t) + 7) & ~(size_t)7;
    uint32_t start, columns = program->classes + 1u;
    if (table_room > (room - size) / 4)
        table_room = (room - size) / 4 & ~(size_t)7;
    if (room - size < table_room + needed)
        return size;
    uint8_t *memory = bytes + size + table_room;
    fgw_regex_machine_init(&machine, program, memory);
    if (fgw_regex_cache_init(&cache, memory + needed, room - size - table_room - needed)
        || explore(&cache, &machine, &start))
        return size;
    uint32_t cells = 2 + cache.n_states * columns;
    size_t added = (cells * sizeof(uint16_t) + 7) & ~(size_t)7;
    if (added > table_room)
        return size;
    uint16_t *table = (uint16_t *)(void *)(bytes + size);
    memset(table, 0, added);
    if (start > FGW_REGEX_FOUND)
        write_table(&cache, start, columns, table);
    program->table_at = (uint32_t)size;
    program->cells = cells;
    program->table_start = start > FGW_REGEX_FOUND ? 2 : start - FGW_REGEX_DEAD;
    program->size = (uint32_t)(size + added);
    return program->size;
}
