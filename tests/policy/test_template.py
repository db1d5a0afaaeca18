"""`${…}` in strings: where the parts are, and what comes out.

Method: templates cut by hand; random texts without expressions stay as they are.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fastgw.policy.evaluate import evaluate
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.scope import Scope
from fastgw.policy.template import check_template, has_expressions, split

FACTS = {"ai.model": "gpt-4o", "ai.n": 3, "ai.stream": True, "req.headers.x-a": "é"}


def made(text):
    return evaluate(text, FACTS, template=True)["value"]


@pytest.mark.parametrize("text, parts", [
    ("", []),
    ("plain", [("plain", 0)]),
    ("a ${ai.n} b", [("a ", 0), ("ai.n", 4), (" b", 9)]),
    ("${ai.n}", [("ai.n", 2)]),
    ("${ {'}': 1}['}'] }x", [(" {'}': 1}['}'] ", 2), ("x", 18)]),
    ("$${ai.n}", [("${ai.n}", 0)]),
    ("1$ {a} $", [("1$ {a} $", 0)]),
])
def test_parts_and_where_they_begin(text, parts):
    pieces = split(text)

    assert [(piece.text, piece.offset) for piece in pieces] == parts
    for piece in pieces:
        assert piece.tree is None or text[piece.offset :].startswith(piece.text)


@pytest.mark.parametrize("text, expected", [
    ("no ${ai.model} here", "no gpt-4o here"),
    ("${ai.n}${ai.stream}${1.5}${2u}", "3true1.52"),
    ("$${x} ${'$'}", "${x} $"),
    ("${req.headers['x-a']}!", "é!"),
    ("${ai.n > 2 ? 'many' : 'few'}", "many"),
    ("${'a' + ai.model}", "agpt-4o"),
    ("", ""),
])
def test_values(text, expected):
    assert made(text) == expected


@settings(max_examples=100, deadline=None)
@given(some.text("ab${}'é \n", max_size=12).filter(lambda text: not has_expressions(text)))
def test_what_has_no_expression_stays(text):
    assert made(text) == text


@pytest.mark.parametrize("text, words, underlined", [
    ("x ${ai.modle}", "unknown variable 'ai.modle'", "ai.modle"),
    ("x ${ai.n", "the ${ has no end", "${ai.n"),
    ("x ${}", "expected a value", "}"),
    ("x ${a b}", "expected nothing more", "b"),
    ("x ${req.headers}", "a map(string, string) has no text", "req.headers"),
    ("x ${'a}", "the string has no end", "'a}"),
    ("${1}" * 201, "more than 200 parts", "1"),
])
def test_errors_point_into_the_template(text, words, underlined):
    with pytest.raises(ExpressionError) as caught:
        check_template(text, Scope())

    assert words in caught.value.message
    assert text[caught.value.offset : caught.value.end].startswith(underlined)
