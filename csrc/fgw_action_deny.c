/* fgw_action_deny.c - deny: the request ends here.
 *
 * Reads     nothing but its own words, with what `${...}` in them asks for
 * Writes    denied, status, message; result denied
 * Explains  FGW-601, the status; the message, where it has one, in place of the catalogue's title
 */
#include "fgw_action.h"

int fgw_action_deny(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                    struct fgw_effects *effects)
{
    const struct fgw_template *message = action->more;
    fgw_action_result_number(action, 0, facts, FGW_VALUE_BOOL, 1);
    if (!fgw_action_refuse(effects, rule, FGW_ACTION_DENY, action->enforced, action->status,
                           FGW_CODE_DENIED))
        return 0;
    effects->message = action->number;
    if (message && effects->said) {
        int failed = 0;
        int32_t said = fgw_action_say(message, effects->run, effects->said->body,
                                      FGW_SAID_BODY_MAX, &failed);
        effects->said->body_used = said > 0 ? (uint32_t)said : 0;
        effects->spoken = said > 0;
    }
    return 1;
}
