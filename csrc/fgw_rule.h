/* fgw_rule.h - the machine that evaluates compiled expressions, and the glob of model patterns.
 *
 * A program is a row of 8-byte instructions over a small stack of values. Jumps only go forward,
 * so a program of n instructions ends after at most n steps; nothing is allocated.
 *
 *     ai.operation == 'chat' && req.size > 100
 *
 *     0  FACT_EQ   fact ai.operation, constant 'chat'
 *     1  AND_JUMP  6              false already: keep it, skip the rest
 *     2  FACT      req.size
 *     3  CONSTANT  100
 *     4  GT
 *     5  AND                      true && true, or an error
 *     6                           the end: one value is left
 *
 * Errors are values, as CEL has them: an absent header is an error, a comparison with an error is
 * one, and `&&` and `||` absorb it where the other side decides. Equality of different types is an
 * error too: the checker has refused it before.
 */
#ifndef FGW_RULE_H
#define FGW_RULE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fgw_policy.h"

/* More types of fgw_value, inside expressions and as their results. */
enum fgw_rule_type {
    FGW_RULE_NULL = 16,
    FGW_RULE_ERROR = 17, /* as.number: enum fgw_rule_error */
};

enum fgw_rule_error {
    FGW_RULE_ERROR_ABSENT = 1,   /* a fact that the request does not have */
    FGW_RULE_ERROR_TYPE = 2,     /* an operand of another type than the checker was told */
    FGW_RULE_ERROR_OVERFLOW = 3, /* beyond 64 bits */
    FGW_RULE_ERROR_DIVIDE = 4,   /* by zero */
};

enum fgw_rule_op {
    FGW_RULE_FACT,        /* push facts[at]; absent: push an error */
    FGW_RULE_FACT_OR,     /* push facts[at]; absent: push constants[to] */
    FGW_RULE_HAS,         /* push whether facts[at] is there */
    FGW_RULE_CONSTANT,    /* push constants[at] */
    FGW_RULE_FACT_EQ,     /* push facts[at] == constants[to] */
    FGW_RULE_FACT_NE,     /* push facts[at] != constants[to] */
    FGW_RULE_EQ,          /* two operands from here on: pop right, pop left, push the result */
    FGW_RULE_NE,
    FGW_RULE_LT,
    FGW_RULE_LE,
    FGW_RULE_GT,
    FGW_RULE_GE,
    FGW_RULE_ADD,
    FGW_RULE_SUB,
    FGW_RULE_MUL,
    FGW_RULE_DIV,
    FGW_RULE_MOD,
    FGW_RULE_STARTS_WITH,
    FGW_RULE_ENDS_WITH,
    FGW_RULE_CONTAINS,
    FGW_RULE_AND,         /* both errors absorbed as CEL does */
    FGW_RULE_OR,
    FGW_RULE_NOT,         /* one operand from here on */
    FGW_RULE_NEGATE,
    FGW_RULE_SIZE,        /* characters of a string */
    FGW_RULE_IN,          /* pop, push whether it equals one of constants[at .. at + count) */
    FGW_RULE_JUMP,        /* to `to` */
    FGW_RULE_AND_JUMP,    /* top is false: jump, keep it */
    FGW_RULE_OR_JUMP,     /* top is true: jump, keep it */
    FGW_RULE_ERROR_JUMP,  /* top is no boolean: make it an error, jump, keep it */
    FGW_RULE_FALSE_JUMP,  /* pop; false: jump */
    FGW_RULE_OPS,
};

struct fgw_instruction {
    uint8_t op; /* enum fgw_rule_op */
    uint8_t reserved;
    uint16_t at;    /* a fact, or a constant, or the first of `count` constants */
    uint16_t to;    /* a constant, or the instruction jumped to */
    uint16_t count; /* of FGW_RULE_IN */
};
_Static_assert(sizeof(struct fgw_instruction) == 8, "one cache line holds eight");

#define FGW_RULE_STACK 32     /* values */
#define FGW_RULE_CODE_MAX 4096 /* instructions */

struct fgw_program {
    const struct fgw_instruction *code;
    const struct fgw_value *constants;
    uint16_t n_code;
    uint16_t n_constants;
    uint16_t n_facts; /* facts[] has at least so many */
    uint16_t reserved;
};

/* 0 if every path through the program stays inside code, constants, facts and stack and ends with
 * exactly one value; else -1. Only programs that passed may be evaluated. */
int fgw_rule_verify(const struct fgw_program *program);

/* The most common expression, fact == 'text', without the machine: 1, 0; -1: use fgw_rule_eval. */
static inline int fgw_rule_glance(const struct fgw_program *program, const struct fgw_value *facts)
{
    const struct fgw_instruction *step = program->code;
    if (program->n_code != 1 || step->op != FGW_RULE_FACT_EQ)
        return -1;
    const struct fgw_value *fact = &facts[step->at], *constant = &program->constants[step->to];
    if (fact->type != FGW_VALUE_STRING || constant->type != FGW_VALUE_STRING)
        return -1;
    return fact->length == constant->length
           && (fact->length == 0 || memcmp(fact->bytes, constant->bytes, fact->length) == 0);
}

/* Evaluates a verified program. Returns FGW_VALUE_BOOL's number 1 or 0 where the result is a
 * boolean, -1 where it is anything else; *result has it in any case. Strings in it point to
 * where facts or constants do. */
int fgw_rule_eval(const struct fgw_program *program, const struct fgw_value *facts,
                  struct fgw_value *result);

/* 1 if `pattern`, in which each * stands for any bytes, covers all of `text`; else 0.
 * At most length x length steps. */
int fgw_glob_match(const uint8_t *pattern, size_t pattern_length, const uint8_t *text,
                   size_t text_length);

#endif
