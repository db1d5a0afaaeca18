"""What rules and keys do to a request: the hot half of phase POLICY."""
from fastgw.native.cel cimport fgw_cel_program, fgw_cel_run
from fastgw.native.policy cimport fgw_effects, fgw_value
from fastgw.policy.plan cimport plan_part, plan_rule

# Both return whether the request is decided now. `facts` are those of effects.run: what rules set
# is written there.
cdef bint apply_part(
    const plan_part *part, fgw_value *facts, fgw_effects *effects) noexcept nogil
cdef bint apply_rule(
    const plan_rule *rule, fgw_value *facts, fgw_effects *effects) noexcept nogil

# Runs one expression; the memory and the steps of the one before are free again.
cdef int evaluate(const fgw_cel_program *program, fgw_cel_run *run,
                  fgw_value *result) noexcept nogil
