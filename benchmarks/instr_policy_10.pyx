"""Phase POLICY: decide one request by 10 rule(s); a request and a token bucket are collected."""

from benchmarks.policies import FACTS, config
from fastgw.policy.evaluate import facts_in_order
from fastgw.policy.policy import Policy as compile_policy

from fastgw.native.policy cimport FGW_FACTS_MAX, fgw_effects, fgw_value
from fastgw.policy.policy cimport Policy
from fastgw.policy.program cimport set_value

cdef Policy policy
cdef fgw_value[FGW_FACTS_MAX] values
cdef fgw_effects effects
texts = []


def setup():
    global policy
    policy = compile_policy(config(10))
    for i, fact in enumerate(facts_in_order(policy._scope, FACTS)):
        set_value(&values[i], fact, texts)


def run(Py_ssize_t n):
    for _ in range(n):
        policy.run(values, NULL, None, &effects)
    assert effects.n_demands == 2 and not effects.denied
