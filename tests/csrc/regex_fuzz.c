/* regex_fuzz.c - hostile patterns and texts under the sanitizers: regex_fuzz ROUNDS SEED.
 *
 * Patterns are shuffled from pieces of the syntax and from bytes; every buffer is an allocation of
 * exactly its size, so that one byte beyond it ends the program. The ways to match must agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fgw_regex.h"
#include "fgw_regex_state.h"

static const char *const PIECES[] = {
    "a", "b", "é", "\xF0\x9F\x98\x80", ".", "\\d", "\\w", "\\pL", "\\p{Greek}", "\\PN", "[a-z]",
    "[^a]", "[", "]", "(", ")", "(?:", "(?i)", "(?i:", "(?m)", "(?s:", "(?P<n>", "|", "*", "+",
    "?", "{2}",
    "{0,3}", "{2,}", "{1000}", "{", "}", "^", "$", "\\b", "\\B", "\\A", "\\z", "\\Q", "\\E",
    "\\x{",
    "1F600}", "\\x41", "\\101", "[[:alpha:]", "[:", ":]", "[^]", "-", "\\", "\xFF", "\xC3", "&&",
};
#define N_PIECES (sizeof PIECES / sizeof *PIECES)

static uint64_t seed;

static uint32_t pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void *exactly(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (memory == NULL)
        exit(2);
    memset(memory, 0xA5, size);
    return memory;
}

static size_t make_pattern(uint8_t *into)
{
    size_t length = 0;
    for (uint32_t n = pick(24); n > 0; n--) {
        const char *piece = PIECES[pick(N_PIECES)];
        memcpy(into + length, piece, strlen(piece));
        length += strlen(piece);
    }
    return length;
}

static int run(const uint8_t *program, const uint8_t *text, size_t length, size_t more)
{
    size_t room = fgw_regex_scratch_min(program) + more;
    struct fgw_regex_scratch scratch = {.memory = exactly(room), .room = room};
    int found = fgw_regex_match(program, text, length, &scratch);
    free(scratch.memory);
    return found;
}

static void match_all_ways(uint8_t *program)
{
    for (int t = 0; t < 4; t++) {
        size_t length = pick(200);
        uint8_t *text = exactly(length);
        for (size_t i = 0; i < length; i++)
            text[i] = pick(4) ? (uint8_t)"ab1 \n_-Z"[pick(8)] : (uint8_t)pick(256);
        int quick = run(program, text, length, 0);
        ((struct fgw_regex_program *)(void *)program)->cells = 0;
        if (quick < 0 || run(program, text, length, 0) != quick
            || run(program, text, length, 1200) != quick
            || run(program, text, length, 30000) != quick) {
            fprintf(stderr, "the ways to match differ\n");
            exit(1);
        }
        free(text);
    }
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000, compiled = 0;
    seed = argc > 2 ? (uint64_t)atol(argv[2]) : 1;
    for (long i = 0; i < rounds; i++) {
        uint8_t draft[512];
        size_t length = make_pattern(draft), room = pick(3) ? 65536 : 8 * pick(2000);
        uint8_t *pattern = exactly(length), *out = exactly(room);
        struct fgw_regex_error error;
        memcpy(pattern, draft, length);
        int64_t size = fgw_regex_compile(pattern, length, out, room, &error);
        if (size >= 0) {
            uint8_t *program = exactly((size_t)size);
            memcpy(program, out, (size_t)size);
            if (fgw_regex_verify(program, (size_t)size) != 0)
                return 1;
            match_all_ways(program);
            free(program);
            compiled++;
        } else if (error.offset > length || error.offset + error.length > length
                   || error.fault == FGW_REGEX_FINE || error.fault >= FGW_REGEX_FAULTS) {
            fprintf(stderr, "a fault outside the pattern\n");
            return 1;
        }
        free(pattern);
        free(out);
    }
    printf("%ld patterns, %ld compiled\n", rounds, compiled);
    return compiled > rounds / 20 ? 0 : 1;
}
