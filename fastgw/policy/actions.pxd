"""What rules and keys do to a request: the hot half of phase POLICY."""
from fastgw.native.policy cimport fgw_effects, fgw_value
from fastgw.policy.plan cimport plan_part, plan_rule

# Both return whether the request is decided now.
cdef bint apply_part(
    const plan_part *part, fgw_value *facts, fgw_effects *effects) noexcept nogil
cdef bint apply_rule(
    const plan_rule *rule, fgw_value *facts, fgw_effects *effects) noexcept nogil
