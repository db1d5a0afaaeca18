"""Instructions: their numbers are those of C, and the common rule is one of them.

Method: csrc/fgw_rule.h is read as text; code is compared step by step.
"""

import re
import struct
from pathlib import Path

import pytest

from fastgw.config.model import Expression, Place
from fastgw.errors import ConfigError
from fastgw.policy import compiler
from fastgw.policy.checker import check
from fastgw.policy.compiler import OPS, compile_expression, compile_text
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope

CSRC = Path(__file__).resolve().parents[2] / "csrc"
WORDS = {
    "==": "EQ",
    "!=": "NE",
    "<": "LT",
    "<=": "LE",
    ">": "GT",
    ">=": "GE",
    "+": "ADD",
    "-": "SUB",
    "*": "MUL",
    "/": "DIV",
    "%": "MOD",
    "startsWith": "STARTS_WITH",
    "endsWith": "ENDS_WITH",
    "&&": "AND",
    "||": "OR",
}


def steps(text):
    code = compiler._Code()
    code.write(check(parse(text), Scope()))
    return [(OPS[op], *operands) for op, *operands in code.steps], code.constants


def test_operations_are_numbered_as_in_c():
    text = (CSRC / "fgw_rule.h").read_text()
    body = re.search(r"enum fgw_rule_op \{(.*?)\};", text, re.DOTALL)[1]
    names = re.findall(r"FGW_RULE_(\w+),", body)

    assert names == [WORDS.get(op, op.upper()) for op in OPS] + ["OPS"]
    assert f"#define FGW_RULE_CODE_MAX {compiler.CODE_MAX} " in text
    assert compiler._INSTRUCTION.size == struct.calcsize("=BxHHH") == 8


def test_a_fact_compared_with_a_constant_is_one_instruction():
    assert steps("ai.operation == 'chat'") == ([("fact_eq", 8, 0, 0)], ["chat"])
    assert steps("'chat' != ai.operation") == ([("fact_ne", 8, 0, 0)], ["chat"])


def test_equal_constants_share_a_place_but_types_do_not():
    code, constants = steps("ai.n == 1 && ai.stream == true && 1.0 < 1.5 && ai.n != 1")

    assert constants == [1, True, 1.0, 1.5] and list(map(type, constants)) == [
        int,
        bool,
        float,
        float,
    ]
    assert code[0][2] == code[-2][2]


def test_jumps_lead_behind_what_they_skip():
    code, _ = steps("ai.stream && ai.tools")

    assert code == [("fact", 12, 0, 0), ("and_jump", 0, 4, 0), ("fact", 13, 0, 0), ("&&", 0, 0, 0)]


def test_what_needs_too_deep_a_stack_is_refused_by_the_machine():
    text = "1 + (" * 35 + "1" + ")" * 35 + " == 3"

    with pytest.raises(ExpressionError, match="nested too deeply"):
        compile_text(text, Scope())


def test_errors_stand_at_the_expression_and_point_into_it():
    place = Place("f.yaml", 7, 21, "policy.on_http_request[0].expressions[0]")
    text = "true && " * 20 + "ai.modle == 'x'"

    with pytest.raises(ConfigError) as caught:
        compile_expression(Expression(text, place), Scope())

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
    place = Place("f.yaml", 7, 21, "k")

    with pytest.raises(ConfigError) as caught:
        compile_expression(Expression("true &&\n  zzz &&\nfalse", place), Scope())

    assert caught.value.message.split("\n")[1:] == ["      zzz &&", "      ^^^"]
