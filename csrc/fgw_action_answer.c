/* fgw_action_answer.c - custom-response: the rule answers, no provider is asked.
 *
 * Reads     what `${...}` in its fields and body asks for
 * Writes    denied, status; said: fields and body; result answered
 * Explains  FGW-604, the status; FGW-603 where the answer is larger than there is room for
 */
#include "fgw_action.h"

int fgw_action_answer(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects)
{
    const struct fgw_answer *answer = action->more;
    struct fgw_said *said = effects->said;
    int failed = 0;
    int32_t length;
    fgw_action_result_number(action, 0, facts, FGW_VALUE_BOOL, 1);
    if (!fgw_action_refuse(effects, rule, FGW_ACTION_CUSTOM_RESPONSE, action->enforced,
                           action->status, FGW_CODE_ANSWERED))
        return 0;
    said->fields_used = 0; /* what was to be told a provider */
    const uint32_t refused = fgw_action_put_fields(&answer->fields, effects->run, said);
    if (refused)
        fgw_action_trace(effects, rule, FGW_ACTION_CUSTOM_RESPONSE, 1, FGW_CODE_FIELD_REFUSED,
                         (int64_t)refused);
    length = fgw_action_say(&answer->body, effects->run, said->body, FGW_SAID_BODY_MAX, &failed);
    if (length < 0)
        return fgw_action_refuse(effects, rule, FGW_ACTION_CUSTOM_RESPONSE, 1, 500,
                                 FGW_CODE_POLICY_FAILED);
    said->body_used = (uint32_t)length;
    return 1;
}
