/* fgw_action_abort.c - on-abort: what becomes of the provider's answer when the client goes.
 *
 * `cancel` is what the gateway does anyway: the provider is cut off at once.
 *
 * Reads     nothing
 * Writes    result action
 * Explains  that it was asked for
 */
#include "fgw_action.h"

int fgw_action_abort(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects)
{
    fgw_action_result_text(action, 0, facts, (const uint8_t *)"cancel", 6);
    fgw_action_trace(effects, rule, FGW_ACTION_ON_ABORT, action->enforced, 0, 0);
    return 0;
}
