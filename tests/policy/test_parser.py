"""Precedence and shape of trees, and bounds that hold against hostile text.

Method: trees are printed with every bracket written out; random texts of the grammar are parsed,
printed and parsed again.
"""

import time

import pytest
from hypothesis import given, settings

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from tests.policy.expressions import expressions, texts
from tests.policy.printer import printed, shape


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a || b && c", "(a || (b && c))"),
        ("a && b || c", "((a && b) || c)"),
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("1 + 2 == 3", "((1 + 2) == 3)"),
        ("a == b && c in [1]", "((a == b) && (c in [1]))"),
        ("!a && b", "((!(a)) && b)"),
        ("!!a", "(!((!(a))))"),
        ("-1", "-1"),
        ("--1", "(-(-1))"),
        ("- a", "(-(a))"),
        ("-7u", "(-(7u))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a.b.c[0].d(1u)", "a.b.c[0].d(1u)"),
        ("f(1, 2)", "f(1, 2)"),
        (".a.b", ".a.b"),
        ("(a)", "a"),
        ("[1, 2,]", "[1, 2]"),
        ("[?a, b]", "[?a, b]"),
        ("{1: a, ?2u: b,}", "{1: a, ?2u: b}"),
        ("a.?b[?c].?d", "a.?b[?c].?d"),
        ("a.`b-c`.break", "a.`b-c`.break"),
        ("a < b == c", "((a < b) == c)"),
        ("b'a\\xff'", "b'\\x61\\xff'"),
        ("null", "null"),
        ("a // tail\n.b", "a.b"),
        ("24.size()", "(24).size()"),
    ],
)
def test_shapes(text, expected):
    assert printed(parse(text)) == expected


@settings(max_examples=300, deadline=None)
@given(texts())
def test_what_is_printed_parses_to_the_same(text):
    tree = parse(text)
    again = parse(printed(tree))

    assert shape(again) == shape(tree)
    assert printed(again) == printed(tree)


@settings(max_examples=200, deadline=None)
@given(expressions("bool", 3))
def test_what_is_well_typed_parses_and_knows_its_places(text):
    def walk(tree):
        assert 0 <= tree.whole <= tree.offset < tree.end <= len(text)
        for part in tree.parts:
            walk(part)

    walk(parse(text))


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
        ("a.1b", "cannot be followed"),
        ("a.true", "reserved word"),
        ("a.in", "reserved word"),
        ("{1}", "expected ':'"),
        ("{1: 2", "expected ','"),
        ("Foo{a: 1}", "messages are not part"),
        ("for", "reserved word"),
        ("in", "expected a value"),
        ("9223372036854775808", "64 bits"),
        ("-9223372036854775809", "64 bits"),
        ("18446744073709551616u", "64 bits"),
        ("9" * 5000, "64 bits"),
        ("[1", "expected ','"),
        ("a[1", "expected ']'"),
        ("(" * 60 + "1" + ")" * 60, "nested deeper"),
        ("!" * 60 + "a", "more than 40"),
        ("a" + "&&a" * 300, "more than 200 operators"),
        ("a" + ".a" * 300, "more than 200 operators"),
        ("a?" * 60 + "b" + ":c" * 60, "expected ':'"),
        ("a " + " " * 40000, "longer than 32768"),
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
        "{" * 4000,
        "a?" * 2000,
        "1+" * 2000,
        "f(" * 2000,
        "a[" * 2000,
        "a.?b" * 2000 + "(",
    ],
)
def test_hostile_text_ends_quickly(text):
    started = time.process_time()

    with pytest.raises(ExpressionError):
        parse(text)

    assert time.process_time() - started < 1
