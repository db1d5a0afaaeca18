"""What assemble.py writes is what csrc/fgw_cel.h reads.

Method: the names and numbers are compared with the header's text; constants of every kind are read
back through the machine; the bounds of a program are reached.
"""

import re
from pathlib import Path

import pytest

from fastgw.policy.assemble import (
    ARITY,
    CODE_MAX,
    FUNCTIONS,
    MAGIC,
    OPS,
    SLOTS,
    STACK,
    TYPES,
    Assembly,
    TooLarge,
)
from fastgw.policy.program import Program

CSRC = Path(__file__).resolve().parents[2] / "csrc"
HEADER = (CSRC / "fgw_cel.h").read_text()


def test_instructions_are_those_of_the_header():
    enum = re.search(r"enum fgw_cel_op \{(.*?)\};", HEADER, re.DOTALL)[1]
    names = re.findall(r"^    FGW_CEL_(\w+),", enum, re.MULTILINE)

    assert [*OPS, "OPS"] == names


def test_functions_are_those_of_the_header():
    table = re.search(r"#define FGW_CEL_FUNCTIONS\(F\)(.*?)\n\n", HEADER, re.DOTALL)[1]
    rows = re.findall(r"F\((\w+), (\d+), (\d+)\)", table)

    assert [(name, (int(least), int(most))) for name, least, most in rows] == list(ARITY.items())
    assert list(FUNCTIONS) == list(ARITY)


def test_types_and_bounds_are_those_of_the_headers():
    enum = (CSRC / "fgw_policy.h").read_text()
    numbers = {name.lower(): int(number)
               for name, number in re.findall(r"FGW_VALUE_(\w+) = (\d+),", enum)}
    bounds = dict(re.findall(r"#define FGW_CEL_(\w+) +(\w+)", HEADER))

    assert TYPES.items() <= numbers.items()
    assert (int(bounds["STACK"]), int(bounds["SLOTS"]), int(bounds["CODE_MAX"])) == (
        STACK, SLOTS, CODE_MAX)
    assert int(bounds["MAGIC"].rstrip("u"), 16) == MAGIC


@pytest.mark.parametrize(("kind", "value", "typed"), [
    ("null", None, {"type": "null", "value": None}),
    ("bool", True, {"type": "bool", "value": True}),
    ("int", -(2**63), {"type": "int", "value": -(2**63)}),
    ("uint", 2**64 - 1, {"type": "uint", "value": 2**64 - 1}),
    ("double", -0.5, {"type": "double", "value": -0.5}),
    ("string", "é\0", {"type": "string", "value": "é\0"}),
    ("bytes", b"\xff", {"type": "bytes", "value_base64": "/w=="}),
    ("timestamp", (-5, 7), {"type": "timestamp", "seconds": -5, "nanos": 7}),
    ("duration", -1, {"type": "duration", "seconds": 0, "nanos": -1}),
    ("type", "duration", {"type": "type", "value": "google.protobuf.Duration"}),
    ("ip", "::FFFF:a00:1", {"type": "ip", "value": "10.0.0.1"}),
    ("cidr", "10.1.2.3/8", {"type": "cidr", "value": "10.1.2.3/8"})])
def test_constants_come_out_as_they_went_in(kind, value, typed):
    assembly = Assembly(0)
    assembly.constant("string", "something before it")
    assembly.emit("CONSTANT", at=assembly.constant(kind, value))

    assert Program(assembly.block()).run([]) == typed


@pytest.mark.parametrize(("kind", "value"), [
    ("ip", "1.2.3"), ("ip", "fe80::1%en0"), ("ip", "::ffff:1.2.3.4"), ("cidr", "10.0.0.0"),
    ("cidr", "10.0.0.0/255.0.0.0"), ("cidr", "10.0.0.0/33"), ("cidr", "::ffff:10.0.0.0/120"),
    ("cidr", "::ffff:a00:1/120"), ("zone", "Mars/Olympus"), ("regex", "(")])
def test_texts_that_are_none_are_refused(kind, value):
    with pytest.raises(ValueError, match="."):
        Assembly(0).constant(kind, value)


def test_equal_constants_are_one_but_not_across_types():
    assembly = Assembly(0)
    assert assembly.constant("int", 1) == assembly.constant("int", 1)
    numbers = {assembly.constant(kind, value) for kind, value in (
        ("int", 1), ("uint", 1), ("bool", True), ("double", 1.0), ("double", 0.0),
        ("double", -0.0), ("string", "a"), ("bytes", b"a"))}
    assert len(numbers) == 8


def test_constants_of_a_set_stand_in_a_row():
    assembly = Assembly(0)
    assembly.constant("int", 2)
    first = assembly.constants([("int", n) for n in (1, 2, 3)])
    assembly.emit("CONSTANT_LIST", at=first, count=3)

    result = Program(assembly.block()).run([])
    assert [one["value"] for one in result["value"]] == [1, 2, 3]


def test_what_a_program_reads():
    assembly = Assembly(5)
    assembly.emit("FACT", at=4)
    assembly.emit("SOURCE", at=2)
    assembly.emit("EQ")
    assembly.emit("CALL", at=FUNCTIONS["GET_REQ_HEADER"], arg=1)
    program = Program(assembly.block("bool"))

    assert (program.reads, program.sources, program.type) == (1 << 4, 1 << 2 | 1 << 4, "bool")


def test_variables_are_given_back():
    assembly = Assembly(0)
    first = assembly.slots(4)
    second = assembly.slots(60)
    with pytest.raises(TooLarge):
        assembly.slots(1)
    assembly.free_slots(second)
    assert assembly.slots(2) == second
    assembly.free_slots(first)
    assert assembly.slots(64) == first


def test_a_program_has_an_end():
    assembly = Assembly(0)
    for _ in range(CODE_MAX):
        assembly.emit("NOT")
    with pytest.raises(TooLarge):
        assembly.emit("NOT")
