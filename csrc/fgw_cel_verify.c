#include "fgw_cel_machine.h"
#include "fgw_regex.h"

#define JUMPS 1       /* to `to`, forward */
#define ENDS 2        /* what follows is reached only by a jump */
#define LEAVES 4      /* jumping, the top stays; going on, it is popped */

struct shape {
    uint8_t needs;   /* values that must be on the stack */
    int8_t change;   /* of the depth, where it goes on */
    uint8_t flags;
};

static const struct shape shapes[FGW_CEL_OPS] = {
    [FGW_CEL_FACT] = {0, 1, 0},
    [FGW_CEL_FACT_OR] = {0, 1, 0},
    [FGW_CEL_HAS_FACT] = {0, 1, 0},
    [FGW_CEL_FACT_EQ] = {0, 1, 0},
    [FGW_CEL_FACT_NE] = {0, 1, 0},
    [FGW_CEL_CONSTANT] = {0, 1, 0},
    [FGW_CEL_CONSTANT_LIST] = {0, 1, 0},
    [FGW_CEL_IN_CONSTANTS] = {1, 0, 0},
    [FGW_CEL_SOURCE] = {0, 1, 0},
    [FGW_CEL_EQ] = {2, -1, 0},
    [FGW_CEL_NE] = {2, -1, 0},
    [FGW_CEL_LT] = {2, -1, 0},
    [FGW_CEL_LE] = {2, -1, 0},
    [FGW_CEL_GT] = {2, -1, 0},
    [FGW_CEL_GE] = {2, -1, 0},
    [FGW_CEL_ADD] = {2, -1, 0},
    [FGW_CEL_SUB] = {2, -1, 0},
    [FGW_CEL_MUL] = {2, -1, 0},
    [FGW_CEL_DIV] = {2, -1, 0},
    [FGW_CEL_MOD] = {2, -1, 0},
    [FGW_CEL_IN] = {2, -1, 0},
    [FGW_CEL_AND] = {2, -1, 0},
    [FGW_CEL_OR] = {2, -1, 0},
    [FGW_CEL_NOT] = {1, 0, 0},
    [FGW_CEL_NEGATE] = {1, 0, 0},
    [FGW_CEL_JUMP] = {0, 0, JUMPS | ENDS},
    [FGW_CEL_AND_JUMP] = {1, 0, JUMPS},
    [FGW_CEL_OR_JUMP] = {1, 0, JUMPS},
    [FGW_CEL_ERROR_JUMP] = {1, 0, JUMPS},
    [FGW_CEL_FALSE_JUMP] = {1, -1, JUMPS},
    [FGW_CEL_INDEX] = {2, -1, 0},
    [FGW_CEL_OPT_INDEX] = {2, -1, 0},
    [FGW_CEL_SELECT] = {1, 0, 0},
    [FGW_CEL_OPT_SELECT] = {1, 0, 0},
    [FGW_CEL_HAS] = {1, 0, 0},
    [FGW_CEL_LIST] = {0, 1, 0},
    [FGW_CEL_APPEND] = {2, -1, 0},
    [FGW_CEL_APPEND_OPT] = {2, -1, 0},
    [FGW_CEL_MAP] = {0, 1, 0},
    [FGW_CEL_INSERT] = {3, -2, 0},
    [FGW_CEL_INSERT_OPT] = {3, -2, 0},
    [FGW_CEL_MERGE] = {2, -1, 0},
    [FGW_CEL_STORE] = {1, -1, 0},
    [FGW_CEL_LOAD] = {0, 1, 0},
    [FGW_CEL_ITERATE] = {1, -1, JUMPS | LEAVES},
    [FGW_CEL_NEXT] = {0, 0, JUMPS},
    [FGW_CEL_LOOP] = {0, 0, ENDS},
    [FGW_CEL_GUARD] = {2, -1, JUMPS},
    [FGW_CEL_ERROR_EXIT] = {1, 0, JUMPS},
    [FGW_CEL_OR_OPTIONAL] = {1, -1, JUMPS | LEAVES},
    [FGW_CEL_OR_VALUE] = {1, -1, JUMPS | LEAVES},
    [FGW_CEL_OPT_MAP] = {1, 0, JUMPS},
    [FGW_CEL_CALL] = {0, 1, 0}, /* and its operands */
    [FGW_CEL_CONCAT] = {0, 1, 0},
};

static const struct {
    uint8_t least, most;
} arity[FGW_CEL_FUNCTION_COUNT] = {
#define FGW_CEL_ARITY(name, least, most) {least, most},
    FGW_CEL_FUNCTIONS(FGW_CEL_ARITY)
#undef FGW_CEL_ARITY
};

static int constant_inside(const struct fgw_cel_program *program,
                           const struct fgw_cel_constant *constant)
{
    const uint8_t *block = (const uint8_t *)program;
    uint64_t offset = constant->as.offset, length = constant->length;
    switch (constant->type) {
    case FGW_VALUE_BOOL:
        return constant->as.number == 0 || constant->as.number == 1;
    case FGW_VALUE_TYPE:
        return constant->as.number > 0 && constant->as.number <= FGW_VALUE_NULL;
    case FGW_VALUE_INT:
    case FGW_VALUE_UINT:
    case FGW_VALUE_DOUBLE:
    case FGW_VALUE_DURATION:
    case FGW_VALUE_NULL:
        return 1;
    case FGW_VALUE_TIMESTAMP:
        return length < 1000000000 && constant->as.number >= FGW_CEL_TIME_FIRST
               && constant->as.number <= FGW_CEL_TIME_LAST;
    case FGW_VALUE_CIDR:
        if (length >> 8 > (length & 0xFF) * 8)
            return 0;
        length &= 0xFF;
        break;
    case FGW_VALUE_STRING:
    case FGW_VALUE_BYTES:
    case FGW_VALUE_IP:
    case FGW_VALUE_REGEX:
    case FGW_VALUE_ZONE:
        break;
    default:
        return 0;
    }
    if (offset > program->size || length > program->size - offset)
        return 0;
    if (constant->type == FGW_VALUE_IP || constant->type == FGW_VALUE_CIDR)
        return length == 4 || length == 16;
    if (constant->type == FGW_VALUE_ZONE)
        return offset % 8 == 0 && length > 0 && length % sizeof(struct fgw_cel_zone) == 0;
    return constant->type != FGW_VALUE_REGEX
           || (offset % 8 == 0 && fgw_regex_verify(block + offset, length) == 0);
}

/* Whether what an instruction names exists. */
static int operands_inside(const struct fgw_cel_program *program, uint32_t at)
{
    const struct fgw_cel_instruction *code = fgw_cel_code(program), *step = &code[at];
    uint32_t constants = program->n_constants;
    switch (step->op) {
    case FGW_CEL_FACT:
    case FGW_CEL_HAS_FACT:
        return step->at < program->n_facts;
    case FGW_CEL_FACT_OR:
    case FGW_CEL_FACT_EQ:
    case FGW_CEL_FACT_NE:
        return step->at < program->n_facts && step->to < constants;
    case FGW_CEL_CONSTANT:
        return step->at < constants;
    case FGW_CEL_CONSTANT_LIST:
    case FGW_CEL_IN_CONSTANTS:
        return (uint32_t)step->at + step->count <= constants;
    case FGW_CEL_SOURCE:
        return step->at < FGW_CEL_SOURCES;
    case FGW_CEL_SELECT:
    case FGW_CEL_OPT_SELECT:
    case FGW_CEL_HAS:
        return step->to < constants
               && fgw_cel_constants(program)[step->to].type == FGW_VALUE_STRING;
    case FGW_CEL_STORE:
    case FGW_CEL_LOAD:
        return step->at < program->n_slots;
    case FGW_CEL_ITERATE:
        return (uint32_t)step->at + 2 <= program->n_slots;
    case FGW_CEL_NEXT:
        return (step->arg == 1 || step->arg == 2)
               && (uint32_t)step->at + 2 + step->arg <= program->n_slots;
    case FGW_CEL_LOOP:
        return step->to < at && code[step->to].op == FGW_CEL_NEXT;
    case FGW_CEL_CALL:
        return step->at < FGW_CEL_FUNCTION_COUNT && step->arg >= arity[step->at].least
               && step->arg <= arity[step->at].most;
    default:
        return step->op < FGW_CEL_OPS;
    }
}

/* Notes that `to` is reached with `depth` values; 0 if it was reached with another number. */
static int reach(int8_t *depth_at, uint32_t to, int depth)
{
    if (depth_at[to] >= 0 && depth_at[to] != depth)
        return 0;
    depth_at[to] = (int8_t)depth;
    return 1;
}

static int flow_inside(const struct fgw_cel_program *program)
{
    /* The depth with which each instruction is reached; -1: not yet. But for LOOP, which must find
     * the depth its NEXT had, all jumps go forward: one pass sees every way to an instruction
     * before the instruction itself. */
    int8_t depth_at[FGW_CEL_CODE_MAX + 1];
    uint32_t n = program->n_code;
    memset(depth_at, -1, n + 1);
    depth_at[0] = 0;

    for (uint32_t at = 0; at < n; at++) {
        const struct fgw_cel_instruction *step = &fgw_cel_code(program)[at];
        int depth = depth_at[at];
        if (depth < 0 || !operands_inside(program, at)) /* code that nothing reaches is refused */
            return -1;
        const struct shape *shape = &shapes[step->op];
        int calls = step->op == FGW_CEL_CALL || step->op == FGW_CEL_CONCAT ? step->arg : 0;
        int after = depth + shape->change - calls;
        if (depth < shape->needs + calls || after > FGW_CEL_STACK)
            return -1;
        if (step->op == FGW_CEL_LOOP && depth_at[step->to] != after)
            return -1;
        if (shape->flags & JUMPS) {
            int there = shape->flags & LEAVES ? depth : after;
            if (step->to <= at || step->to > n || !reach(depth_at, step->to, there))
                return -1;
        }
        if (!(shape->flags & ENDS) && !reach(depth_at, at + 1, after))
            return -1;
    }
    return depth_at[n] == 1 ? 0 : -1;
}

int fgw_cel_verify(const void *block, size_t size)
{
    const struct fgw_cel_program *program = block;
    if (size < sizeof *program || program->magic != FGW_CEL_MAGIC || program->size > size
        || program->size % 8 || program->n_code == 0 || program->n_code > FGW_CEL_CODE_MAX
        || program->n_facts > FGW_FACTS_MAX || program->n_slots > FGW_CEL_SLOTS)
        return -1;
    uint64_t start = sizeof *program
                     + (uint64_t)program->n_code * sizeof(struct fgw_cel_instruction)
                     + (uint64_t)program->n_constants * sizeof(struct fgw_cel_constant);
    if (start > program->size)
        return -1;
    for (uint32_t i = 0; i < program->n_constants; i++)
        if (!constant_inside(program, &fgw_cel_constants(program)[i]))
            return -1;
    return flow_inside(program);
}
