"""Phase POLICY rule by rule, for rehearsals: the same decision, told to `Policy.tracer`.

Called instead of Policy.run, run_answer and run_end where there is a tracer, so that whoever has
none pays nothing.
"""
from fastgw.native.cel cimport fgw_cel_source
from fastgw.native.policy cimport fgw_effects, fgw_value
from fastgw.policy.policy cimport Policy, PrincipalPart

cdef int run_traced(Policy policy, fgw_value *facts, const fgw_cel_source *source,
                    PrincipalPart part, fgw_effects *effects) except -1
cdef int run_answer_traced(Policy policy, fgw_value *facts, const fgw_cel_source *source,
                           fgw_effects *effects) except -1
cdef int run_end_traced(Policy policy, fgw_value *facts, const fgw_cel_source *source,
                        fgw_effects *effects) except -1
