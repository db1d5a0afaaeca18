"""An expression of a configuration: what it compiles to, and errors that point into the file.

Method: expressions with a mistake; the caret must stand under it.
"""

import pytest
from hypothesis import given, settings

from fastgw.config.model import Expression, Place
from fastgw.errors import ConfigError
from fastgw.policy.compiler import (
    compile_expression,
    compile_template,
    compile_text,
    compile_whole,
)
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.scope import Scope
from tests.policy.expressions import spoilt

PLACE = Place("f.yaml", 7, 21, "policy.on_http_request[0].expressions[0]")


@pytest.mark.parametrize(("literal", "part"), [
    ("'ab(c'", "("), ("r'a\\d+(?=b)'", "(?="), ("'a\\\\d+**b'", "+**"), ("'é\\t[z-a]x'", "[z-a]"),
    ("\"'(\"", "("), ("'''a\nb('''", "("), ("'\\x28'", "\\x28"), ("'*'", "*")])
@pytest.mark.parametrize("around", ["ai.model.matches({})", "'x'.matches({})"])
def test_a_pattern_that_is_none_is_pointed_into(literal, part, around):
    text = around.format(literal)
    with pytest.raises(ExpressionError, match="no pattern") as error:
        compile_whole(text, Scope())
    inside = text[error.value.offset:error.value.end]
    assert inside in part and inside, (inside, part)
    assert text.index(inside, text.index(literal) + 1) == error.value.offset


def test_a_pattern_put_together_at_load_is_underlined_whole():
    text = "ai.model.matches('a' + '(')"
    with pytest.raises(ExpressionError, match="no pattern") as error:
        compile_whole(text, Scope())
    assert text[error.value.offset:error.value.end] == "'a' + '('"


def test_errors_stand_at_the_expression_and_point_into_it():
    text = "true && " * 20 + "ai.modle == 'x'"

    with pytest.raises(ConfigError) as caught:
        compile_expression(Expression(text, PLACE), Scope())

    error = caught.value
    _, shown, caret = error.message.split("\n")
    assert (error.file, error.line, error.column, error.key) == (
        "f.yaml",
        7,
        21,
        "policy.on_http_request[0].expressions[0]",
    )
    assert shown[caret.index("^") : caret.rindex("^") + 1] == "ai.modle"
    assert len(shown) <= 104


def test_errors_of_several_lines_show_the_right_one():
    with pytest.raises(ConfigError) as caught:
        compile_expression(Expression("true &&\n  zzz &&\nfalse", PLACE), Scope())

    assert caught.value.message.split("\n")[1:] == ["      zzz &&", "      ^^^"]


def test_the_type_must_be_one_that_is_wanted():
    with pytest.raises(ConfigError, match="a string where a bool is wanted"):
        compile_expression(Expression("ai.model", PLACE), Scope())
    program, tree = compile_expression(Expression("ai.model", PLACE), Scope(), ("int", "string"))

    assert (str(tree.type), program.type) == ("string", "string")


def test_what_is_only_known_when_it_runs_may_be_any_type():
    program, tree = compile_expression(Expression("dyn(ai.model)", PLACE), Scope())

    assert tree.type.name == "dyn"
    assert program.reads == 1 << 10


def test_a_template_is_one_program_that_makes_a_text():
    program, tree = compile_template(Expression("<${ai.model}>", PLACE), Scope())

    assert (tree.type.name, program.reads) == ("string", 1 << 10)
    with pytest.raises(ConfigError) as caught:
        compile_template(Expression("x ${ai.modl}", PLACE), Scope())
    assert caught.value.message.split("\n")[2].index("^") == 4 + 4


def test_what_needs_too_much_is_refused():
    with pytest.raises(ExpressionError, match="too long"):
        text = "true"
        for i in range(20):
            text = f"[1].all(i{i}, v{i}, {text})"
        compile_text(text, Scope())


@settings(max_examples=300, deadline=None)
@given(spoilt())
def test_whatever_is_written_is_compiled_or_refused_with_a_place(text):
    for strict, template in ((True, False), (False, False), (True, True)):
        whole = f"x ${{{text}}}" if template else text
        try:
            compile_whole(whole, Scope(), strict=strict, template=template)
        except ExpressionError as error:
            assert error.message and 0 <= error.offset < error.end <= len(whole) + 1


@pytest.mark.parametrize("text", [
    "1" + " + 1" * 199 + " == 200", "true" + " && true" * 199, "!" * 40 + "true",
    "[" * 39 + "1" + "]" * 39 + " == []", "true" + " ? true : true" * 39,
    "[1].exists(x, true" + " && (true" * 37 + ")" * 37 + " && true" * 150 + ")",
])
def test_what_is_as_large_as_it_may_be_compiles(text):
    assert compile_text(text, Scope())


def test_deep_nesting_is_no_accident():
    text = "ai.n + (" * 39 + "1" + ")" * 39 + " == 3"

    assert compile_text(text, Scope())[0].reads == 1 << 14


def test_instructions_know_where_they_come_from():
    text = "ai.n == 1 && ai.stream"
    compiled = compile_whole(text, Scope())

    assert [text[start:end] for start, end in compiled.spans] == [
        "ai.n == 1", text, "ai.stream", text]


def test_the_facts_and_maps_that_are_read_are_known():
    program, _ = compile_text("req.headers.exists(h, h == ai.model)", Scope())

    assert (program.reads, program.sources) == (1 << 10, 1)
