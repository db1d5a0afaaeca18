"""Policy: decide one request by rules, as `policy simulate` calls it, and compile a policy; and the
curve over the number of rules, of nine kinds, of which one request meets about ten:

    indexed       the policy as it runs: candidates of the rule index, then their programs
    one by one    the same programs, every rule asked
    cel-python, common-expression-language    these packages, every rule asked, on the kinds that
                  they can evaluate; they only evaluate, and collect no effects (extra: bench)

A round decides many requests: divide by what the name of the test says. FASTGW_BENCH_RULES=100000
adds that many rules (a minute to compile).
"""

import itertools
import os

import pytest

from benchmarks.policies import FACTS, MANY_FACTS, PLAIN, conditions, config, many
from fastgw.policy import policy as room
from fastgw.policy.policy import Policy
from fastgw.policy.trial import decide_often

COUNTS = [10, 100, 1000, 10_000]
if os.environ.get("FASTGW_BENCH_RULES"):
    COUNTS.append(int(os.environ["FASTGW_BENCH_RULES"]))


@pytest.mark.parametrize("rules", [1, 10, 1000])
def test_decide_one_request(benchmark, rules):
    policy = Policy(config(rules))

    assert not benchmark(policy.decide, FACTS)["denied"]


def test_compile_a_policy_of_100_rules(benchmark):
    read = config(100)

    assert benchmark(Policy, read).version == read.version


@pytest.mark.parametrize("rules", COUNTS)
def test_decide_1000_requests_indexed(benchmark, rules):
    policy = Policy(many(rules))

    assert benchmark(decide_often, policy, MANY_FACTS, 1000) >= 2


@pytest.mark.parametrize("rules", COUNTS[:4])
def test_decide_10_requests_one_by_one(benchmark, monkeypatch, rules):
    monkeypatch.setattr(room, "INDEXED_RULES", rules + 1)
    policy = Policy(many(rules))

    assert benchmark(decide_often, policy, MANY_FACTS, 10) >= 2


def nested(facts):
    """{"ai.model": …} as {"ai": {"model": …}}."""
    found = {}
    for name, value in facts.items():
        *path, last = name.split(".")
        below = found
        for word in path:
            below = below.setdefault(word, {})
        below[last] = value
    return found


def expressions(rules):
    return [" && ".join(f"({text})" for text in rule)
            for rule in itertools.islice(conditions(PLAIN), rules)]


def matching(evaluate, programs):
    return sum(evaluate(program) is True for program in programs)


@pytest.mark.parametrize("rules", COUNTS[:3])
def test_decide_1_request_by_common_expression_language(benchmark, rules):
    cel = pytest.importorskip("cel", reason="pip install .[bench]")
    programs = [cel.compile(text) for text in expressions(rules)]
    known = cel.Context(variables=nested(MANY_FACTS))

    assert benchmark(matching, lambda program: program.execute(known), programs) == 0


@pytest.mark.parametrize("rules", COUNTS[:2])
def test_decide_1_request_by_cel_python(benchmark, rules):
    celpy = pytest.importorskip("celpy", reason="pip install .[bench]")
    environment = celpy.Environment()
    programs = [environment.program(environment.compile(text)) for text in expressions(rules)]
    known = {name: celpy.json_to_cel(value) for name, value in nested(MANY_FACTS).items()}

    assert benchmark(matching, lambda program: bool(program.evaluate(known)), programs) == 0
