"""What rules and keys do to a request: the hot half of phase POLICY.

Reads     facts
Writes    effects: denial, ceiling, demands
Explains  a trace per action of each rule that matched, and per expression that failed
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from fastgw.codes cimport (
    CODE_DENIED, CODE_KEY_SCOPE, CODE_MODEL_RESTRICTED, CODE_POLICY_FAILED,
)
from fastgw.native.cel cimport (
    FGW_CEL_STEPS, fgw_cel_eval, fgw_cel_glance, fgw_cel_program, fgw_cel_run,
)
from fastgw.native.demand cimport FGW_DEMAND_VALUES_MAX, fgw_demand_key
from fastgw.native.glob cimport fgw_glob_match
from fastgw.native.policy cimport (
    FGW_ACTION_CAP_OUTPUT, FGW_ACTION_CONCURRENCY_LIMIT, FGW_ACTION_DENY, FGW_ACTION_NONE,
    FGW_ACTION_RATE_LIMIT, FGW_ACTION_RESTRICT_MODELS, FGW_ACTION_USAGE_CAP,
    FGW_FACT_AI_MAX_OUTPUT_TOKENS, FGW_FACT_AI_MODEL, FGW_FACT_AI_OPERATION, FGW_FACT_AI_PROVIDER,
    FGW_FACT_REQ_METHOD, FGW_KEY_TEXT_MAX, FGW_VALUE_ERROR,
    FGW_VALUE_INT, FGW_VALUE_STRING,
    fgw_demand, fgw_effects, fgw_value,
)
from fastgw.native.record cimport FGW_LIMITS_MAX, FGW_RULES_MAX, fgw_rule_trace
from fastgw.policy.plan cimport plan_action, plan_part, plan_patterns, plan_rule

# Expressions that failed may fill only half of the traces: a policy of many rules that ask for a
# header which most requests lack must not push out the rules that matched.
cdef enum:
    FAILED_TRACES_MAX = 8


cdef void clear_effects(fgw_effects *effects) noexcept nogil:
    effects.denied = 0
    effects.n_rules = 0
    effects.n_demands = 0
    effects.deny_action = FGW_ACTION_NONE
    effects.rules_total = 0
    effects.status = 0
    effects.code = 0
    effects.message = 0
    effects.key_text_used = 0
    effects.rule = 0
    effects.output_max = 0
    effects.output_rule = 0


cdef void trace(fgw_effects *effects, uint64_t rule, uint8_t action, uint8_t enforced,
                uint16_t code, int64_t value) noexcept nogil:
    cdef fgw_rule_trace *entry
    if effects.rules_total < 65535:
        effects.rules_total += 1
    if effects.n_rules >= (FAILED_TRACES_MAX if code == CODE_POLICY_FAILED else FGW_RULES_MAX):
        return
    entry = &effects.rules[effects.n_rules]
    effects.n_rules += 1
    memset(entry, 0, sizeof(fgw_rule_trace))
    entry.rule = rule
    entry.action = action
    entry.enforced = enforced
    entry.code = code
    entry.value = value


cdef bint deny(fgw_effects *effects, uint64_t rule, uint8_t action, bint enforced, uint16_t status,
               uint16_t code, uint16_t message) noexcept nogil:
    trace(effects, rule, action, enforced, code, status)
    if not enforced:
        return False
    effects.denied = 1
    effects.deny_action = action
    effects.status = status
    effects.code = code
    effects.message = message
    effects.rule = rule
    return True


cdef inline bint is_text(const fgw_value *value) noexcept nogil:
    return value.type == FGW_VALUE_STRING and value.length > 0


cdef inline bint says(const fgw_value *value, const char *word, uint32_t length) noexcept nogil:
    return (value.type == FGW_VALUE_STRING and value.length == length
            and memcmp(value.bytes, word, length) == 0)


cdef bint matches_any(const plan_patterns *patterns, const uint8_t *text,
                      uint32_t length) noexcept nogil:
    cdef uint32_t i
    for i in range(patterns.count):
        if fgw_glob_match(patterns.texts[i], patterns.lengths[i], text, length):
            return True
    return False


cdef bint model_allowed(const plan_patterns *allow, const plan_patterns *deny_list,
                        const fgw_value *facts) noexcept nogil:
    """A request without a model passes only where it can start no generation: an unread model (a
    multipart body, a batch) must not be a way round."""
    cdef const fgw_value *model = facts + <size_t>FGW_FACT_AI_MODEL
    cdef const fgw_value *provider = facts + <size_t>FGW_FACT_AI_PROVIDER
    cdef const fgw_value *operation = facts + <size_t>FGW_FACT_AI_OPERATION
    cdef const fgw_value *method = facts + <size_t>FGW_FACT_REQ_METHOD
    cdef const uint8_t *bare = NULL
    cdef uint32_t bare_length = 0
    if not is_text(model):
        return (says(method, "GET", 3) or says(method, "HEAD", 4) or says(method, "DELETE", 6)
                or says(operation, "models", 6) or says(operation, "files", 5))
    # `openai/gpt-4o` pins a provider: a pattern may name the model with or without it.
    if (is_text(provider) and model.length > provider.length + 1
            and model.bytes[provider.length] == c'/'
            and memcmp(model.bytes, provider.bytes, provider.length) == 0):
        bare = model.bytes + provider.length + 1
        bare_length = model.length - provider.length - 1
    if matches_any(deny_list, model.bytes, model.length):
        return False
    if bare != NULL and matches_any(deny_list, bare, bare_length):
        return False
    if not allow.given or matches_any(allow, model.bytes, model.length):
        return True
    return bare != NULL and matches_any(allow, bare, bare_length)


cdef bint add_demand(fgw_effects *effects, const fgw_demand *wanted,
                     uint32_t text_length) noexcept nogil:
    """False where more limits than a request can take are asked for (a load error, normally).

    The key's text stands at the end of those in effects already. A bucket that is asked for twice
    is taken once: its name is its identity."""
    cdef fgw_demand *demand
    cdef uint32_t i
    for i in range(effects.n_demands):
        demand = &effects.demands[i]
        if (demand.identity[0] == wanted.identity[0] and demand.identity[1] == wanted.identity[1]
                and demand.enforced == wanted.enforced):
            return True
    if effects.n_demands >= FGW_LIMITS_MAX:
        return False
    demand = &effects.demands[effects.n_demands]
    effects.n_demands += 1
    demand[0] = wanted[0]
    demand.text_offset = effects.key_text_used
    demand.text_length = <uint16_t>text_length
    effects.key_text_used += <uint16_t>text_length
    return True


cdef bint apply_part(const plan_part *part, const fgw_value *facts,
                     fgw_effects *effects) noexcept nogil:
    cdef const fgw_value *operation = facts + <size_t>FGW_FACT_AI_OPERATION
    cdef const fgw_value *provider = facts + <size_t>FGW_FACT_AI_PROVIDER
    cdef plan_patterns nothing
    cdef uint32_t i, length
    if part.operations.given and not (
            is_text(operation)
            and matches_any(&part.operations, operation.bytes, operation.length)):
        return deny(effects, part.operations_rule, FGW_ACTION_DENY, True, 403, CODE_KEY_SCOPE, 0)
    if part.providers.given and is_text(provider) and not matches_any(
            &part.providers, provider.bytes, provider.length):
        return deny(effects, part.providers_rule, FGW_ACTION_DENY, True, 403, CODE_KEY_SCOPE, 0)
    if part.models.given:
        nothing.count = 0
        if not model_allowed(&part.models, &nothing, facts):
            return deny(effects, part.models_rule, FGW_ACTION_RESTRICT_MODELS, True, 403,
                        CODE_MODEL_RESTRICTED, 0)
    for i in range(part.n_demands):
        length = part.text_length
        if effects.key_text_used + length > <uint32_t>FGW_KEY_TEXT_MAX:
            length = 0
        memcpy(effects.key_text + effects.key_text_used, part.text, length)
        add_demand(effects, &part.demands[i], length)
    return False


cdef int evaluate(const fgw_cel_program *program, fgw_cel_run *run,
                  fgw_value *result) noexcept nogil:
    run.arena_used = 0
    run.steps = FGW_CEL_STEPS
    return fgw_cel_eval(program, run, result)


cdef bint demand_bucket(const plan_action *action, uint64_t rule, fgw_cel_run *run,
                        fgw_effects *effects) noexcept nogil:
    cdef fgw_value[FGW_DEMAND_VALUES_MAX] values
    cdef fgw_demand demand
    cdef uint32_t i
    cdef int length
    memset(&demand, 0, sizeof(demand))
    run.arena_used = 0  # one for all: the texts of its keys are looked at together
    run.steps = FGW_CEL_STEPS
    for i in range(action.n_keys):
        fgw_cel_eval(action.keys[i], run, &values[i])
    length = fgw_demand_key(
        action.prefix, action.prefix_length, values, action.n_keys, action.addresses,
        demand.identity, effects.key_text + effects.key_text_used,
        FGW_KEY_TEXT_MAX - effects.key_text_used)
    demand.limit = action.limit
    demand.enforced = action.enforced
    demand.rule = rule
    if length >= 0 and add_demand(effects, &demand, <uint32_t>length):
        trace(effects, rule, action.type, action.enforced, 0, action.value)
        return False
    return deny(effects, rule, action.type, action.enforced, 500, CODE_POLICY_FAILED, 0)


cdef void cap_output(const plan_action *action, uint64_t rule, const fgw_value *facts,
                     fgw_effects *effects) noexcept nogil:
    cdef const fgw_value *asked = facts + <size_t>FGW_FACT_AI_MAX_OUTPUT_TOKENS
    trace(effects, rule, FGW_ACTION_CAP_OUTPUT, action.enforced, 0, action.value)
    if not action.enforced:
        return
    if effects.output_max != 0 and effects.output_max <= action.value:
        return
    effects.output_max = action.value
    effects.output_rule = rule
    # A client that asks for less anyway is not shaped by this rule.
    if asked.type != FGW_VALUE_INT or asked.as_.number <= 0 or asked.as_.number > action.value:
        effects.rule = rule


cdef bint apply_action(const plan_action *action, uint64_t rule, fgw_cel_run *run,
                       fgw_effects *effects) noexcept nogil:
    if action.type == FGW_ACTION_RATE_LIMIT:
        return demand_bucket(action, rule, run, effects)
    if action.type == FGW_ACTION_CAP_OUTPUT:
        cap_output(action, rule, run.facts, effects)
        return False
    if action.type == FGW_ACTION_DENY:
        return deny(effects, rule, FGW_ACTION_DENY, action.enforced, action.status, CODE_DENIED,
                    action.message)
    if action.type == FGW_ACTION_USAGE_CAP or action.type == FGW_ACTION_CONCURRENCY_LIMIT:
        return demand_bucket(action, rule, run, effects)
    if not model_allowed(&action.allow, &action.deny, run.facts):
        return deny(effects, rule, FGW_ACTION_RESTRICT_MODELS, action.enforced, 403,
                    CODE_MODEL_RESTRICTED, 0)
    trace(effects, rule, FGW_ACTION_RESTRICT_MODELS, action.enforced, 0, 0)
    return False


cdef bint apply_rule(const plan_rule *rule, fgw_cel_run *run, fgw_effects *effects) noexcept nogil:
    """All expressions must hold; as with `&&`, one that is false decides even where another has no
    value, so the rule index may leave out every rule with a false one."""
    cdef fgw_value result
    cdef uint32_t i
    cdef int truth
    cdef bint failed = False
    cdef int64_t error = 0
    for i in range(rule.n_expressions):
        truth = fgw_cel_glance(rule.expressions[i], run.facts)
        if truth < 0:
            truth = evaluate(rule.expressions[i], run, &result)
        if truth == 0:
            return False
        if truth < 0 and not failed:
            failed = True
            error = result.as_.number if result.type == FGW_VALUE_ERROR else 0
    if failed:
        trace(effects, rule.name, FGW_ACTION_NONE, rule.enforced, CODE_POLICY_FAILED, error)
        return False
    if rule.n_actions == 0:
        trace(effects, rule.name, FGW_ACTION_NONE, rule.enforced, 0, 0)
    for i in range(rule.n_actions):
        if apply_action(&rule.actions[i], rule.name, run, effects):
            return True
    return False
