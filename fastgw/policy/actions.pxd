"""What rules and keys do to a request: the hot half of phase POLICY."""
from libc.stdint cimport uint8_t, uint32_t

from fastgw.native.cel cimport fgw_cel_program, fgw_cel_run
from fastgw.native.policy cimport fgw_effects, fgw_value
from fastgw.policy.plan cimport plan_part, plan_patterns, plan_rule

# All that run() must not leave from the request before.
cdef void clear_effects(fgw_effects *effects) noexcept nogil

# Both return whether the request is denied now.
cdef bint apply_part(
    const plan_part *part, const fgw_value *facts, fgw_effects *effects) noexcept nogil
cdef bint apply_rule(
    const plan_rule *rule, fgw_cel_run *run, fgw_effects *effects) noexcept nogil

# Runs one expression; the memory and the steps of the one before are free again.
cdef int evaluate(const fgw_cel_program *program, fgw_cel_run *run,
                  fgw_value *result) noexcept nogil

cdef bint matches_any(
    const plan_patterns *patterns, const uint8_t *text, uint32_t length) noexcept nogil
