"""Precedence and shape of trees, and bounds that hold against hostile text.

Method: trees are printed with every bracket written out.
"""

import time

import pytest

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse


def brackets(tree):
    parts = [brackets(part) for part in tree.parts]
    if tree.kind == "literal":
        return repr(tree.value)
    if tree.kind == "name":
        return tree.value
    if tree.kind == "select":
        return f"{parts[0]}.{tree.value}"
    if tree.kind == "index":
        return f"{parts[0]}[{parts[1]}]"
    if tree.kind in ("binary", "unary"):
        return "(" + (" " + tree.value + " ").join(parts if len(parts) > 1 else ["", *parts]) + ")"
    if tree.kind == "method":
        return f"{parts[0]}.{tree.value}({', '.join(parts[1:])})"
    return f"{tree.value}({', '.join(parts)})"


@pytest.mark.parametrize(
    "text, shape",
    [
        ("a || b && c", "(a || (b && c))"),
        ("a && b || c", "((a && b) || c)"),
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("1 + 2 == 3", "((1 + 2) == 3)"),
        ("a == b && c in [1]", "((a == b) && (c in [](1)))"),
        ("!a && b", "(( ! a) && b)"),
        ("!!a", "( ! ( ! a))"),
        ("-1", "-1"),
        ("--1", "( - -1)"),
        ("- a", "( - a)"),
        ("a ? b : c ? d : e", "?:(a, b, ?:(c, d, e))"),
        ("a.b.c[0].d('x')", "a.b.c[0].d('x')"),
        ("f(1, 2)", "f(1, 2)"),
        (".a.b", "a.b"),
        ("(a)", "a"),
        ("[1, 2,]", "[](1, 2)"),
        ("a < b == c", "((a < b) == c)"),
        ("size('a')", "size('a')"),
        ("null", "None"),
    ],
)
def test_shapes(text, shape):
    assert brackets(parse(text)) == shape


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "expected a value, found the end"),
        ("a &&", "expected a value"),
        ("(a", "expected '\\)'"),
        ("a b", "expected nothing more"),
        ("a ? b", "expected ':'"),
        ("f(1,)", "expected"),
        ("a.", "expected a name"),
        ("a.?b", "expected a name"),
        ("{1: 2}", "maps are not supported"),
        ("for", "reserved word"),
        ("in", "expected a value"),
        ("9223372036854775808", "64 bits"),
        ("-9223372036854775809", "64 bits"),
        ("[1", "expected ','"),
        ("a[1", "expected ']'"),
        ("(" * 60 + "1" + ")" * 60, "nested deeper"),
        ("!" * 60 + "a", "more than 40"),
        ("a" + "&&a" * 300, "more than 200 operators"),
        ("a" + ".a" * 300, "more than 200 operators"),
        ("a?" * 60 + "b" + ":c" * 60, "expected ':'"),
    ],
)
def test_errors(text, words):
    with pytest.raises(ExpressionError, match=words):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4000,
        "!" * 4000,
        "-" * 4000,
        "a." * 2000,
        "[" * 4000,
        "a?" * 2000,
        "1+" * 2000,
        "f(" * 2000,
        "a[" * 2000,
    ],
)
def test_hostile_text_ends_quickly(text):
    started = time.process_time()

    with pytest.raises(ExpressionError):
        parse(text)

    assert time.process_time() - started < 1
