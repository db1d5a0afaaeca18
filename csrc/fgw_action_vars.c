/* fgw_action_vars.c - set-vars: names for what later rules ask.
 *
 * Reads     what the values ask for
 * Writes    vars.* that some rule reads; result set, how many have a value
 * Explains  how many; FGW-603 where one has none, and is absent
 */
#include "fgw_action.h"

#include <string.h>

/* What the value points at lasts as long as the run: an expression's memory does not. Lists and
 * maps are no variables, as they would have to be copied whole. */
static int keep(struct fgw_said *said, struct fgw_value *value)
{
    switch (value->type) {
    case FGW_VALUE_BOOL:
    case FGW_VALUE_INT:
    case FGW_VALUE_UINT:
    case FGW_VALUE_DOUBLE:
    case FGW_VALUE_TIMESTAMP:
    case FGW_VALUE_DURATION:
        return 1;
    case FGW_VALUE_STRING:
        break;
    default:
        return 0;
    }
    if (value->length > FGW_SAID_VARS_MAX - said->vars_used)
        return 0;
    if (value->length)
        memcpy(said->vars + said->vars_used, value->bytes, value->length);
    value->bytes = said->vars + said->vars_used;
    said->vars_used += value->length;
    return 1;
}

static int evaluate(const struct fgw_set_var *var, struct fgw_effects *effects,
                    struct fgw_value *value)
{
    struct fgw_said *said = effects->said;
    int failed = 0;
    if (var->program) {
        fgw_action_value(var->program, effects->run, value);
        return keep(said, value);
    }
    const int32_t length = fgw_action_say(&var->text, effects->run, said->vars + said->vars_used,
                                          FGW_SAID_VARS_MAX - said->vars_used, &failed);
    if (length < 0 || failed)
        return 0;
    *value = (struct fgw_value){.bytes = said->vars + said->vars_used, .length = (uint32_t)length,
                                .type = FGW_VALUE_STRING};
    said->vars_used += (uint32_t)length;
    return 1;
}

int fgw_action_vars(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                    struct fgw_effects *effects)
{
    const struct fgw_set_vars *set = action->more;
    uint32_t good = 0;
    for (uint32_t i = 0; i < set->n_vars; i++) {
        struct fgw_value value = {.type = FGW_VALUE_ABSENT};
        const int whole = evaluate(&set->vars[i], effects, &value);
        good += (uint32_t)whole;
        if (!action->enforced || !set->vars[i].fact)
            continue;
        if (!whole)
            value.type = FGW_VALUE_ABSENT;
        facts[set->vars[i].fact] = value;
    }
    if (!action->enforced)
        fgw_action_shadow(effects, rule);
    fgw_action_result_number(action, 0, facts, FGW_VALUE_INT, good);
    fgw_action_trace(effects, rule, FGW_ACTION_SET_VARS, action->enforced,
                     good < set->n_vars ? FGW_CODE_POLICY_FAILED : 0, good);
    return 0;
}
