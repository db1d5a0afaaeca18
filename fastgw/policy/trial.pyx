"""One decision many times over, without Python in between: for benches."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint32_t

from fastgw.native.index cimport (
    FGW_INDEX_NO_RULE, fgw_index, fgw_index_next, fgw_index_start, fgw_index_walk,
)
from fastgw.native.policy cimport FGW_FACTS_MAX, fgw_effects, fgw_value
from fastgw.policy.policy cimport Policy
from fastgw.policy.program cimport set_value
from fastgw.policy.scope import Scope

from fastgw.policy.evaluate import facts_in_order


def decide_often(Policy policy, facts, Py_ssize_t times):
    cdef fgw_value[FGW_FACTS_MAX] values
    cdef fgw_effects effects
    cdef list texts = []
    cdef Py_ssize_t i
    scope = Scope()
    scope.dynamic += policy.dynamic_facts
    ordered = facts_in_order(scope, facts)
    for i in range(len(ordered)):
        set_value(&values[i], ordered[i], texts)
    for _ in range(times):
        policy.run(values, NULL, None, &effects)
    return effects.n_rules


def walk_often(bytes block, facts, Py_ssize_t times):
    cdef const fgw_index *index = <const fgw_index *>PyBytes_AS_STRING(block)
    cdef fgw_value[FGW_FACTS_MAX] values
    cdef fgw_index_walk walk
    cdef list texts = []
    cdef uint32_t found = 0
    cdef Py_ssize_t i
    for i in range(len(facts)):
        set_value(&values[i], facts[i], texts)
    for _ in range(times):
        found = 0
        fgw_index_start(index, values, &walk)
        while fgw_index_next(&walk) != FGW_INDEX_NO_RULE:
            found += 1
    return found
