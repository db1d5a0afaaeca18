/* fgw_action_log.c - log: metadata for the gateway's log and the decision record.
 *
 * It is written at the request's end, when limits and usage are known.
 *
 * Reads     nothing now
 * Writes    logs: its number; result logged
 * Explains  that it was asked for; at most FGW_LISTED_MAX a request
 */
#include "fgw_action.h"

int fgw_action_log(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                   struct fgw_effects *effects)
{
    const int room = effects->n_logs < FGW_LISTED_MAX;
    fgw_action_result_number(action, 0, facts, FGW_VALUE_BOOL, action->enforced && room);
    fgw_action_trace(effects, rule, FGW_ACTION_LOG, action->enforced,
                     room ? 0 : FGW_CODE_POLICY_FAILED, 0);
    if (!action->enforced)
        fgw_action_shadow(effects, rule);
    else if (room)
        effects->logs[effects->n_logs++] = (uint16_t)action->number;
    return 0;
}
