"""What rules and keys do to a request: the hot half of phase POLICY.

Reads     facts
Writes    effects; facts that hold results and variables
Explains  a trace per action of each rule that matched, and per expression that failed

What each action does stands in csrc/fgw_action_*.c.
"""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from fastgw.codes cimport CODE_KEY_SCOPE, CODE_MODEL_RESTRICTED, CODE_POLICY_FAILED
from fastgw.native.action cimport (
    fgw_act, fgw_action_demand, fgw_action_refuse, fgw_action_trace, fgw_model_allowed,
    fgw_patterns, fgw_patterns_match,
)
from fastgw.native.cel cimport (
    FGW_CEL_STEPS, fgw_cel_eval, fgw_cel_glance, fgw_cel_program, fgw_cel_run,
)
from fastgw.native.policy cimport (
    FGW_ACTION_DENY, FGW_ACTION_NONE, FGW_ACTION_RESTRICT_MODELS, FGW_FACT_AI_OPERATION,
    FGW_FACT_AI_PROVIDER, FGW_KEY_TEXT_MAX, FGW_VALUE_ERROR, FGW_VALUE_STRING, fgw_effects,
    fgw_value,
)
from fastgw.policy.plan cimport plan_part, plan_rule


cdef inline bint is_text(const fgw_value *value) noexcept nogil:
    return value.type == FGW_VALUE_STRING and value.length > 0


cdef bint apply_part(const plan_part *part, fgw_value *facts, fgw_effects *effects) noexcept nogil:
    cdef const fgw_value *operation = facts + <size_t>FGW_FACT_AI_OPERATION
    cdef const fgw_value *provider = facts + <size_t>FGW_FACT_AI_PROVIDER
    cdef fgw_patterns nothing
    cdef uint32_t i, length
    if part.operations.given and not (
            is_text(operation)
            and fgw_patterns_match(&part.operations, operation.bytes, operation.length)):
        return fgw_action_refuse(
            effects, part.operations_rule, FGW_ACTION_DENY, True, 403, CODE_KEY_SCOPE)
    if part.providers.given and is_text(provider) and not fgw_patterns_match(
            &part.providers, provider.bytes, provider.length):
        return fgw_action_refuse(
            effects, part.providers_rule, FGW_ACTION_DENY, True, 403, CODE_KEY_SCOPE)
    if part.models.given:
        nothing.count = 0
        if not fgw_model_allowed(&part.models, &nothing, facts):
            return fgw_action_refuse(effects, part.models_rule, FGW_ACTION_RESTRICT_MODELS, True,
                                     403, CODE_MODEL_RESTRICTED)
    for i in range(part.n_demands):
        length = part.text_length
        if effects.key_text_used + length > <uint32_t>FGW_KEY_TEXT_MAX:
            length = 0
        memcpy(effects.key_text + effects.key_text_used, part.text, length)
        fgw_action_demand(effects, &part.demands[i], length)
    return False


cdef int evaluate(const fgw_cel_program *program, fgw_cel_run *run,
                  fgw_value *result) noexcept nogil:
    run.arena_used = 0
    run.steps = FGW_CEL_STEPS
    return fgw_cel_eval(program, run, result)


cdef bint apply_rule(const plan_rule *rule, fgw_value *facts, fgw_effects *effects) noexcept nogil:
    """All expressions must hold; as with `&&`, one that is false decides even where another has no
    value, so the rule index may leave out every rule with a false one."""
    cdef fgw_value result
    cdef uint32_t i
    cdef int truth
    cdef bint failed = False
    cdef int64_t error = 0
    for i in range(rule.n_expressions):
        truth = fgw_cel_glance(rule.expressions[i], facts)
        if truth < 0:
            truth = evaluate(rule.expressions[i], <fgw_cel_run *>effects.run, &result)
        if truth == 0:
            return False
        if truth < 0 and not failed:
            failed = True
            error = result.as_.number if result.type == FGW_VALUE_ERROR else 0
    if failed:
        fgw_action_trace(effects, rule.name, FGW_ACTION_NONE, rule.enforced, CODE_POLICY_FAILED,
                         error)
        return False
    if rule.n_actions == 0:
        fgw_action_trace(effects, rule.name, FGW_ACTION_NONE, rule.enforced, 0, 0)
    for i in range(rule.n_actions):
        if fgw_act(&rule.actions[i], rule.name, facts, effects):
            return True
    return False
