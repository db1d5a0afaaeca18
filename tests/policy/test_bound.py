"""The bound of limits: never below what can happen, and not refusing one limit per tier.

Method: random sets of rules; the true maximum is found by trying every combination of facts.
"""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as some

from fastgw.policy.bound import constraints, most_limits, unguarded
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
