"""Functions and methods by name, number and types; what is said of those that do not fit.

Method: tables; test_checker has more refusals.
"""

import pytest

from fastgw.policy.checker import check
from fastgw.policy.declarations import functions
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope

SAMPLES = {
    "string": "'a'", "bytes": "b'a'", "int": "1", "uint": "1u", "double": "1.5", "bool": "true",
    "timestamp": "timestamp(1)", "duration": "duration('1s')", "ip": "ip('::1')",
    "cidr": "cidr('::/8')", "list(T)": "[1]", "map(K, V)": "{1: 1}", "T": "1", "number": "1",
    "list(number)": "[1]", "list(string)": "['a']", "optional(T)": "optional.of(1)",
    "list(optional(T))": "[optional.of(1)]",
}


def calls():
    for function in functions().values():
        for overload in function.overloads:
            texts = [SAMPLES[str(kind)] for kind in overload.takes]
            if overload.method:
                yield f"({texts[0]}).{function.name}({', '.join(texts[1:])})"
            else:
                yield f"{function.name}({', '.join(texts)})"


@pytest.mark.parametrize("text", list(calls()))
def test_every_overload_can_be_called(text):
    tree = check(parse(text), Scope())

    assert tree.op in ("call", "or", "orValue", "dyn", "has")


def test_a_receiver_may_be_called_like_a_namespace():
    scope = Scope([("math", "string"), ("ip", "string")], {}, {})

    assert str(check(parse("math.size()"), scope).type) == "int"
    assert check(parse("math.abs(1)"), scope).value == "math.abs"
    assert str(check(parse("ip.isCanonical('::1')"), scope).type) == "bool"
    assert check(parse("['a'].all(math, math.contains('a'))"), scope).op == "fold"


@pytest.mark.parametrize("text, words, remedy", [
    ("ai.model.length()", "unknown function 'length'", "size(x)"),
    ("rand() > 0.5", "unknown function 'rand'", "random()"),
    ("hasQueryParam('a')", "unknown function", "in req.query"),
    ("bytes(1)", "bytes() takes string or bytes here, this is an int", ""),
    ("ip('::1').prefixLength()", "prefixLength() works on cidr, this is an ip", ""),
    ("'a'.replace('a', 1)", "replace() takes string here, this is an int", "in quotes: '1'"),
    ("math.least('a')", "math.least() takes number or list(number) here", ""),
    ("hasReqHeader(1)", "hasReqHeader() takes string here", ""),
    ("hasReqHeader()", "takes 1 argument, got 0", ""),
])
def test_refusals(text, words, remedy):
    with pytest.raises(ExpressionError) as caught:
        check(parse(text), Scope())

    assert words in caught.value.message and remedy in caught.value.suggestion


def test_a_header_named_by_a_literal_is_a_fact():
    scope = Scope()

    assert check(parse("hasReqHeader('X-A')"), scope).op == "has"
    assert scope.dynamic == [("header", "x-a")]
    assert check(parse("hasReqHeader(ai.model)"), scope).op == "in_of"
