/* Random programs against the rule machine: what fgw_rule_verify accepts must stay inside its
 * arrays, which are exactly as long as the program says and surrounded by ASan's red zones.
 *
 * usage: test_rule ROUNDS SEED; prints how many programs were accepted. Built with -DBLIND it
 * evaluates without asking verify: then ASan must find something, or this test has no teeth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fgw_rule.h"

static uint64_t state;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16) % n;
}

static const uint8_t *text(uint32_t *length)
{
    /* A block of its own per text, so that reading behind it is seen. They live to the end. */
    static uint8_t *pool[64];
    static uint32_t lengths[64];
    uint32_t i = below(64);
    if (!pool[i]) {
        lengths[i] = below(9);
        pool[i] = malloc(lengths[i] ? lengths[i] : 1);
        for (uint32_t k = 0; k < lengths[i]; k++)
            pool[i][k] = (uint8_t)("ab\xc3\xa9"[below(4)]);
    }
    *length = lengths[i];
    return lengths[i] ? pool[i] : NULL;
}

static struct fgw_value value(int constant)
{
    static const int64_t numbers[] = {0, 1, -1, 2, INT64_MAX, INT64_MIN, 100, -7};
    static const double reals[] = {0, 1.5, -1.5, 1e308, -0.0};
    struct fgw_value made = {0};
    switch (below(6)) {
    case 0:
        made.type = constant ? FGW_RULE_NULL : FGW_VALUE_ABSENT;
        break;
    case 1:
        made.type = FGW_VALUE_BOOL;
        made.as.number = below(2);
        break;
    case 2:
        made.type = FGW_VALUE_INT;
        made.as.number = numbers[below(8)];
        break;
    case 3:
        made.type = FGW_VALUE_DOUBLE;
        made.as.real = below(9) ? reals[below(5)] : __builtin_nan("");
        break;
    default:
        made.type = FGW_VALUE_STRING;
        made.bytes = text(&made.length);
    }
    return made;
}

/* One step: mostly of a kind that keeps the stack sane, so that many programs are accepted. */
static struct fgw_instruction step(uint32_t at, uint32_t n, uint32_t *depth)
{
    struct fgw_instruction made = {0};
    uint32_t wild = below(24) == 0;
    made.op = wild ? (uint8_t)below(FGW_RULE_OPS + 2)
              : *depth == 0 ? (uint8_t)below(FGW_RULE_EQ)
              : *depth > 2 || (*depth > 1 && at + 2 >= n)
                  ? (uint8_t)(FGW_RULE_EQ + below(FGW_RULE_NOT - FGW_RULE_EQ))
                  : (uint8_t)below(FGW_RULE_OPS);
    made.at = (uint16_t)below(wild ? 12 : 4);
    made.count = (uint16_t)below(wild ? 9 : 3);
    made.to = (uint16_t)(made.op >= FGW_RULE_JUMP ? at + below(4) : below(wild ? 12 : 4));
    *depth += made.op < FGW_RULE_EQ;
    *depth -= (made.op >= FGW_RULE_EQ && made.op < FGW_RULE_NOT && *depth > 0);
    return made;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 10000, accepted = 0, decided = 0;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (long round = 0; round < rounds; round++) {
        uint32_t n = 1 + below(10), n_constants = 6 + below(3), n_facts = 4 + below(3), depth = 0;
        struct fgw_instruction *code = malloc(n * sizeof *code);
        struct fgw_value *constants = malloc(n_constants * sizeof *constants);
        struct fgw_value *facts = malloc(n_facts * sizeof *facts), result;
        for (uint32_t i = 0; i < n; i++)
            code[i] = step(i, n, &depth);
        for (uint32_t i = 0; i < n_constants; i++)
            constants[i] = value(1);
        for (uint32_t i = 0; i < n_facts; i++)
            facts[i] = value(0);
        struct fgw_program program = {code, constants, (uint16_t)n, (uint16_t)n_constants,
                                      (uint16_t)n_facts, 0};
#ifdef BLIND
        int fine = 1;
#else
        int fine = fgw_rule_verify(&program) == 0;
#endif
        if (fine) {
            memset(&result, 0x5a, sizeof result);
            int truth = fgw_rule_eval(&program, facts, &result);
            accepted++;
            decided += truth >= 0;
            if ((truth >= 0) != (result.type == FGW_VALUE_BOOL) || result.type == 0x5a5a5a5a
                || result.type == FGW_VALUE_ABSENT) {
                fprintf(stderr, "round %ld: truth %d, type %u\n", round, truth, result.type);
                return 1;
            }
        }
        free(code);
        free(constants);
        free(facts);
    }
    printf("%ld %ld\n", accepted, decided);
    return 0;
}
