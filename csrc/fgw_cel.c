#include "fgw_cel_machine.h"

#define CALL_STEPS 4 /* of a function, beside the one of every instruction: up to 60 ns */

/* A run: the stack's [0] stays empty, so that `top` never leaves the array. */
struct machine {
    struct fgw_cel cel;
    struct fgw_value stack[FGW_CEL_STACK + 1];
    struct fgw_value slots[FGW_CEL_SLOTS];
};

/* Bit t: a constant of type t has its bytes in the program. */
#define POINTS                                                                                    \
    (1u << FGW_VALUE_STRING | 1u << FGW_VALUE_BYTES | 1u << FGW_VALUE_REGEX                       \
     | 1u << FGW_VALUE_ZONE | 1u << FGW_VALUE_IP | 1u << FGW_VALUE_CIDR)

static inline struct fgw_value constant(const struct fgw_cel_program *program, uint32_t at)
{
    const struct fgw_cel_constant *constant = &fgw_cel_constants(program)[at];
    struct fgw_value value = {.length = constant->length, .type = constant->type,
                              .as.number = constant->as.number};
    if (POINTS >> constant->type & 1) {
        value.bytes = (const uint8_t *)program + constant->as.offset;
        value.as.number = 0;
        if (constant->type == FGW_VALUE_CIDR) {
            value.length = constant->length & 0xFF;
            value.as.number = constant->length >> 8;
        }
    }
    return value;
}

static inline struct fgw_value present(struct fgw_cel *cel, const struct fgw_value *value)
{
    return value->type == FGW_VALUE_ABSENT ? cel_fail(cel, FGW_CEL_ERROR_ABSENT) : *value;
}

static struct fgw_value fact_equals(struct fgw_cel *cel, const struct fgw_value *fact, uint32_t at,
                                    int negate)
{
    struct fgw_value other = constant(cel->program, at);
    if (fact->type == FGW_VALUE_STRING && other.type == FGW_VALUE_STRING
        && fact->length != other.length)
        return cel_bool(negate);
    if (fact->type == FGW_VALUE_ABSENT)
        return cel_fail(cel, FGW_CEL_ERROR_ABSENT);
    return fgw_cel_equality(cel, fact, &other, negate);
}

static struct fgw_value in_constants(struct fgw_cel *cel, const struct fgw_value *x,
                                     const struct fgw_cel_instruction *step)
{
    if (cel_is(x, FGW_VALUE_ERROR))
        return *x;
    if (cel_pay(cel, step->count / 2u))
        return cel_over(cel);
    for (uint32_t i = 0; i < step->count; i++) {
        struct fgw_value other = constant(cel->program, step->at + i);
        if (x->type == FGW_VALUE_STRING && other.type == FGW_VALUE_STRING
            && x->length != other.length)
            continue;
        int same = fgw_cel_equal(cel, x, &other);
        if (same < 0)
            return fgw_cel_mismatch(cel, x, x);
        if (same)
            return cel_bool(1);
    }
    return cel_bool(0);
}

static struct fgw_value constant_list(struct fgw_cel *cel, const struct fgw_cel_instruction *step)
{
    struct fgw_value list = fgw_cel_list_new(cel, step->count);
    if (cel->ended || cel_pay(cel, step->count))
        return cel_over(cel);
    for (uint32_t i = 0; i < step->count; i++) {
        struct fgw_value x = constant(cel->program, step->at + i);
        list = fgw_cel_append(cel, &list, &x);
    }
    return list;
}

/* `decisive`: the boolean that settles it whatever the other side is: 0 for &&, 1 for ||. */
static struct fgw_value absorb(struct fgw_cel *cel, const struct fgw_value *a,
                               const struct fgw_value *b, int decisive)
{
    if (a->type == FGW_VALUE_BOOL && a->as.number == decisive)
        return *a;
    if (b->type == FGW_VALUE_BOOL && b->as.number == decisive)
        return *b;
    if (a->type != FGW_VALUE_BOOL || b->type != FGW_VALUE_BOOL)
        return fgw_cel_mismatch(cel, a, b);
    return cel_bool(!decisive);
}

static struct fgw_value binary(struct fgw_cel *cel, uint8_t op, const struct fgw_value *a,
                               const struct fgw_value *b)
{
    switch (op) {
    case FGW_CEL_EQ:
    case FGW_CEL_NE:
        return fgw_cel_equality(cel, a, b, op == FGW_CEL_NE);
    case FGW_CEL_LT:
    case FGW_CEL_LE:
    case FGW_CEL_GT:
    case FGW_CEL_GE:
        return fgw_cel_comparison(cel, op, a, b);
    case FGW_CEL_IN:
        return fgw_cel_in(cel, a, b);
    case FGW_CEL_AND:
    case FGW_CEL_OR:
        return absorb(cel, a, b, op == FGW_CEL_OR);
    default:
        return fgw_cel_arithmetic(cel, op, a, b);
    }
}

/* Whether a jump is taken. */
static int jumps(struct fgw_cel *cel, uint8_t op, struct fgw_value *top)
{
    switch (op) {
    case FGW_CEL_JUMP:
        return 1;
    case FGW_CEL_AND_JUMP:
    case FGW_CEL_FALSE_JUMP:
        return top->type == FGW_VALUE_BOOL && !top->as.number;
    case FGW_CEL_OR_JUMP:
        return top->type == FGW_VALUE_BOOL && top->as.number;
    case FGW_CEL_ERROR_EXIT:
        return top->type == FGW_VALUE_ERROR;
    default: /* FGW_CEL_ERROR_JUMP */
        if (top->type == FGW_VALUE_BOOL)
            return 0;
        *top = fgw_cel_mismatch(cel, top, top);
        return 1;
    }
}

/* The next element of a comprehension into its variables; 0: none left. */
static int next_element(struct fgw_cel *cel, struct fgw_value *slots, uint8_t variables)
{
    const struct fgw_value *range = &slots[0];
    uint32_t at = slots[1].type == FGW_VALUE_INT ? (uint32_t)slots[1].as.number : UINT32_MAX;
    struct fgw_value key = cel_int(at), value = key;
    if (range->type == FGW_VALUE_SOURCE) {
        const struct fgw_cel_source *source = cel->run->source;
        if (source == NULL || at >= source->count(source->owner, (uint32_t)range->as.number))
            return 0;
        source->entry(source->owner, (uint32_t)range->as.number, at, &key, &value);
    } else if ((range->type != FGW_VALUE_LIST && range->type != FGW_VALUE_MAP)
               || at >= range->length) {
        return 0;
    } else if (range->type == FGW_VALUE_MAP) {
        key = range->items[2 * (size_t)at];
        value = range->items[2 * (size_t)at + 1];
    } else {
        value = range->items[at];
    }
    slots[1].as.number++;
    slots[2] = variables == 1 && range->type == FGW_VALUE_LIST ? value : key;
    if (variables == 2)
        slots[3] = value;
    return 1;
}

/* ITERATE to GUARD. Returns the new top. */
static struct fgw_value *loops(struct machine *m, const struct fgw_cel_instruction *step,
                               struct fgw_value *top, uint32_t *next)
{
    struct fgw_value *slots = &m->slots[step->at];
    switch (step->op) {
    case FGW_CEL_ITERATE:
        if (top->type != FGW_VALUE_LIST && top->type != FGW_VALUE_MAP
            && top->type != FGW_VALUE_SOURCE) {
            *top = fgw_cel_mismatch(&m->cel, top, top);
            *next = step->to;
            return top;
        }
        slots[0] = *top;
        slots[1] = cel_int(0);
        return top - 1;
    case FGW_CEL_NEXT:
        if (!next_element(&m->cel, slots, step->arg))
            *next = step->to;
        return top;
    default: /* FGW_CEL_GUARD */
        if (top->type != FGW_VALUE_BOOL) {
            if (top[-1].type != FGW_VALUE_ERROR)
                top[-1] = fgw_cel_mismatch(&m->cel, top, top);
            *next = step->to;
        } else if (!top->as.number) {
            *next = step->to;
        }
        return top - 1;
    }
}

/* OR_OPTIONAL, OR_VALUE, OPT_MAP. Returns the new top. */
static struct fgw_value *optionals(struct fgw_cel *cel, const struct fgw_cel_instruction *step,
                                   struct fgw_value *top, uint32_t *next)
{
    if (top->type != FGW_VALUE_OPTIONAL) {
        *top = fgw_cel_mismatch(cel, top, top);
        *next = step->to;
        return top;
    }
    const struct fgw_value *held = top->items;
    if (step->op == FGW_CEL_OPT_MAP) {
        if (held)
            *top = *held;
        else
            *next = step->to;
        return top;
    }
    if (held == NULL)
        return top - 1;
    if (step->op == FGW_CEL_OR_VALUE)
        *top = *held;
    *next = step->to;
    return top;
}

/* LIST to MERGE. Returns the new top. */
static struct fgw_value *making(struct fgw_cel *cel, const struct fgw_cel_instruction *step,
                                struct fgw_value *top)
{
    uint8_t op = step->op;
    if (op == FGW_CEL_LIST || op == FGW_CEL_MAP) {
        *++top = op == FGW_CEL_LIST ? fgw_cel_list_new(cel, step->at)
                                    : fgw_cel_map_new(cel, step->at);
        return top;
    }
    struct fgw_value *into = op == FGW_CEL_INSERT || op == FGW_CEL_INSERT_OPT ? top - 2 : top - 1;
    struct fgw_value held = *top;
    if (into->type == FGW_VALUE_ERROR)
        return into;
    if (op == FGW_CEL_APPEND_OPT || op == FGW_CEL_INSERT_OPT) {
        if (into + 2 == top && top[-1].type == FGW_VALUE_ERROR) {
            *into = top[-1];
            return into;
        }
        if (top->type != FGW_VALUE_OPTIONAL) {
            *into = fgw_cel_mismatch(cel, top, top);
            return into;
        }
        if (top->items == NULL)
            return into;
        held = *top->items;
    }
    if (op == FGW_CEL_APPEND || op == FGW_CEL_APPEND_OPT)
        *into = fgw_cel_append(cel, into, &held);
    else if (op == FGW_CEL_MERGE)
        *into = fgw_cel_merge(cel, into, &held);
    else
        *into = fgw_cel_insert(cel, into, &top[-1], &held);
    return into;
}

/* Operands that a function cannot take as they are: 1 if the first error is its result, in *x. */
static int prepare(struct fgw_cel *cel, const struct fgw_cel_instruction *step,
                   struct fgw_value *x)
{
    for (uint32_t i = 0; i < step->arg; i++) {
        if (x[i].type == FGW_VALUE_SOURCE && step->at != FGW_CEL_F_SIZE
            && step->at != FGW_CEL_F_TYPE)
            x[i] = fgw_cel_settled(cel, &x[i]);
        if (x[i].type == FGW_VALUE_ERROR || cel->ended) {
            *x = cel->ended ? cel_over(cel) : x[i];
            return 1;
        }
    }
    return 0;
}

/* CALL and CONCAT. Returns the new top. */
static inline struct fgw_value *call(struct fgw_cel *cel, const struct fgw_cel_instruction *step,
                                     struct fgw_value *top)
{
    struct fgw_value *x = top - ((int)step->arg - 1);
    uint32_t types = 0;
    for (uint32_t i = 0; i < step->arg; i++)
        types |= 1u << x[i].type;
    if (types >= 1u << FGW_VALUE_ERROR && prepare(cel, step, x))
        return x;
    if (cel_pay(cel, CALL_STEPS))
        return x;
    *x = step->op == FGW_CEL_CALL ? fgw_cel_calls[step->at](cel, x, step->arg)
                                  : fgw_cel_concat(cel, x, step->arg);
    return x;
}

/* INDEX to HAS. Returns the new top. */
static struct fgw_value *members(struct fgw_cel *cel, const struct fgw_cel_instruction *step,
                                 struct fgw_value *top)
{
    if (step->op == FGW_CEL_INDEX || step->op == FGW_CEL_OPT_INDEX) {
        top[-1] = fgw_cel_member(cel, &top[-1], top, step->op == FGW_CEL_OPT_INDEX, 0);
        return top - 1;
    }
    struct fgw_value field = constant(cel->program, step->to);
    *top = step->op == FGW_CEL_HAS
               ? fgw_cel_has(cel, top, &field)
               : fgw_cel_member(cel, top, &field, step->op == FGW_CEL_OPT_SELECT, 1);
    return top;
}

/* The rarer ones: members, lists, loops, optionals and calls. Returns the new top. */
static struct fgw_value *rarer(struct machine *m, const struct fgw_cel_instruction *step,
                               struct fgw_value *top, uint32_t *next)
{
    struct fgw_cel *cel = &m->cel;
    uint8_t op = step->op;
    if (op < FGW_CEL_LIST)
        return members(cel, step, top);
    if (op < FGW_CEL_STORE)
        return making(cel, step, top);
    switch (op) {
    case FGW_CEL_STORE:
        m->slots[step->at] = *top;
        return top - 1;
    case FGW_CEL_LOAD:
        *++top = present(cel, &m->slots[step->at]);
        return top;
    case FGW_CEL_ITERATE:
    case FGW_CEL_NEXT:
    case FGW_CEL_GUARD:
        return loops(m, step, top, next);
    case FGW_CEL_LOOP:
        if (cel_pay(cel, (uint32_t)(*next - step->to)) == 0)
            *next = step->to;
        return top;
    case FGW_CEL_ERROR_EXIT:
        if (jumps(cel, op, top))
            *next = step->to;
        return top;
    default:
        return optionals(cel, step, top, next);
    }
}

/* FACT to SOURCE, each one value on the stack (IN_CONSTANTS: in the place of its operand). */
static inline struct fgw_value *loads(struct fgw_cel *cel, const struct fgw_cel_instruction *step,
                                      struct fgw_value *top)
{
    const struct fgw_value *facts = cel->run->facts;
    switch (step->op) {
    case FGW_CEL_FACT:
        *++top = present(cel, &facts[step->at]);
        break;
    case FGW_CEL_FACT_OR:
        *++top = facts[step->at].type == FGW_VALUE_ABSENT ? constant(cel->program, step->to)
                                                          : facts[step->at];
        break;
    case FGW_CEL_HAS_FACT:
        *++top = cel_bool(facts[step->at].type != FGW_VALUE_ABSENT);
        break;
    case FGW_CEL_FACT_EQ:
    case FGW_CEL_FACT_NE:
        *++top = fact_equals(cel, &facts[step->at], step->to, step->op == FGW_CEL_FACT_NE);
        break;
    case FGW_CEL_CONSTANT:
        *++top = constant(cel->program, step->at);
        break;
    case FGW_CEL_CONSTANT_LIST:
        *++top = constant_list(cel, step);
        break;
    case FGW_CEL_IN_CONSTANTS:
        *top = in_constants(cel, top, step);
        break;
    default: /* FGW_CEL_SOURCE */
        *++top = cel_of(FGW_VALUE_SOURCE, step->at);
    }
    return top;
}

int fgw_cel_glance_at_three(const struct fgw_cel_program *program, const struct fgw_value *facts)
{
    const struct fgw_cel_instruction *code = fgw_cel_code(program);
    const struct fgw_value *fact = &facts[code[0].at];
    const struct fgw_cel_constant *constant = &fgw_cel_constants(program)[code[1].at];
    if (code[1].op != FGW_CEL_CONSTANT || fact->type != constant->type)
        return -1;
    if (code[2].op == FGW_CEL_CALL && fact->type == FGW_VALUE_STRING
        && (code[2].at == FGW_CEL_F_STARTS_WITH || code[2].at == FGW_CEL_F_ENDS_WITH)) {
        if (fact->length < constant->length)
            return 0;
        uint32_t from = code[2].at == FGW_CEL_F_ENDS_WITH ? fact->length - constant->length : 0;
        return constant->length == 0
               || memcmp(fact->bytes + from, (const uint8_t *)program + constant->as.offset,
                         constant->length)
                      == 0;
    }
    if (fact->type != FGW_VALUE_INT)
        return -1;
    switch (code[2].op) {
    case FGW_CEL_LT:
        return fact->as.number < constant->as.number;
    case FGW_CEL_LE:
        return fact->as.number <= constant->as.number;
    case FGW_CEL_GT:
        return fact->as.number > constant->as.number;
    case FGW_CEL_GE:
        return fact->as.number >= constant->as.number;
    default:
        return -1;
    }
}

/* What an instruction pushed, for whoever traces. */
static void note(struct machine *m, const struct fgw_cel_instruction *step, uint32_t at,
                 const struct fgw_value *top)
{
    struct fgw_cel_trace *trace = m->cel.run->trace;
    const struct fgw_value *value = top;
    if (step->op == FGW_CEL_NEXT)
        value = &m->slots[step->at + 2];
    else if (step->op == FGW_CEL_JUMP || step->op == FGW_CEL_LOOP || step->op == FGW_CEL_FALSE_JUMP
             || step->op == FGW_CEL_STORE || top == m->stack)
        return;
    if (trace->used < trace->room)
        trace->entries[trace->used++] =
            (struct fgw_cel_traced){.at = at, .value = *value};
}

/* The whole machine; apart, so that what is decided at a glance does not pay for its frame. */
static __attribute__((noinline)) void whole(const struct fgw_cel_program *program,
                                            struct fgw_cel_run *run, struct fgw_value *result)
{
    struct machine m;
    struct fgw_value *top = m.stack;
    const struct fgw_cel_instruction *code = fgw_cel_code(program);
    struct fgw_cel *cel = &m.cel;
    uint32_t next = 0, end = program->n_code;

    *cel = (struct fgw_cel){.program = program, .run = run, .steps = run->steps};
    for (uint32_t i = 0; i < program->n_slots; i++)
        m.slots[i].type = FGW_VALUE_ABSENT;
    if (cel_pay(cel, end)) /* jumps go forward: only LOOP, which pays too, comes here again */
        next = end;
    while (next < end) {
        const struct fgw_cel_instruction *step = &code[next];
        uint8_t op = step->op;
        cel->at = (uint16_t)next++;
        if (op <= FGW_CEL_SOURCE) {
            top = loads(cel, step, top);
        } else if (op <= FGW_CEL_OR) {
            top[-1] = binary(cel, op, &top[-1], top);
            top--;
        } else if (op <= FGW_CEL_NEGATE) {
            *top = op == FGW_CEL_NEGATE          ? fgw_cel_negated(cel, top)
                   : top->type == FGW_VALUE_BOOL ? cel_bool(!top->as.number)
                                                 : fgw_cel_mismatch(cel, top, top);
        } else if (op <= FGW_CEL_FALSE_JUMP) {
            if (jumps(cel, op, top))
                next = step->to;
            top -= op == FGW_CEL_FALSE_JUMP;
        } else if (op >= FGW_CEL_CALL) {
            top = call(cel, step, top);
        } else {
            top = rarer(&m, step, top, &next);
        }
        if (__builtin_expect(cel->ended, 0))
            break;
        if (__builtin_expect(run->trace != NULL, 0))
            note(&m, step, cel->at, top);
    }
    if (cel->ended)
        *result = cel_over(cel);
    else
        *result = fgw_cel_settled(cel, top);
    run->steps = cel->steps;
}

/* fact.startsWith('text'), fact < 1 and their like: 1, 0; -1: not one of them. */
static int of_two(const struct fgw_cel_program *program, struct fgw_cel_run *run)
{
    const struct fgw_cel_instruction *code = fgw_cel_code(program);
    const struct fgw_value *a = &run->facts[code[0].at];
    const struct fgw_cel_constant *b = &fgw_cel_constants(program)[code[1].at];
    uint32_t steps = 3;
    int truth;
    if (a->type == FGW_VALUE_INT && b->type == FGW_VALUE_INT) {
        int64_t x = a->as.number, y = b->as.number;
        if (code[2].op < FGW_CEL_LT || code[2].op > FGW_CEL_GE)
            return -1;
        truth = code[2].op == FGW_CEL_LT   ? x < y
                : code[2].op == FGW_CEL_LE ? x <= y
                : code[2].op == FGW_CEL_GT ? x > y
                                           : x >= y;
    } else if (a->type == FGW_VALUE_STRING && b->type == FGW_VALUE_STRING) {
        if (code[2].op != FGW_CEL_CALL || code[2].at != FGW_CEL_F_STARTS_WITH)
            return -1;
        truth = b->length <= a->length;
        steps += CALL_STEPS + (truth ? b->length / 32 : 0);
        truth = truth
                && cel_same(a->bytes, (const uint8_t *)program + b->as.offset, b->length);
    } else {
        return -1;
    }
    if (steps > run->steps)
        return -1;
    run->steps -= steps;
    return truth;
}

int fgw_cel_eval(const struct fgw_cel_program *program, struct fgw_cel_run *run,
                 struct fgw_value *result)
{
    const struct fgw_cel_instruction *code = fgw_cel_code(program);
    if (run->trace == NULL && code[0].op == FGW_CEL_FACT) {
        if (program->n_code == 1 && run->steps > 0
            && run->facts[code[0].at].type != FGW_VALUE_ABSENT) {
            run->steps--;
            *result = run->facts[code[0].at];
            return result->type == FGW_VALUE_BOOL ? (int)result->as.number : -1;
        }
        if (program->n_code == 3 && code[1].op == FGW_CEL_CONSTANT) {
            int truth = of_two(program, run);
            if (truth >= 0) {
                *result = cel_bool(truth);
                return truth;
            }
        }
    }
    whole(program, run, result);
    return result->type == FGW_VALUE_BOOL ? (int)result->as.number : -1;
}
