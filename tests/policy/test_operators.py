"""Operators: the types they take and make.

Method: every operator over every pair of types, beside a table written from cel-spec's list of
standard definitions.
"""

import itertools

import pytest

from fastgw.policy.checker import check
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope

SAMPLES = {"int": "1", "uint": "1u", "double": "1.5", "string": "'a'", "bytes": "b'a'",
           "bool": "true", "list(int)": "[1]", "timestamp": "timestamp(1)",
           "duration": "duration('1s')", "null": "null", "map(string, int)": "{'a': 1}"}
NUMBERS = ["int", "uint", "double"]
ORDERED = [*NUMBERS, "string", "bytes", "bool", "timestamp", "duration"]
MADE = {
    **{(kind, op, kind): kind for kind in NUMBERS for op in "+-*/"},
    **{(kind, "%", kind): kind for kind in ("int", "uint")},
    **{(kind, "+", kind): kind for kind in ("string", "bytes", "list(int)")},
    ("timestamp", "+", "duration"): "timestamp", ("duration", "+", "timestamp"): "timestamp",
    ("duration", "+", "duration"): "duration", ("duration", "-", "duration"): "duration",
    ("timestamp", "-", "timestamp"): "duration", ("timestamp", "-", "duration"): "timestamp",
    **{(kind, op, kind): "bool" for kind in ORDERED for op in ("<", "<=", ">", ">=")},
    **{(kind, op, kind): "bool" for kind in SAMPLES for op in ("==", "!=")},
    ("int", "in", "list(int)"): "bool", ("string", "in", "map(string, int)"): "bool",
    ("bool", "&&", "bool"): "bool", ("bool", "||", "bool"): "bool",
}
OPERATORS = ["+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "in", "&&", "||"]


def type_of(text):
    try:
        return str(check(parse(text), Scope()).type)
    except ExpressionError:
        return None


@pytest.mark.parametrize("operator", OPERATORS)
def test_two_operands(operator):
    for left, right in itertools.product(SAMPLES, repeat=2):
        text = f"{SAMPLES[left]} {operator} {SAMPLES[right]}"

        assert type_of(text) == MADE.get((left, operator, right)), text


@pytest.mark.parametrize("kind", SAMPLES)
def test_one_operand(kind):
    assert type_of(f"!{SAMPLES[kind]}") == ("bool" if kind == "bool" else None)
    assert type_of(f"-({SAMPLES[kind]})") == (kind if kind in ("int", "double") else None)


@pytest.mark.parametrize("operator", ["<", "==", "&&", "+"])
def test_dyn_goes_with_everything_that_may_work(operator):
    possible = {left for left, op, _ in MADE if op == operator}
    for kind in possible:
        assert type_of(f"{SAMPLES[kind]} {operator} dyn({SAMPLES[kind]})") is not None, kind
    for kind in SAMPLES.keys() - possible if operator in ("<", "&&") else ():
        assert type_of(f"{SAMPLES[kind]} {operator} dyn({SAMPLES[kind]})") is None, kind
