"""Which types fit where, and what two have in common.

Method: tables; and for random types the laws that the checker relies on.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fastgw.policy.types import DYN, Type, fits, join, read, settle

SIMPLE = some.sampled_from(["int", "string", "bool", "dyn"]).map(Type)
TYPES = some.recursive(SIMPLE, lambda inner: some.one_of(
    inner.map(lambda one: Type("list", (one,))), inner.map(lambda one: Type("optional", (one,))),
    some.tuples(inner, inner).map(lambda two: Type("map", two))), max_leaves=4)


@pytest.mark.parametrize("given_type, wanted, yes", [
    ("int", "int", True), ("int", "uint", False), ("dyn", "int", True), ("int", "dyn", True),
    ("list(int)", "list(T)", True), ("list(int)", "list(string)", False),
    ("list(dyn)", "list(string)", True), ("map(string, int)", "map(K, V)", True),
    ("uint", "number", True), ("string", "number", False), ("list(int)", "map(K, V)", False),
    ("optional(list(int))", "optional(list(dyn))", True),
])
def test_what_fits(given_type, wanted, yes):
    assert fits(read(given_type), read(wanted), {}) is yes


def test_a_parameter_stands_for_one_type():
    bound = {}

    assert fits(read("int"), read("T"), bound)
    assert not fits(read("string"), read("T"), bound)
    assert fits(read("dyn"), read("T"), bound)
    assert settle(read("list(T)"), bound) == read("list(dyn)")
    assert settle(read("V"), bound) == DYN


@settings(max_examples=200, deadline=None)
@given(TYPES, TYPES)
def test_laws(one, other):
    assert fits(one, one, {}) and join(one, one) == one
    assert fits(one, other, {}) == fits(other, one, {})
    assert join(one, other) == join(other, one)
    assert fits(one, join(one, other), {}) and fits(other, join(one, other), {})


@settings(max_examples=200, deadline=None)
@given(TYPES)
def test_what_is_shown_is_read_again(kind):
    assert read(str(kind)) == kind


def test_what_is_no_type_is_refused():
    with pytest.raises(ValueError, match="no type"):
        read("int int")
