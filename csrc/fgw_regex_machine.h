/* fgw_regex_machine.h - a program at work: sets of instructions, and states made of them.
 *
 * A set is a bitmap over the instructions. One step takes the set before a character to the one
 * behind it. A state is a set with what stood before it; the cache keeps states, and where each
 * leads for each class of characters, as far as that was asked:
 *
 *     cache:  | slots of a hash table | state | state | ...
 *     state:  | hash, count, traits | next by class, and for the text's end | its instructions |
 */
#ifndef FGW_REGEX_MACHINE_H
#define FGW_REGEX_MACHINE_H

#include "fgw_regex_state.h"

/* Where a state leads, if not to another state (its offset in the cache's memory). */
#define FGW_REGEX_UNKNOWN 0u
#define FGW_REGEX_DEAD 1u
#define FGW_REGEX_FOUND 2u

struct fgw_regex_machine {
    const struct fgw_regex_program *program;
    const struct fgw_regex_inst *code;
    const uint32_t *sets;
    const uint8_t *traits;
    uint64_t *now;
    uint64_t *next;
    uint16_t *stack;
    uint32_t words; /* of a bitmap */
    uint64_t steps;
    uint64_t steps_max; /* of this machine; UINT64_MAX: no bound */
};

struct fgw_regex_state {
    uint32_t hash;
    uint16_t count;
    uint16_t traits; /* of what stood before */
    uint32_t next[]; /* classes + 1; then uint16_t[count] */
};

struct fgw_regex_cache {
    uint8_t *memory;
    size_t room;
    size_t used;
    uint32_t n_slots; /* a power of two */
    uint32_t n_states;
};

/* Bytes that a machine for this program needs. */
size_t fgw_regex_machine_room(const struct fgw_regex_program *program);

/* Lays the machine out in memory of that size. */
void fgw_regex_machine_init(struct fgw_regex_machine *machine,
                            const struct fgw_regex_program *program, uint8_t *memory);

/* Fills `now` as it is before the first character. 1: found already. */
int fgw_regex_machine_start(struct fgw_regex_machine *machine);

/* From `now` to `next` over a character of the class; `before`: the traits of what stood before
 * it. 1: found. The class one beyond the last is the text's end: only the result counts. */
int fgw_regex_machine_step(struct fgw_regex_machine *machine, uint32_t before, uint32_t class);

/* -1 if the memory is too small for a cache that is worth it. */
int fgw_regex_cache_init(struct fgw_regex_cache *cache, uint8_t *memory, size_t room);

/* The state of this bitmap: its offset, FGW_REGEX_DEAD if nothing is in it, or
 * FGW_REGEX_UNKNOWN if the cache is full. */
uint32_t fgw_regex_cache_keep(struct fgw_regex_cache *cache,
                              const struct fgw_regex_machine *machine, const uint64_t *set,
                              uint32_t traits);

/* Where the state at `from` leads over a class: computed and kept, as above. Behind UNKNOWN
 * machine->next is the set that had no room. */
uint32_t fgw_regex_cache_step(struct fgw_regex_cache *cache, struct fgw_regex_machine *machine,
                              uint32_t from, uint32_t class);

static inline struct fgw_regex_state *fgw_regex_cache_state(const struct fgw_regex_cache *cache,
                                                            uint32_t at)
{
    return (struct fgw_regex_state *)(void *)(cache->memory + at);
}

/* The class of a character beyond ASCII. */
static inline uint32_t fgw_regex_wide_class(const struct fgw_regex_program *program, uint32_t code)
{
    const uint8_t *base = (const uint8_t *)program;
    const uint32_t *begins = (const uint32_t *)(const void *)(base + program->wide_at);
    uint32_t low = 0, high = program->wide;
    if (code >= FGW_REGEX_CODE_END)
        return 0;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (begins[middle] <= code)
            low = middle;
        else
            high = middle;
    }
    return ((const uint16_t *)(const void *)(base + program->class_at))[low];
}

/* The class of the character at text[*at], which moves behind it. */
static inline uint32_t fgw_regex_class_at(const struct fgw_regex_program *program,
                                          const uint8_t *text, size_t length, size_t *at)
{
    uint8_t byte = text[*at];
    if (byte < 0x80) {
        *at += 1;
        return program->ascii[byte];
    }
    return fgw_regex_wide_class(program, fgw_regex_decode(text, length, at));
}

#endif
