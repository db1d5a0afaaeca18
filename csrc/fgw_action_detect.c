/* fgw_action_detect.c - detect: somebody looks for secrets and personal numbers.
 *
 * The look itself is fastgw/detect's: at the request behind POLICY, at the answer as it comes.
 *
 * Reads     nothing
 * Writes    detects: its bit
 * Explains  nothing here: what was found explains itself
 */
#include "fgw_action.h"

int fgw_action_detect(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects)
{
    (void)rule;
    (void)facts;
    effects->detects |= (uint64_t)1 << action->value;
    return 0;
}
