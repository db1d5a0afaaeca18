/* fgw_action_limit.c - rate-limit, usage-cap, concurrency-limit: collected here, taken in LIMIT.
 *
 * Reads     what its bucket_key asks for
 * Writes    a demand; its results exist only once LIMIT has decided (fastgw/policy/late.pyx)
 * Explains  the capacity; FGW-603 where the request asks for more limits than it can take
 */
#include "fgw_action.h"

#include "fgw_demand.h"

int fgw_action_demand(struct fgw_effects *effects, const struct fgw_demand *wanted,
                      uint32_t text_length)
{
    for (uint32_t i = 0; i < effects->n_demands; i++) {
        const struct fgw_demand *demand = &effects->demands[i];
        if (demand->identity[0] == wanted->identity[0]
            && demand->identity[1] == wanted->identity[1] && demand->enforced == wanted->enforced)
            return 1;
    }
    if (effects->n_demands >= FGW_LIMITS_MAX)
        return 0;
    struct fgw_demand *demand = &effects->demands[effects->n_demands++];
    *demand = *wanted;
    demand->text_offset = effects->key_text_used;
    demand->text_length = (uint16_t)text_length;
    effects->key_text_used = (uint16_t)(effects->key_text_used + text_length);
    return 1;
}

/* The key's identity, and its text behind those in effects: the text's length, or -1. */
static int identify(const struct fgw_limit_keys *limit, struct fgw_effects *effects,
                    uint64_t identity[2])
{
    struct fgw_value values[FGW_DEMAND_VALUES_MAX];
    uint8_t *text = effects->key_text + effects->key_text_used;
    const size_t room = (size_t)(FGW_KEY_TEXT_MAX - effects->key_text_used);
    struct fgw_known_keys *known = limit->n_keys == 1 ? effects->known : NULL;

    effects->run->arena_used = 0; /* one for all: the texts of its keys are looked at together */
    effects->run->steps = FGW_CEL_STEPS;
    for (uint32_t i = 0; i < limit->n_keys; i++) {
        const struct fgw_value *fact = fgw_cel_peek(limit->keys[i], effects->run->facts);
        if (fact)
            values[i] = *fact;
        else
            fgw_cel_eval(limit->keys[i], effects->run, &values[i]);
    }
    int length = known ? fgw_demand_recall(known, limit, values, identity, text, room) : -1;
    if (length >= 0)
        return length;
    length = fgw_demand_key(limit->prefix, limit->prefix_length, values, limit->n_keys,
                            limit->addresses, identity, text, room);
    if (known)
        fgw_demand_keep(known, limit, values, identity, text, length, room);
    return length;
}

int fgw_action_limit(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                     struct fgw_effects *effects)
{
    const struct fgw_limit_keys *limit = action->more;
    struct fgw_demand demand = {.limit = (uint16_t)action->number, .enforced = action->enforced,
                                .rule = rule};
    (void)facts;
    const int length = identify(limit, effects, demand.identity);
    if (length < 0 || !fgw_action_demand(effects, &demand, (uint32_t)length))
        return fgw_action_refuse(effects, rule, action->type, action->enforced, 500,
                                 FGW_CODE_POLICY_FAILED);
    fgw_action_trace(effects, rule, action->type, action->enforced, 0, action->value);
    return 0;
}
