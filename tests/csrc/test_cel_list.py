"""Lists, maps and optionals of CEL.

Method: single operations over typed constants; sorting and duplicates against Python's over random
lists. A list that two names share must not change when one of them grows.
"""

import random

import pytest

from fastgw.policy.assemble import FUNCTIONS, Assembly
from fastgw.policy.program import EvaluationError, Program
from tests.csrc.cel_calls import call, d, i, push, run, s

SEED = 20261121


def ints(*numbers):
    return "list", [i(number) for number in numbers]


def strings(*texts):
    return "list", [s(text) for text in texts]


def test_sorting_and_duplicates():
    chance = random.Random(SEED)
    for size in (0, 1, 2, 3, 7, 8, 9, 64, 100):
        numbers = [chance.randrange(20) for _ in range(size)]

        assert call("SORT", ints(*numbers)) == ints(*sorted(numbers))[1]
        assert call("DISTINCT", ints(*numbers)) == ints(*dict.fromkeys(numbers))[1]
    assert call("SORT", strings("b", "a", "é", "")) == strings("", "a", "b", "é")[1]
    assert call("SORT", ("list", [i(1), s("a")])) == ("error", "TYPE")
    assert call("SORT", ("list", [("null", None)])) == ("error", "TYPE")
    assert call("DISTINCT", ("list", [i(1), d(1.0), ("uint", 1), s("1")])) == [i(1), s("1")]


def test_parts():
    assert call("SLICE", ints(1, 2, 3), i(1), i(3)) == [i(2), i(3)]
    assert call("SLICE", ints(1, 2, 3), i(3), i(3)) == []
    for bounds in ((-1, 1), (2, 1), (0, 4)):
        assert call("SLICE", ints(1, 2, 3), *map(i, bounds)) == ("error", "INDEX")
    assert call("FIRST", ints(7, 8)) == ("optional", i(7))
    assert call("LAST", ints(7, 8)) == ("optional", i(8))
    assert call("LAST", ints()) == ("optional", None)
    assert call("REVERSE", ints(1, 2, 3)) == [i(3), i(2), i(1)]
    assert call("RANGE", i(3)) == [i(0), i(1), i(2)]
    assert call("RANGE", i(-1)) == []
    assert call("RANGE", i(2**62)) == ("error", "STEPS")
    nested = ("list", [ints(1), ("list", [ints(2, 3), i(4)])])
    assert call("FLATTEN", nested) == [i(1), [i(2), i(3)], i(4)]
    assert call("FLATTEN", nested, i(5)) == [i(1), i(2), i(3), i(4)]
    assert call("FLATTEN", nested, i(-1)) == ("error", "ARGUMENT")


def test_members():
    assert call("INDEX", ints(7, 8), d(1.0)) == i(8)
    assert call("INDEX", ints(7, 8), ("uint", 0)) == i(7)
    for index in (i(2), i(-1), d(0.5), d(float("nan")), d(1e300), i(2**32)):
        assert call("INDEX", ints(7, 8), index) == ("error", "INDEX"), index
        assert call("OPT_INDEX", ints(7, 8), index) == ("optional", None)
    assert call("INDEX", ints(7, 8), s("0")) == ("error", "TYPE")
    assert call("OPT_INDEX", ints(7), i(0)) == ("optional", i(7))
    assert call("INDEX", s("abc"), i(0)) == ("error", "TYPE")
    assert call("IN", d(8.0), ints(7, 8)) == ("bool", True)
    assert call("IN", s("8"), ints(7, 8)) == ("bool", False)


def make_map(assembly, pairs, op="INSERT"):
    assembly.emit("MAP", at=1)
    for key, value in pairs:
        push(assembly, *key)
        push(assembly, *value)
        assembly.emit(op)


@pytest.mark.parametrize(("pairs", "key", "wanted"), [
    ([(i(1), s("a")), (s("1"), s("b"))], s("1"), s("b")),
    ([(i(1), s("a"))], d(1.0), s("a")), ([(("uint", 1), s("a"))], i(1), s("a")),
    ([(("bool", True), s("a"))], i(1), ("error", "KEY")), ([], s("x"), ("error", "KEY")),
    ([(i(1), s("a")), (("uint", 1), s("b"))], i(1), ("error", "DUPLICATE")),
    ([(s("a"), i(1)), (s("a"), i(1))], s("a"), ("error", "DUPLICATE")),
    ([(d(1.0), i(1))], i(1), ("error", "KEY_TYPE")),
    ([(("null", None), i(1))], i(1), ("error", "KEY_TYPE"))])
def test_keys(pairs, key, wanted):
    assembly = Assembly(0)
    make_map(assembly, pairs)
    push(assembly, *key)
    assembly.emit("INDEX")

    assert run(assembly) == wanted


def test_maps_are_equal_whatever_their_order():
    assembly = Assembly(0)
    make_map(assembly, [(s("a"), ints(1)), (i(2), d(2.0))])
    make_map(assembly, [(("uint", 2), i(2)), (s("a"), ints(1))])
    assembly.emit("EQ")

    assert run(assembly) == ("bool", True)


def test_optional_entries():
    for held, wanted in ((True, [i(1)]), (False, [])):
        assembly = Assembly(0)
        assembly.emit("LIST")
        if held:
            push(assembly, *i(1))
        assembly.emit("CALL", at=FUNCTIONS["OPTIONAL_OF" if held else "OPTIONAL_NONE"],
                      arg=int(held))
        assembly.emit("APPEND_OPT")
        assert run(assembly) == wanted


def test_zero_values():
    empty = [("null", None), s(""), ("bytes", b""), ints(), i(0), ("uint", 0), d(-0.0),
             ("bool", False), ("duration", 0)]
    for value in empty:
        assert call("OPTIONAL_OF_NON_ZERO", value) == ("optional", None), value
    for value in (s("0"), d(float("nan")), ("timestamp", (0, 0)), ("bool", True)):
        assert call("OPTIONAL_OF_NON_ZERO", value)[1] is not None
    assert call("VALUE", i(1)) == ("error", "TYPE")


def test_a_shared_list_does_not_change_when_one_grows():
    assembly = Assembly(0)
    slot = assembly.slots(1)
    push(assembly, *ints(1, 2))
    assembly.emit("STORE", at=slot)
    assembly.emit("LOAD", at=slot)
    push(assembly, *ints(3))
    assembly.emit("ADD")
    assembly.emit("LOAD", at=slot)
    push(assembly, *ints(4))
    assembly.emit("ADD")
    assembly.emit("ADD")

    assert run(assembly) == [i(n) for n in (1, 2, 3, 1, 2, 4)]


def test_values_nested_too_deep_are_an_error_where_they_are_compared():
    assembly = Assembly(0)
    for _ in range(2):
        for _ in range(31):
            assembly.emit("LIST")
        push(assembly, *ints(1))
        for _ in range(31):
            assembly.emit("APPEND")
    assembly.emit("EQ")
    assert run(assembly) == ("bool", True)

    deep = {"type": "int", "value": 1}
    for _ in range(60):
        deep = {"type": "list", "value": [deep]}
    assembly = Assembly(1)
    assembly.emit("FACT")
    assembly.emit("FACT")
    assembly.emit("EQ")
    with pytest.raises(EvaluationError) as error:
        Program(assembly.block()).run([deep])
    assert error.value.code == "DEPTH"
