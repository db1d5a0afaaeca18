/* fgw_action_abort.c - on-abort: what becomes of the provider's answer when the client goes.
 *
 * `cancel` is what the gateway does anyway: the provider is cut off at once. `drain` lets it end
 * within bounds, so that it tells what it bills. The last one that is enforced holds.
 *
 * Reads     nothing
 * Writes    drain; result action
 * Explains  which of them, and the bound in tokens of a drain
 */
#include "fgw_action.h"

#include <stddef.h>

int fgw_action_abort(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects)
{
    const struct fgw_drain *drain = action->more;
    if (action->enforced)
        effects->drain = drain;
    else
        effects->shadows = (uint16_t)(effects->shadows + (drain != effects->drain));
    const char *word = effects->drain ? "drain" : "cancel";
    fgw_action_result_text(action, 0, facts, (const uint8_t *)word, effects->drain ? 5 : 6);
    fgw_action_trace(effects, rule, FGW_ACTION_ON_ABORT, action->enforced, 0,
                     drain ? (int64_t)drain->max_tokens : 0);
    return 0;
}
