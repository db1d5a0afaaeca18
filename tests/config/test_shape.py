"""Shapes read values, collect errors and describe themselves.

Method: shapes are fed nodes of small documents; each error is compared whole.
"""

import pytest

from fastgw.config.document import read_document
from fastgw.config.model import Expression, Place, Secret
from fastgw.config.shape import (
    INVALID,
    Choice,
    ExpressionText,
    Flag,
    Later,
    ListOf,
    MapOf,
    Object,
    Reading,
    SecretText,
    Text,
    Whole,
    did_you_mean,
)


def read(shape, text, **env):
    reading = Reading("f")
    value = Object({"a": shape}).read(read_document("a: " + text, "f", env), "", reading)
    if value is INVALID:
        return INVALID, [str(error) for error in reading.errors]
    return value["a"], [str(error) for error in reading.errors]


@pytest.mark.parametrize(
    "shape, text, value",
    [
        (Text(), "b c", "b c"),
        (Text(), "4711", "4711"),
        (Text(), "012", "012"),
        (Text(), "1e5", "1e5"),
        (Flag(), "true", True),
        (Whole(0, 9), "7", 7),
        (Whole(1, 9, {"auto": None}), "auto", None),
        (Choice(["x", "y"]), "y", "y"),
        (ListOf(Flag()), "[true, false]", [True, False]),
        (MapOf(Flag(), "[a-z]+", 3), "{x: true}", {"x": True}),
        (SecretText(), "abc", Secret("abc")),
        (ExpressionText(), "true", Expression("true", Place("f", 1, 4, "a"))),
        (Object({"b": Flag()}), "{b: true}", {"b": True}),
        (Object({"b": Flag()}), "{}", {}),
    ],
)
def test_values(shape, text, value):
    assert read(shape, text) == (value, [])


@pytest.mark.parametrize(
    "shape, text, error",
    [
        (Text(), "true", "f:1:4: a: expected text, got 'true'"),
        (Text(), '"x\\ny"', "f:1:4: a: expected text, got 'x\ny'"),
        (Text(longest=2), "abc", "f:1:4: a: expected text, got 'abc'"),
        (Text(), "[b]", "f:1:4: a: expected text, got a list"),
        (Text(), "x" * 2000, "f:1:4: a: expected text, got '" + "x" * 37 + "…'"),
        (Flag(), "yes", "f:1:4: a: expected true or false, got 'yes' (for example true)"),
        (Whole(0, 9), "true",
         "f:1:4: a: expected a whole number from 0 to 9, got 'true'"
         " (digits alone, for example 1)"),
        (Whole(0, 9), "1.0",
         "f:1:4: a: expected a whole number from 0 to 9, got '1.0'"
         " (the nearest that may stand here is 1)"),
        (Choice(["x"]), "true", "f:1:4: a: expected x, got 'true' (supported: x)"),
        (Choice(["x"], ["z"]), "z", "f:1:4: a: z is not supported yet (supported: x)"),
        (ListOf(Flag(), 2), "[true]",
         "f:1:4: a: expected at least 2 here, got 1"
         " (leave a out, or write a: [true])"),
        (ListOf(Flag(), 0, 1), "[true, true]",
         "f:1:4: a: expected at most 1 here, got 2"
         " (keep 1 of them)"),
        (
            MapOf(Flag(), "[a-z]+", 3),
            "{X: true}",
            "f:1:5: a.X: 'X' is no name here (names match [a-z]+)",
        ),
        (MapOf(Flag(), "[a-z]+", 0), "{x: true}",
         "f:1:4: a: at most 0 entries, got 1"
         " (keep 0 of them)"),
        (
            Later(),
            "1",
            "f:1:4: a: a is not supported yet (remove it; see `fastgw schema` for what this "
            "version takes)",
        ),
        (Object({"b": Flag()}, ["b"]), "{}", "f:1:4: a.b: 'b' is missing (add b: true)"),
    ],
)
def test_errors(shape, text, error):
    assert read(shape, text) == (INVALID, [error])


def test_text_from_the_environment_is_never_shown():
    for shape in (
        Text("x", "[0-9]"),
        Flag(),
        Whole(0, 1),
        Choice(["x"]),
        ListOf(Flag()),
        SecretText(),
        ExpressionText(),
    ):
        value, errors = read(shape, '"${env:A} "', A="s3cr3t\n")
        assert value is INVALID and len(errors) == 1 and "s3cr3t" not in errors[0]


def test_all_errors_of_a_mapping_are_collected():
    shape = Object({"b": Flag(), "c": Whole(0, 1)}, ["c"])

    assert len(read(shape, "{b: 1, c: 5, d: 6}")[1]) == 3


def test_a_typo_of_a_required_key_is_one_error():
    assert read(Object({"capacity": Flag()}, ["capacity"]), "{capasity: true}")[1] == [
        "f:1:5: a.capasity: unknown key 'capasity' (did you mean 'capacity'?)"
    ]


def test_a_place_that_was_left_out_is_its_parents():
    reading = Reading("f", {"": (1, 1), "a": (2, 3), "a[1].b": (4, 5)})

    assert reading.place("a[1].b") == Place("f", 4, 5, "a[1].b")
    assert reading.place("a[7].c") == Place("f", 2, 3, "a[7].c")
    assert reading.place("z") == Place("f", 1, 1, "z")


def test_suggestions():
    assert did_you_mean("capasity", ["capacity", "per"]) == (
        "did you mean 'capacity'?",
        "capacity",
    )
    assert did_you_mean("zzz", ["capacity", "per"]) == ("known here: capacity, per", None)
    assert did_you_mean("zzz", []) == ("", None)
