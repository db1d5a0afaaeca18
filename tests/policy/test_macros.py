"""What macros become, and what is said of those that are written wrong.

Method: trees, looked at.
"""

import pytest

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.macros import Fold, expand
from fastgw.policy.parser import parse


@pytest.mark.parametrize("text, fold, parts", [
    ("a.all(x, x)", Fold("all", ("x",)), 2),
    ("a.exists(i, x, x)", Fold("exists", ("i", "x")), 2),
    ("a.exists_one(x, x)", Fold("one", ("x",)), 2),
    ("a.existsOne(i, x, x)", Fold("one", ("i", "x")), 2),
    ("a.filter(x, x)", Fold("filter", ("x",)), 2),
    ("a.map(x, x)", Fold("map", ("x",)), 2),
    ("a.map(x, x, x)", Fold("map", ("x",), True), 3),
    ("a.transformList(k, v, v)", Fold("map", ("k", "v")), 2),
    ("a.transformMap(k, v, k, v)", Fold("entry", ("k", "v"), True), 3),
    ("a.transformMapEntry(k, v, {k: v})", Fold("merge", ("k", "v")), 2),
    ("a.exists(cel.iterVar(0, 1), true)", Fold("exists", ("@iterVar:0:1",)), 2),
])
def test_loops(text, fold, parts):
    tree = expand(parse(text))

    assert (tree.kind, tree.value, len(tree.parts)) == ("fold", fold, parts)


def test_has_bind_and_block():
    has = expand(parse("has(a.b)"))
    bind = expand(parse("cel.bind(x, 1, x)"))
    block = expand(parse("cel.block([1, 2], cel.index(1))"))
    index = expand(parse("cel.index(1)"))

    assert (has.kind, has.value) == ("test", "b")
    assert (bind.kind, bind.value, len(bind.parts)) == ("bind", "x", 2)
    assert (block.value, block.parts[1].value) == ("@index:0", "@index:1")
    assert (index.kind, index.value) == ("name", "@index:1")


def test_what_is_no_macro_stays():
    assert expand(parse("a.size()")) is None
    assert expand(parse("size(a)")) is None


@pytest.mark.parametrize("text, words", [
    ("has()", "takes 1 argument"),
    ("has(a.?b)", "member written with a dot"),
    ("a.all(x)", "does not take 1 argument"),
    ("a.all()", "does not take 0 arguments"),
    ("a.filter(x, y, z)", "does not take 3"),
    ("a.map(1, x)", "needs the name"),
    ("a.map(.x, x)", "needs the name"),
    ("a.transformMap(k, v)", "does not take 2"),
    ("a.optMap(x)", "takes 2 arguments, got 1"),
    ("cel.bind(x, 1)", "takes 3 arguments"),
    ("cel.block(1, 2)", "takes a list"),
    ("cel.index(-1)", "numbers from 0"),
    ("cel.other()", "unknown function 'cel.other'"),
])
def test_errors(text, words):
    with pytest.raises(ExpressionError, match=words):
        expand(parse(text))
