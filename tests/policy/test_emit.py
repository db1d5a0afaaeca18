"""Programs do what the specification says: they are run beside a walk over the syntax tree.

Method: random well-typed expressions and values; a second evaluator in Python
(tests/policy/reference.py) knows nothing of types, slots or jumps. The common rule's code is
looked at as well.
"""

import math

import pytest
from hypothesis import given, settings

from fastgw.policy.assemble import OPS, Assembly
from fastgw.policy.checker import check
from fastgw.policy.compiler import compile_text
from fastgw.policy.emit import Emitter
from fastgw.policy.evaluate import evaluate
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.program import EvaluationError
from fastgw.policy.scope import Scope
from tests.policy import reference
from tests.policy.expressions import BINDINGS, NAMES, expressions

NUMBERED = {number: name for name, number in OPS.items()}


def plain(result):
    """A typed value as the reference has it."""
    value = result["value"]
    if result["type"] == "list":
        return [plain(item) for item in value]
    return float(value) if result["type"] == "double" else value


def alike(one, other):
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("kind", NAMES)
def test_random_expressions_have_the_value_that_the_specification_gives(kind):
    @settings(max_examples=400, deadline=None)
    @given(expressions(kind, 3), BINDINGS)
    def agree(text, names):
        typed = {name: {"type": "double", "value": value} if isinstance(value, float) else value
                 for name, value in names.items()}
        want = reference.evaluate(parse(text), names)
        try:
            got = plain(evaluate(text, typed))
        except EvaluationError:
            got = reference.ERROR

        assert got is want or alike(got, want), (text, names, got, want)

    agree()


def steps(text):
    code = Assembly(21)
    Emitter(code).write(check(parse(text), Scope()))
    return [(NUMBERED[op], *operands) for op, *operands in code.code]


def test_a_fact_compared_with_a_constant_is_one_instruction():
    assert steps("ai.operation == 'chat'") == [("FACT_EQ", 0, 8, 0, 0)]
    assert steps("'chat' != ai.operation") == [("FACT_NE", 0, 8, 0, 0)]


def test_a_header_or_a_text_is_one_instruction():
    assert steps("req.headers[?'x'].orValue('none')") == [("FACT_OR", 0, 21, 0, 0)]
    assert steps("'x' in req.headers") == [("HAS_FACT", 0, 21, 0, 0)]


def test_jumps_lead_behind_what_they_skip():
    assert steps("ai.stream && ai.tools") == [
        ("FACT", 0, 12, 0, 0), ("AND_JUMP", 0, 0, 4, 0),
        ("FACT", 0, 13, 0, 0), ("AND", 0, 0, 0, 0)]


def test_constants_of_a_list_stand_in_a_row():
    assert steps("ai.n in [1, 2, 3]")[1] == ("IN_CONSTANTS", 0, 0, 0, 3)
    assert steps("[1, 2]") == [("CONSTANT_LIST", 0, 0, 0, 2)]


def test_every_instruction_knows_its_text():
    text = "ai.stream && [1, 2].exists(x, x == ai.n)"
    code = Assembly(21)
    emitter = Emitter(code)
    emitter.write(check(parse(text), Scope()))

    assert len(emitter.spans) == len(code.code)
    assert text[emitter.spans[0].tree.offset : emitter.spans[0].tree.end] == "ai.stream"


@pytest.mark.parametrize("text, words", [
    ("ai.model.matches('a(b')", r"no pattern: a group that is not closed: '\('"),
    ("ai.model.matches('x[z-a]')", "no pattern: .*: 'z-a'"),
    ("time.now.getHours('Europe/Nowhere') == 1", "unknown time zone"),
    ("1 + (" * 39 + "ai.n" + ")" * 39 + " == 3", ""),
])
def test_what_the_machine_cannot_take_is_refused_at_load(text, words):
    if not words:
        assert compile_text(text, Scope())
        return
    with pytest.raises(ExpressionError, match=words):
        compile_text(text, Scope())
