/* fgw_action_route.c - route: other candidates than those that the client's model names.
 *
 * Reads     nothing
 * Writes    route, the last one wins; results provider and model ("" where several are meant)
 * Explains  the number of the route, and in x-fastgw-rule the rule
 */
#include "fgw_action.h"

int fgw_action_route(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects)
{
    const struct fgw_words *words = action->more;
    fgw_action_result_text(action, 0, facts, words->first, words->first_length);
    fgw_action_result_text(action, 1, facts, words->second, words->second_length);
    fgw_action_trace(effects, rule, FGW_ACTION_ROUTE, action->enforced, 0, action->number);
    if (!action->enforced) {
        fgw_action_shadow(effects, rule);
        return 0;
    }
    effects->route = action->number;
    effects->rule = rule;
    return 0;
}
