"""Text with `${…}` in pieces: words, and programs that make strings."""

import pytest

from fastgw.config.model import Expression, Place
from fastgw.errors import ConfigError
from fastgw.policy.phases import PolicyScope
from fastgw.policy.pieces import compile_pieces, type_of
from fastgw.policy.program import Program

PLACE = Place("f.yaml", 3, 5, "policy")


def pieces(text, typed=False):
    return compile_pieces(Expression(text, PLACE), PolicyScope(), typed)


def test_words_stay_words_and_expressions_become_programs():
    found = pieces("a ${ai.model} b ${ai.n}")

    assert [piece if isinstance(piece, bytes) else piece.type for piece in found] == [
        b"a ", "string", b" b ", "string"]


def test_a_doubled_dollar_is_no_expression():
    assert pieces("costs $${5}") == [b"costs ${5}"]


def test_braces_and_quotes_inside_belong_to_the_expression():
    (program,) = pieces("${{'a}': 'x'}['a}']}")

    assert isinstance(program, Program)


@pytest.mark.parametrize(("text", "type"), [
    ("${ai.n}", "int"), ("${ai.stream}", "bool"), ("x${ai.n}", "string"), ("7", "string"),
    ("${1.5}", "double"),
])
def test_nothing_but_an_expression_has_its_type_where_types_are_kept(text, type):
    assert type_of(pieces(text, True)) == type


@pytest.mark.parametrize("text", ["a ${ai.modell}", "a ${", "${ai.n +}", "${}"])
def test_an_error_points_into_the_text(text):
    with pytest.raises(ConfigError) as raised:
        pieces(text)

    shown = str(raised.value).splitlines()
    assert (raised.value.line, raised.value.column) == (3, 5)
    assert shown[1].strip() == text and "^" in shown[2]
    assert shown[2].index("^") - 4 <= len(text)


def test_a_caret_stands_below_the_wrong_name():
    with pytest.raises(ConfigError) as raised:
        pieces("hello ${ai.modell}")

    _, line, caret = str(raised.value).splitlines()[:3]
    assert line[caret.index("^"):].startswith("ai.modell")
