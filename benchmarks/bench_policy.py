"""Policy: decide one request by rules, as `policy simulate` calls it, and compile a policy."""

import pytest

from benchmarks.policies import FACTS, config
from fastgw.policy.policy import Policy


@pytest.mark.parametrize("rules", [1, 10, 1000])
def test_decide_one_request(benchmark, rules):
    policy = Policy(config(rules))

    assert not benchmark(policy.decide, FACTS)["denied"]


def test_compile_a_policy_of_100_rules(benchmark):
    read = config(100)

    assert benchmark(Policy, read).version == read.version
