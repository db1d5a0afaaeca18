#define _GNU_SOURCE /* memmem: two-way search, linear in the text */
#include "fgw_rule.h"

#include <string.h>

static struct fgw_value boolean(int truth)
{
    return (struct fgw_value){.type = FGW_VALUE_BOOL, .as.number = truth != 0};
}

static struct fgw_value integer(int64_t number)
{
    return (struct fgw_value){.type = FGW_VALUE_INT, .as.number = number};
}

static struct fgw_value real(double number)
{
    return (struct fgw_value){.type = FGW_VALUE_DOUBLE, .as.real = number};
}

static struct fgw_value failure(enum fgw_rule_error why)
{
    return (struct fgw_value){.type = FGW_RULE_ERROR, .as.number = (int64_t)why};
}

static int is_error(const struct fgw_value *value)
{
    return value->type == FGW_RULE_ERROR;
}

/* 1 equal, 0 not, -1 where the types differ. */
static int equal(const struct fgw_value *left, const struct fgw_value *right)
{
    if (left->type != right->type)
        return -1;
    switch (left->type) {
    case FGW_VALUE_STRING:
        return left->length == right->length
               && (left->length == 0 || memcmp(left->bytes, right->bytes, left->length) == 0);
    case FGW_VALUE_BOOL:
    case FGW_VALUE_INT:
        return left->as.number == right->as.number;
    case FGW_VALUE_DOUBLE:
        return left->as.real == right->as.real;
    case FGW_RULE_NULL:
        return 1;
    default:
        return -1;
    }
}

/* The error of the two, the left one first; a type error where neither is one. */
static struct fgw_value mismatch(const struct fgw_value *left, const struct fgw_value *right)
{
    if (is_error(left))
        return *left;
    return is_error(right) ? *right : failure(FGW_RULE_ERROR_TYPE);
}

static struct fgw_value equality(const struct fgw_value *left, const struct fgw_value *right,
                                 int negate)
{
    int same = equal(left, right);
    return same < 0 ? mismatch(left, right) : boolean(same ^ negate);
}

/* UTF-8 keeps the order of code points, so bytes decide. -1, 0, 1; 2: not comparable (NaN). */
static int order(const struct fgw_value *left, const struct fgw_value *right)
{
    if (left->type == FGW_VALUE_STRING) {
        size_t common = left->length < right->length ? left->length : right->length;
        int first = common ? memcmp(left->bytes, right->bytes, common) : 0;
        if (first)
            return first < 0 ? -1 : 1;
        return (left->length > right->length) - (left->length < right->length);
    }
    if (left->type == FGW_VALUE_DOUBLE) {
        double a = left->as.real, b = right->as.real;
        if (a != a || b != b)
            return 2;
        return (a > b) - (a < b);
    }
    return (left->as.number > right->as.number) - (left->as.number < right->as.number);
}

static struct fgw_value comparison(uint8_t op, const struct fgw_value *left,
                                   const struct fgw_value *right)
{
    if (left->type != right->type || left->type > FGW_VALUE_DOUBLE
        || left->type == FGW_VALUE_ABSENT)
        return mismatch(left, right);
    int which = order(left, right);
    if (which == 2)
        return boolean(0);
    switch (op) {
    case FGW_RULE_LT:
        return boolean(which < 0);
    case FGW_RULE_LE:
        return boolean(which <= 0);
    case FGW_RULE_GT:
        return boolean(which > 0);
    default:
        return boolean(which >= 0);
    }
}

static struct fgw_value divide(uint8_t op, int64_t left, int64_t right)
{
    if (right == 0)
        return failure(FGW_RULE_ERROR_DIVIDE);
    if (right == -1) /* INT64_MIN / -1 traps on x86 */
        return op == FGW_RULE_MOD ? integer(0)
               : left == INT64_MIN ? failure(FGW_RULE_ERROR_OVERFLOW)
                                   : integer(-left);
    return integer(op == FGW_RULE_MOD ? left % right : left / right);
}

static struct fgw_value arithmetic(uint8_t op, const struct fgw_value *left,
                                   const struct fgw_value *right)
{
    if (left->type == FGW_VALUE_DOUBLE && right->type == FGW_VALUE_DOUBLE) {
        double a = left->as.real, b = right->as.real;
        switch (op) {
        case FGW_RULE_ADD:
            return real(a + b);
        case FGW_RULE_SUB:
            return real(a - b);
        case FGW_RULE_MUL:
            return real(a * b);
        case FGW_RULE_DIV:
            return real(a / b);
        default:
            return failure(FGW_RULE_ERROR_TYPE);
        }
    }
    if (left->type != FGW_VALUE_INT || right->type != FGW_VALUE_INT)
        return mismatch(left, right);
    long long number = 0; /* the builtins want exactly their own type */
    int overflow = 0;
    switch (op) {
    case FGW_RULE_ADD:
        overflow = __builtin_add_overflow(left->as.number, right->as.number, &number);
        break;
    case FGW_RULE_SUB:
        overflow = __builtin_sub_overflow(left->as.number, right->as.number, &number);
        break;
    case FGW_RULE_MUL:
        overflow = __builtin_mul_overflow(left->as.number, right->as.number, &number);
        break;
    default:
        return divide(op, left->as.number, right->as.number);
    }
    return overflow ? failure(FGW_RULE_ERROR_OVERFLOW) : integer(number);
}

static struct fgw_value search(uint8_t op, const struct fgw_value *text,
                               const struct fgw_value *part)
{
    if (text->type != FGW_VALUE_STRING || part->type != FGW_VALUE_STRING)
        return mismatch(text, part);
    if (part->length > text->length)
        return boolean(0);
    if (part->length == 0)
        return boolean(1);
    if (op == FGW_RULE_STARTS_WITH)
        return boolean(memcmp(text->bytes, part->bytes, part->length) == 0);
    if (op == FGW_RULE_ENDS_WITH)
        return boolean(memcmp(text->bytes + (text->length - part->length), part->bytes,
                              part->length) == 0);
    return boolean(memmem(text->bytes, text->length, part->bytes, part->length) != NULL);
}

/* `decisive`: the boolean that settles it whatever the other side is: 0 for &&, 1 for ||. */
static struct fgw_value absorb(const struct fgw_value *left, const struct fgw_value *right,
                               int decisive)
{
    if (left->type == FGW_VALUE_BOOL && left->as.number == decisive)
        return *left;
    if (right->type == FGW_VALUE_BOOL && right->as.number == decisive)
        return *right;
    if (left->type != FGW_VALUE_BOOL || right->type != FGW_VALUE_BOOL)
        return mismatch(left, right);
    return boolean(!decisive);
}

static struct fgw_value binary(uint8_t op, const struct fgw_value *left,
                               const struct fgw_value *right)
{
    switch (op) {
    case FGW_RULE_EQ:
        return equality(left, right, 0);
    case FGW_RULE_NE:
        return equality(left, right, 1);
    case FGW_RULE_AND:
        return absorb(left, right, 0);
    case FGW_RULE_OR:
        return absorb(left, right, 1);
    case FGW_RULE_STARTS_WITH:
    case FGW_RULE_ENDS_WITH:
    case FGW_RULE_CONTAINS:
        return search(op, left, right);
    case FGW_RULE_LT:
    case FGW_RULE_LE:
    case FGW_RULE_GT:
    case FGW_RULE_GE:
        return comparison(op, left, right);
    default:
        return arithmetic(op, left, right);
    }
}

static struct fgw_value length_of(const struct fgw_value *value)
{
    if (value->type != FGW_VALUE_STRING)
        return mismatch(value, value);
    int64_t characters = 0;
    for (uint32_t i = 0; i < value->length; i++)
        characters += (value->bytes[i] & 0xc0) != 0x80;
    return integer(characters);
}

static struct fgw_value unary(uint8_t op, const struct fgw_value *value)
{
    if (op == FGW_RULE_SIZE)
        return length_of(value);
    if (op == FGW_RULE_NOT)
        return value->type == FGW_VALUE_BOOL ? boolean(!value->as.number)
                                             : mismatch(value, value);
    if (value->type == FGW_VALUE_DOUBLE)
        return real(-value->as.real);
    if (value->type != FGW_VALUE_INT)
        return mismatch(value, value);
    return value->as.number == INT64_MIN ? failure(FGW_RULE_ERROR_OVERFLOW)
                                         : integer(-value->as.number);
}

static struct fgw_value member(const struct fgw_value *value, const struct fgw_value *constants,
                               uint16_t count)
{
    if (is_error(value))
        return *value;
    for (uint16_t i = 0; i < count; i++)
        if (equal(value, &constants[i]) == 1)
            return boolean(1);
    return boolean(0);
}

static struct fgw_value present(const struct fgw_value *fact)
{
    return fact->type == FGW_VALUE_ABSENT ? failure(FGW_RULE_ERROR_ABSENT) : *fact;
}

/* A value's jump: 1 if taken. */
static int jumps(uint8_t op, struct fgw_value *top)
{
    switch (op) {
    case FGW_RULE_AND_JUMP:
    case FGW_RULE_FALSE_JUMP:
        return top->type == FGW_VALUE_BOOL && !top->as.number;
    case FGW_RULE_OR_JUMP:
        return top->type == FGW_VALUE_BOOL && top->as.number;
    default: /* FGW_RULE_ERROR_JUMP */
        if (top->type == FGW_VALUE_BOOL)
            return 0;
        *top = mismatch(top, top);
        return 1;
    }
}

int fgw_rule_eval(const struct fgw_program *program, const struct fgw_value *facts,
                  struct fgw_value *result)
{
    struct fgw_value stack[FGW_RULE_STACK + 1]; /* [0] stays empty: `top` never leaves the array */
    struct fgw_value *top = stack;
    const struct fgw_value *constants = program->constants;
    uint32_t next = 0;

    while (next < program->n_code) {
        const struct fgw_instruction *step = &program->code[next++];
        switch (step->op) {
        case FGW_RULE_FACT:
            *++top = present(&facts[step->at]);
            break;
        case FGW_RULE_FACT_OR:
            *++top = facts[step->at].type == FGW_VALUE_ABSENT ? constants[step->to]
                                                              : facts[step->at];
            break;
        case FGW_RULE_HAS:
            *++top = boolean(facts[step->at].type != FGW_VALUE_ABSENT);
            break;
        case FGW_RULE_CONSTANT:
            *++top = constants[step->at];
            break;
        case FGW_RULE_FACT_EQ:
        case FGW_RULE_FACT_NE: {
            const struct fgw_value *fact = &facts[step->at];
            *++top = fact->type == FGW_VALUE_ABSENT
                         ? failure(FGW_RULE_ERROR_ABSENT)
                         : equality(fact, &constants[step->to], step->op == FGW_RULE_FACT_NE);
            break;
        }
        case FGW_RULE_NOT:
        case FGW_RULE_NEGATE:
        case FGW_RULE_SIZE:
            *top = unary(step->op, top);
            break;
        case FGW_RULE_IN:
            *top = member(top, &constants[step->at], step->count);
            break;
        case FGW_RULE_JUMP:
            next = step->to;
            break;
        case FGW_RULE_AND_JUMP:
        case FGW_RULE_OR_JUMP:
        case FGW_RULE_ERROR_JUMP:
        case FGW_RULE_FALSE_JUMP:
            if (jumps(step->op, top))
                next = step->to;
            top -= step->op == FGW_RULE_FALSE_JUMP;
            break;
        default:
            top[-1] = binary(step->op, &top[-1], top);
            top--;
            break;
        }
    }
    *result = *top;
    return result->type == FGW_VALUE_BOOL ? (int)result->as.number : -1;
}

/* How an instruction changes the depth of the stack, and how deep it must be before. */
static int stack_change(uint8_t op, int *needs)
{
    if (op <= FGW_RULE_FACT_NE) {
        *needs = 0;
        return 1;
    }
    if (op <= FGW_RULE_OR) {
        *needs = 2;
        return -1;
    }
    *needs = op == FGW_RULE_JUMP ? 0 : 1;
    return op == FGW_RULE_FALSE_JUMP ? -1 : 0;
}

static int operands_inside(const struct fgw_program *program, uint32_t at)
{
    const struct fgw_instruction *step = &program->code[at];
    switch (step->op) {
    case FGW_RULE_FACT:
    case FGW_RULE_HAS:
        return step->at < program->n_facts;
    case FGW_RULE_FACT_OR:
    case FGW_RULE_FACT_EQ:
    case FGW_RULE_FACT_NE:
        return step->at < program->n_facts && step->to < program->n_constants;
    case FGW_RULE_CONSTANT:
        return step->at < program->n_constants;
    case FGW_RULE_IN:
        return (uint32_t)step->at + step->count <= program->n_constants;
    case FGW_RULE_JUMP:
    case FGW_RULE_AND_JUMP:
    case FGW_RULE_OR_JUMP:
    case FGW_RULE_ERROR_JUMP:
    case FGW_RULE_FALSE_JUMP:
        return step->to > at && step->to <= program->n_code;
    default:
        return step->op < FGW_RULE_OPS;
    }
}

int fgw_rule_verify(const struct fgw_program *program)
{
    /* The depth with which each instruction is reached; -1: not yet. Forward jumps only, so one
     * pass sees every way to an instruction before the instruction itself. */
    int8_t depth_at[FGW_RULE_CODE_MAX + 1];
    uint32_t n = program->n_code;
    if (n == 0 || n > FGW_RULE_CODE_MAX)
        return -1;
    memset(depth_at, -1, n + 1);
    depth_at[0] = 0;

    for (uint32_t at = 0; at < n; at++) {
        const struct fgw_instruction *step = &program->code[at];
        int depth = depth_at[at], needs = 0;
        if (depth < 0 || !operands_inside(program, at)) /* code that nothing reaches is refused */
            return -1;
        int after = depth + stack_change(step->op, &needs);
        if (depth < needs || after > FGW_RULE_STACK)
            return -1;
        if (step->op >= FGW_RULE_JUMP) {
            if (depth_at[step->to] >= 0 && depth_at[step->to] != after)
                return -1;
            depth_at[step->to] = (int8_t)after;
        }
        if (step->op == FGW_RULE_JUMP)
            continue;
        if (depth_at[at + 1] >= 0 && depth_at[at + 1] != after)
            return -1;
        depth_at[at + 1] = (int8_t)after;
    }
    return depth_at[n] == 1 ? 0 : -1;
}

int fgw_glob_match(const uint8_t *pattern, size_t pattern_length, const uint8_t *text,
                   size_t text_length)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text_length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = p++; /* try it with nothing first */
            from = t;
        } else if (p < pattern_length && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1; /* the last * takes one byte more */
            t = ++from;
        } else {
            return 0;
        }
    }
    while (p < pattern_length && pattern[p] == '*')
        p++;
    return p == pattern_length;
}
