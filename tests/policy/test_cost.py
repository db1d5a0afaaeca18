"""The steps that are foreseen are enough for what runs.

Method: steps that runs take beside those foreseen; loops in loops are refused.
"""

import pytest

from fastgw.policy.checker import check
from fastgw.policy.compiler import compile_text, compile_tree
from fastgw.policy.cost import ENTRIES, entries, most_steps
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope

LOOP = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all({0}, {1})"


def test_an_expression_without_a_loop_is_as_dear_as_its_parts():
    assert most_steps(check(parse("ai.n == 1"), Scope())) < 20
    assert most_steps(check(parse("[1, 2, 3].all(x, x > 0)"), Scope())) < 70


def test_sizes_are_known_or_taken_to_be_small():
    scope = Scope([("l", "list(int)")], {}, {})

    assert entries(check(parse("[1, 2]"), scope)) == 2
    assert entries(check(parse("{1: 2}"), scope)) == 1
    assert entries(check(parse("[1, 2].map(x, x)"), scope)) == 2
    assert entries(check(parse("l"), scope)) == ENTRIES


def test_loops_in_loops_that_would_spend_the_budget_are_refused():
    text = "true"
    for depth in range(6):
        text = LOOP.format(f"v{depth}", text)

    with pytest.raises(ExpressionError, match=r"it could take [\d,]+ steps"):
        compile_text(text, Scope())


@pytest.mark.parametrize("text", [
    "i == 1 && i > 0 || b", "b ? i : -i", "[1, 2, 3, 4].all(x, x > i)",
    "[1, 2, 3].map(x, x > i, x * x)", "[1, 2].exists(x, [3, 4].exists_one(y, x == y))",
    "cel.bind(x, i + 1, x * x)", "{1: i, 2: i}.transformMap(k, v, k + v)",
    "optional.of(i).optMap(x, x + 1).orValue(0)", "[i, i].filter(x, x == i)",
    "[1, 2, 3].transformMapEntry(k, v, {v: k})", "math.greatest(i, 2, 3)",
])
def test_what_is_foreseen_is_enough(text):
    """For whole numbers: work on texts and lists is not foreseen."""
    scope = Scope([("b", "bool"), ("i", "int")], {}, {})
    tree = check(parse(text), scope)
    facts = [{"type": "bool", "value": False}, {"type": "int", "value": 7}]

    steps, _ = compile_tree(tree, scope.n_facts).program.spent(facts)

    assert most_steps(tree) / 8 < steps <= most_steps(tree)
