/* index_fuzz.c - a damaged rule index under the sanitizers: index_fuzz FILE ROUNDS.
 *
 * FILE is a sound index. Bytes of copies, each an allocation of exactly its size, are changed at
 * random; what the verifier lets pass is walked with random facts and must stay inside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fgw_index.h"

static uint64_t seed = 7;

static uint32_t pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void make_facts(struct fgw_value *facts, uint32_t count)
{
    static const char *const TEXTS[] = {"", "a", "ab", "b", "10.1.2.3", "::1", "m7", "other-3-x"};
    for (uint32_t i = 0; i < count; i++) {
        const char *text = TEXTS[pick(8)];
        facts[i] = (struct fgw_value){.type = pick(5)}; /* absent, bool, int, string, double */
        if (facts[i].type == FGW_VALUE_STRING) {
            facts[i].bytes = (const uint8_t *)text;
            facts[i].length = (uint32_t)strlen(text);
        } else {
            facts[i].as.number = (int64_t)pick(2000) - 1000;
        }
    }
}

/* A walk gives ascending numbers of rules, and ends. */
static int walk_is_sound(const struct fgw_index *index)
{
    struct fgw_value *facts = malloc(index->n_facts * sizeof *facts + 1);
    struct fgw_index_walk walk;
    uint32_t last = 0, count = 0, rule;
    make_facts(facts, index->n_facts);
    fgw_index_start(index, facts, &walk);
    free(facts);
    while ((rule = fgw_index_next(&walk)) != FGW_INDEX_NO_RULE) {
        if (rule >= index->n_rules || (count > 0 && rule <= last) || count++ > index->n_rules)
            return 0;
        last = rule;
    }
    return 1;
}

int main(int argc, char **argv)
{
    static uint8_t whole[1 << 20];
    FILE *file = argc > 2 ? fopen(argv[1], "rb") : NULL;
    size_t size = file ? fread(whole, 1, sizeof whole, file) : 0;
    long rounds = argc > 2 ? atol(argv[2]) : 0, passed = 0;
    if (size == 0 || fgw_index_verify(whole, size) != 0)
        return 2;
    for (long i = 0; i < rounds; i++) {
        size_t length = pick(20) ? size : pick((uint32_t)size);
        uint8_t *copy = malloc(length + 1);
        memcpy(copy, whole, length);
        for (uint32_t n = pick(4); n > 0 && length > 0; n--)
            copy[pick(2) ? pick((uint32_t)length) : pick(400) % length] = (uint8_t)pick(256);
        if (fgw_index_verify(copy, length) == 0) {
            passed++;
            if (!walk_is_sound((const void *)copy))
                return 1;
        }
        free(copy);
    }
    fclose(file);
    printf("%ld of %ld passed the verifier\n", passed, rounds);
    return passed > 0 ? 0 : 3;
}
