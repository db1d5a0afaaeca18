"""One expression of a usual mix: equality, a set, a comparison, a search, a network, a pattern."""

from benchmarks.policies import FACTS
from fastgw.policy.compiler import compile_text
from fastgw.policy.evaluate import facts_in_order
from fastgw.policy.scope import Scope

from libc.stdint cimport uint8_t
from libc.stdlib cimport malloc

from fastgw.native.cel cimport FGW_CEL_ARENA, FGW_CEL_STEPS, fgw_cel_run
from fastgw.native.policy cimport FGW_FACTS_MAX, fgw_value
from fastgw.policy.program cimport Program, set_value

EXPRESSION = (
    "ai.model in ['gpt-4o', 'gpt-4o-mini', 'o3'] && req.size < 1000000"
    " && !req.path.contains('/internal/') && conn.client_ip in cidr('127.0.0.0/8')"
    " && ai.model.matches('^gpt-4o(-mini)?$') && ai.n + 1 == 2")

cdef Program program
cdef fgw_value[FGW_FACTS_MAX] values
cdef fgw_cel_run machine
texts = []


def setup():
    global program
    scope = Scope()
    program, _ = compile_text(EXPRESSION, scope)
    for i, fact in enumerate(facts_in_order(scope, FACTS)):
        set_value(&values[i], fact, texts)
    machine.facts = values
    machine.arena = <uint8_t *>malloc(FGW_CEL_ARENA)
    machine.arena_size = FGW_CEL_ARENA


def run(Py_ssize_t n):
    cdef fgw_value result
    cdef int truth = 1
    for _ in range(n):
        machine.steps = FGW_CEL_STEPS
        machine.arena_used = 0
        truth &= program.decide(&machine, &result)
    assert truth == 1
