"""Every declared function is one that the machine has, with so many operands.

Method: the table beside ARITY of the assembler, which a test compares with the header.
"""

from fastgw.policy.assemble import ARITY
from fastgw.policy.declarations import LIVE, REQUEST_ONLY, functions

COMPILED = {"dyn", "or", "orValue", "hasReqHeader"}  # an op of its own, or none


def test_every_function_is_the_machines():
    for function in functions().values():
        if function.number == "-":
            assert function.name in COMPILED
            continue
        least, most = ARITY[function.number]
        for overload in function.overloads:
            assert least <= len(overload.takes) <= most, overload.shown(function.name)


def test_every_function_of_the_machine_can_be_called():
    assert {function.number for function in functions().values()} - {"-"} == set(ARITY)


def test_what_is_never_folded_exists():
    assert set(functions()) >= LIVE >= REQUEST_ONLY


def test_overloads_are_read_from_the_table():
    shown = [one.shown("size") for one in functions()["size"].overloads]

    assert shown[0] == "size(string)" and shown[-1] == "map(K, V).size()"
    assert functions()["math.least"].overloads[0].shown("math.least") == "math.least(number…)"
    assert str(functions()["split"].overloads[1].gives) == "list(string)"
