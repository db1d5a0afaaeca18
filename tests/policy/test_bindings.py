"""Values given by name, plain or typed, as programs read them.

Method: tables of what is given and what an expression then sees.
"""

import pytest

from fastgw.policy.bindings import Bindings, is_typed, typed
from fastgw.policy.evaluate import evaluate


@pytest.mark.parametrize("plain, kind", [
    (None, "null"), (True, "bool"), (3, "int"), (2**63, "uint"), (1.5, "double"), ("a", "string"),
    ([1], "list"), ({"a": 1}, "map"), ({"type": "uint", "value": 3}, "uint"),
    ({"type": "bytes", "value_base64": "AP8="}, "bytes"),
    ({"type": "duration", "seconds": 1, "nanos": 0}, "duration"),
    ({"type": "uint", "value": 3, "more": 1}, "map"), ({"type": "other", "value": 3}, "map"),
])
def test_plain_json_gets_its_type(plain, kind):
    assert typed(plain)["type"] == kind


def test_what_is_no_value_is_refused():
    with pytest.raises(ValueError, match="no value"):
        typed(object())


def test_nested_and_dotted_names_are_the_same():
    nested = Bindings({"ai": {"model": "m", "n": 2}, "req": {"headers": {"X-A": "b"}}})
    dotted = Bindings({"ai.model": "m", "ai.n": 2, "req.headers.x-a": "b"})

    for given in (nested, dotted):
        given.scope.place("header", "x-a", 0)
        assert given.facts[10] == {"type": "string", "value": "m"}
        assert given.facts[-1] == {"type": "string", "value": "b"}
        assert given.sources[0] == [("x-a", "b")]


@pytest.mark.parametrize("text, given, value", [
    ("x + 1", {"x": 2}, 3),
    ("a.b.c", {"a": {"b": {"c": 7}}}, 7),
    ("a.b.c", {"a.b": {"c": 7}}, 7),
    ("ai.n", {"ai": {"n": 4}}, 4),
    ("usage.cost", {"usage": {"cost": 2}}, 2.0),
    ("res.status", {"res.status": 200}, 200),
    ("vars.x", {"vars": {"x": "y"}}, "y"),
    ("actions.rate_limit.limited", {"actions": {"rate_limit": {"limited": True}}}, True),
    ("actions.ngrok.rate_limit.limited", {"actions.rate_limit.limited": True}, True),
    ("req.query.q", {"req": {"query": {"q": "z"}}}, "z"),
    ("req.headers.exists(h, h == 'x-a')", {"req.headers": {"X-A": "b"}}, True),
    ("time.now.getFullYear()", {"time.now": "2026-05-01T00:00:00+02:00"}, 2026),
    ("time.now.getSeconds()", {"time": {"now": 59}}, 59),
])
def test_expressions_see_them(text, given, value):
    assert evaluate(text, given)["value"] == value


def test_a_value_of_another_type_than_declared_is_refused():
    with pytest.raises(ValueError, match="'x' is string, not int"):
        Bindings({"ai.n": "x"})


def test_what_says_its_type():
    assert is_typed({"type": "int", "value": 1})
    assert not is_typed({"type": "int", "value": 1, "x": 2})
    assert not is_typed({"value": 1})
