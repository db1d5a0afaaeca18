/* fgw_action_output.c - cap-output: a lower ceiling on generated tokens. Never refuses.
 *
 * Reads     ai.max_output_tokens (0: the client set none)
 * Writes    output_max, output_rule; result max_output_tokens, the ceiling now in force
 * Explains  the ceiling
 */
#include "fgw_action.h"

int fgw_action_output(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects)
{
    const struct fgw_value *asked = &facts[FGW_FACT_AI_MAX_OUTPUT_TOKENS];
    const int64_t client = asked->type == FGW_VALUE_INT && asked->as.number > 0
                               ? asked->as.number : INT64_MAX;
    fgw_action_trace(effects, rule, FGW_ACTION_CAP_OUTPUT, action->enforced, 0, action->value);
    if (!action->enforced) {
        if (client > action->value)
            fgw_action_shadow(effects, rule);
    } else if (effects->output_max == 0 || effects->output_max > action->value) {
        effects->output_max = action->value;
        effects->output_rule = rule;
        /* A client that asks for less anyway is not shaped by this rule. */
        if (client > action->value)
            effects->rule = rule;
    }
    int64_t ceiling = effects->output_max ? effects->output_max : INT64_MAX;
    if (client < ceiling)
        ceiling = client;
    fgw_action_result_number(action, 0, facts, FGW_VALUE_INT, ceiling == INT64_MAX ? 0 : ceiling);
    return 0;
}
