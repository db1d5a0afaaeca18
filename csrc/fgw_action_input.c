/* fgw_action_input.c - cap-input: a prompt that is estimated to be longer is refused.
 *
 * Reads     ai.input_tokens, the gateway's estimate
 * Writes    denied; results exceeded, input_tokens, max_input_tokens
 * Explains  FGW-606 with 413, or the ceiling
 */
#include "fgw_action.h"

int fgw_action_input(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects)
{
    const int64_t tokens = facts[FGW_FACT_AI_INPUT_TOKENS].type == FGW_VALUE_INT
                               ? facts[FGW_FACT_AI_INPUT_TOKENS].as.number : 0;
    const int exceeded = tokens > action->value;
    fgw_action_result_number(action, 0, facts, FGW_VALUE_BOOL, exceeded);
    fgw_action_result_number(action, 1, facts, FGW_VALUE_INT, tokens);
    fgw_action_result_number(action, 2, facts, FGW_VALUE_INT, action->value);
    if (exceeded) {
        if (!fgw_action_refuse(effects, rule, FGW_ACTION_CAP_INPUT, action->enforced, 413,
                               FGW_CODE_INPUT_TOO_LONG))
            return 0;
        effects->input_max = action->value;
        return 1;
    }
    fgw_action_trace(effects, rule, FGW_ACTION_CAP_INPUT, action->enforced, 0, action->value);
    return 0;
}
