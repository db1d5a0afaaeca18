"""The bound of limits: never below what can happen, and not refusing one limit per tier.

Method: random sets of rules; the true maximum is found by trying every combination of facts.
"""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as some

from fastgw.policy.bound import constraints, first_beyond, most_limits, unguarded
from fastgw.policy.checker import check
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope


def trees(*texts):
    scope = Scope()
    return scope, [check(parse(text), scope) for text in texts]


def test_rules_of_different_tiers_do_not_add_up():
    rules = [({21: frozenset([tier])}, frozenset([f"limit {tier}"])) for tier in range(20)]

    assert most_limits(rules) == 1
    assert most_limits([*rules, ({}, frozenset(["all"]))]) == 2


def test_the_same_limit_twice_counts_once():
    assert most_limits([({}, frozenset(["a", "b"])), ({}, frozenset(["b"]))]) == 2


def test_the_rule_that_is_one_too_many_is_found():
    rules = [({21: frozenset([i % 3])}, frozenset([i])) for i in range(30)]

    first = first_beyond(rules, 4)
    assert most_limits(rules[:first]) == 4 and most_limits(rules[:first + 1]) == 5


def test_the_work_grows_with_the_number_of_rules():
    """10,000 rules of a limit each; a walk for each value of each fact would be 10^8 steps."""
    reads = 0

    class Needs(dict):
        def __contains__(self, fact):
            nonlocal reads
            reads += 1
            return super().__contains__(fact)

    rules = [(Needs({17: frozenset([i])}), frozenset([i])) for i in range(10_000)]
    assert most_limits(rules) == 1 and reads <= 20_000


RULE = some.tuples(
    some.dictionaries(some.sampled_from([0, 1, 2]), some.frozensets(some.integers(0, 2))),
    some.frozensets(some.sampled_from("abcd"), max_size=3),
)


@given(some.lists(RULE, max_size=6))
@settings(max_examples=300, deadline=None)
def test_the_bound_is_never_too_low(rules):
    truth = 0
    for facts in product(range(4), repeat=3):
        matching = [
            limits
            for needs, limits in rules
            if all(facts[fact] in values for fact, values in needs.items())
        ]
        truth = max(truth, len(frozenset().union(*matching)))

    assert truth <= most_limits(rules) <= len({x for _, limits in rules for x in limits})


def test_constraints_are_read_from_conjunctions_only():
    scope, roots = trees(
        "key.tags.tier == 'free' && ai.operation in ['chat', 'messages']",
        "ai.stream || ai.n == 3",
        "!(ai.n == 4)",
        "ai.operation == 'chat'",
    )

    assert constraints(roots) == {21: frozenset(["free"]), 8: frozenset(["chat"])}


def test_a_negated_comparison_with_what_may_be_absent_is_named_unless_it_is_guarded():
    scope, bare = trees("req.headers['x-a'] != 'b'", "!(key.tags.t == 'c')", "ai.model != 'x'")
    other, guarded = trees(
        "'x-a' in req.headers",
        "req.headers['x-a'] != 'b'",
        "has(key.tags.t) && key.tags.t != 'c'",
        "key.tags.u == 'd'",
    )

    assert [tree.value for tree in unguarded(bare, scope.fixed)] == [21, 22]
    assert unguarded(guarded, other.fixed) == []
