"""The steps that are foreseen are enough for what runs.

Method: expressions run with exactly as many steps as foreseen; loops in loops are refused.
"""

import pytest
from hypothesis import given, settings

from fastgw.policy.compiler import compile_text, compile_whole
from fastgw.policy.cost import ENTRIES, entries, most_steps
from fastgw.policy.checker import check
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope
from tests.policy.expressions import expressions

LOOP = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all({0}, {1})"


def test_an_expression_without_a_loop_is_as_dear_as_its_parts():
    assert most_steps(check(parse("ai.n == 1"), Scope())) < 20
    assert most_steps(check(parse("[1, 2, 3].all(x, x > 0)"), Scope())) < 80


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


@settings(max_examples=100, deadline=None)
@given(expressions("bool", 3))
def test_what_is_foreseen_is_enough(text):
    kinds = {"b": "bool", "i": "int", "s": "string", "l": "list(int)", "d": "double"}
    scope = Scope([(name, kinds[name[0]]) for name in
                   ("b1", "b2", "i1", "i2", "s1", "s2", "l1", "d1")], {}, {})
    tree = check(parse(text), scope)
    compiled = compile_whole(text, scope)

    assert len(compiled.spans) <= most_steps(tree) + 1
