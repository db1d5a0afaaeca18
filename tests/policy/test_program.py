"""Programs from Python: what is no program is refused; values go in and come out with their type.

Method: blocks written by the assembler, then broken. What programs mean is
tests/policy/test_emit.py and tests/csrc/test_cel.c.
"""

import pytest

from fastgw.policy.assemble import Assembly
from fastgw.policy.compiler import compile_text
from fastgw.policy.program import EvaluationError, Program, glob_match
from fastgw.policy.scope import Scope

FACTS = [("b", "bool"), ("i", "int"), ("s", "string"), ("l", "list(dyn)")]


def compiled(text):
    return compile_text(text, Scope(FACTS, {}, {}))[0]


def block(*steps, facts=1):
    code = Assembly(facts)
    code.constant("bool", True)
    for op, *operands in steps:
        code.emit(op, *operands)
    return code.block("bool")


BROKEN = [
    [("CONSTANT", 1)],
    [("FACT", 1)],
    [("EQ",)],
    [("CONSTANT", 0), ("CONSTANT", 0)],
    [("CONSTANT", 0), ("AND_JUMP", 0, 0)],
    [("CONSTANT", 0), ("AND_JUMP", 0, 3)],
    [("CONSTANT", 0), ("IN_CONSTANTS", 0, 0, 2)],
    [("FACT_EQ", 0, 1)],
    [("CONSTANT", 0)] * 65 + [("EQ",)] * 64,
    [("CONSTANT", 0), ("JUMP", 0, 3), ("NOT",)],
    [("LOAD", 0)],
    [("CALL", 9999)],
]


@pytest.mark.parametrize("steps", BROKEN, ids=range(len(BROKEN)))
def test_broken_programs_are_refused(steps):
    with pytest.raises(ValueError):
        Program(block(*steps))


@pytest.mark.parametrize("cut", [0, 7, 31, 32, 40])
def test_half_a_program_is_refused(cut):
    with pytest.raises(ValueError):
        Program(block(("CONSTANT", 0))[:cut])


def test_the_deepest_stack_that_is_allowed_works():
    deep = [("CONSTANT", 0)] * 64 + [("EQ",)] * 63

    assert Program(block(*deep)).evaluate([None]) is True


def test_plain_facts_give_plain_values():
    program = compiled("b && i > 1 ? s : 'none'")

    assert program.evaluate([True, 2, "x", None]) == "x"
    assert program.evaluate([True, 1, None, None]) == "none"
    with pytest.raises(EvaluationError, match="does not have it"):
        program.evaluate([None, 2, "x", None])


def test_facts_of_another_type_are_errors_not_accidents():
    with pytest.raises(EvaluationError) as caught:
        compiled("s == 'a' || i > 1").evaluate([None, "x", 5, None])

    assert caught.value.code == "TYPE"


def test_typed_facts_give_typed_values():
    items = {"type": "list",
             "value": [{"type": "uint", "value": 7}, {"type": "null", "value": None}]}

    assert compiled("l").run([None, None, None, items]) == items
    assert compiled("l.size()").run([None, None, None, items]) == {"type": "int", "value": 2}


def test_steps_and_memory_are_bounded():
    program = compiled("l.map(x, l.map(y, x + y)).size()")
    items = {"type": "list", "value": [{"type": "int", "value": i} for i in range(100)]}
    facts = [None, None, None, items]

    assert program.run(facts)["value"] == 100
    for bound, code in (({"steps": 1000}, "STEPS"), ({"arena": 10000}, "MEMORY")):
        with pytest.raises(EvaluationError) as caught:
            program.run(facts, **bound)
        assert caught.value.code == code


def test_values_on_the_way_can_be_seen():
    seen = []

    compiled("i + 1 == 3 && b").run(
        [{"type": "bool", "value": True}, {"type": "int", "value": 2}, None, None], trace=seen)

    assert {"type": "int", "value": 3} in [value for _, value in seen]


def test_reads_names_the_facts_that_are_read():
    assert compiled("i > 1 && 'a' == s && 5 == 5").reads == 1 << 1 | 1 << 2


@pytest.mark.parametrize("pattern, text, covers", [
    ("gpt-*", "gpt-4o", True), ("gpt-*", "o-gpt-4", False), ("*", "", True),
    ("a*b*c", "abc", True), ("a*b*c", "acb", False), ("", "", True), ("", "a", False),
    ("**", "x", True),
])
def test_globs(pattern, text, covers):
    assert glob_match(pattern, text) is covers
