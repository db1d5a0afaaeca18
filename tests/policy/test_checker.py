"""What the checker refuses, and how it says so; what it takes is shown by test_evaluate.

Method: a table of expressions over the names of a request, with the words of the error, the part
of the text that it must underline, and the remedy. Types of what is taken are printed.
"""

import pytest

from fastgw.policy.checker import check
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.scope import Scope

CASES = [
    ("ai.modle == 'x'", "unknown variable 'ai.modle'", "ai.modle", "did you mean 'ai.model'?"),
    ("model == 'x'", "unknown variable 'model'", "model", ""),
    ("zzz", "unknown variable 'zzz'", "zzz", "ai.*"),
    ("ai", "no value of its own", "ai", "ai.model"),
    ("ai.model.x == 'a'", "is a string and has no member 'x'", "ai.model.x", ""),
    ("'a'.b", "a string has no member 'b'", "'a'.b", ""),
    ("req.headers == 'x'", "map(string, string) == string", "req.headers", "['name']"),
    ("ai.model['x']", "a string has no members in [ ]", "ai.model", "lists and maps"),
    ("nope['x']", "unknown variable 'nope'", "nope", ""),
    ("req.headers[ai.n]", "a map takes a string in [ ], this is an int", "ai.n", "string(…)"),
    ("req.headers['a b']", "no name of a header", "'", ""),
    ("ai.n in req.headers", "an int is never in a map(string, string)", "ai.n", "string(…)"),
    ("ai.n == 1.0", "int == double: the types differ", "ai.n == 1.0", "double(…) converts"),
    ("1 == 1.0", "int == double", "1 == 1.0", "1.0"),
    ("ai.n == '1'", "int == string", "ai.n == '1'", "without quotes: 1"),
    ("ai.model == 4", "string == int", "ai.model == 4", "in quotes: '4'"),
    ("ai.n == 4u", "int == uint", "ai.n == 4u", "int(…)"),
    ("4u == 4", "uint == int", "4u == 4", "4u"),
    ("ai.stream == 'true'", "bool == string", "ai.stream == 'true'", "without quotes: true"),
    ("ai.user == null", "string == null", "ai.user == null", "has()"),
    ("time.now > '2026-01-01T00:00:00Z'", "timestamp > string", "time.now", "timestamp('2026"),
    ("null < null", "< does not work on null", "null < null", ""),
    ("[1] < [2]", "< does not work on list(int)", "[1] < [2]", ""),
    ("ai.n && true", "&& works on bool, this is an int", "ai.n", ""),
    ("!ai.n", "! works on bool", "!ai.n", ""),
    ("-ai.model == 'x'", "- works on int and double, this is a string", "-ai.model", ""),
    ("-(1u) == 1", "- works on int and double, this is a uint", "-(1u", ""),
    ("ai.n ? true : false", "the condition is an int", "ai.n", ""),
    ("ai.stream ? 1 : 'a'", "the two sides", "ai.stream ? 1 : 'a'", ""),
    ("ai.model + 1 == 'y'", "string + int: the types differ", "ai.model + 1", "in quotes: '1'"),
    ("1.5 % 1.5 == 0.0", "% does not work on double", "1.5 % 1.5", ""),
    ("true + true", "+ does not work on bool", "true + true", ""),
    ("ai.n in [1, '2']", "a string in a list for an int", "'2'", "without quotes: 2"),
    ("ai.n in ['1'] + ['2']", "an int is never in a list(string)", "ai.n", "string(…)"),
    ("'x' in 'xyz'", "`in` takes a list", "'xyz'", ""),
    ("'x' in ai.model", "`in` takes a list", "ai.model", "ai.model.contains"),
    ("'x' in req.header", "unknown variable", "req.header", "did you mean 'req.headers'?"),
    ("ai.n in cidr('10.0.0.0/8')", "an int is never in a cidr", "ai.n", "ip('…')"),
    (
        "startsWith(ai.model, 'a')",
        "is a method",
        "startsWith(ai.model, 'a')",
        "ai.model.startsWith",
    ),
    ("ai.model.startsWith('a', 'b')", "takes 1 argument, got 2", "startsWith('a', 'b')",
     "string.startsWith(string)"),
    ("ai.model.startsWith(1)", "takes string here, this is an int", "1", "in quotes: '1'"),
    ("ai.n.startsWith('1')", "works on string, this is an int", "ai.n", "string(…)"),
    ("ai.model.substring()", "takes 1 or 2 arguments, got 0", "substring()", "substring(int)"),
    ("size()", "takes 1 argument, got 0", "size()", ""),
    ("size(ai.n)", "size() takes string, bytes, list or map here", "ai.n", ""),
    ("ai.model.has()", "has() is a macro", "has()", "has(key.tags.tier)"),
    ("ai.model.int()", "int() is no method", "int()", "int(int)"),
    ("has(ai['x'])", "a member written with a dot", "ai['x']", "in req.headers"),
    ("has(ai.modl)", "unknown variable", "ai.modl", "did you mean 'ai.model'?"),
    ("has(ai.n, ai.n)", "has() takes 1 argument", "has(ai.n", ""),
    ("foo(1)", "unknown function 'foo'", "foo(1)", "size"),
    ("ai.model.startWith('x')", "unknown function 'startWith'", "startWith", "'startsWith'?"),
    ("math.absolute(1)", "unknown function 'math.absolute'", "absolute(1)", "math."),
    ("conn.client_ip.inCidrRange('10.0.0.0/8')", "unknown function", "inCidrRange", "in cidr("),
    ("getReqHeader(ai.n)", "takes string here", "ai.n", ""),
    ("res.status == 200", "only in the response phase", "res.status", ""),
    ("[1].exists(h, h == 'x')", "int == string", "h == 'x'", "string(…) converts it"),
    ("[1].exists(h)", "does not take 1 argument", "exists(h)", "write list.exists(x, condition)"),
    ("[1].exists(1, true)", "needs the name of a variable", "1", "list.exists"),
    ("[1].all(a, a, true)", "two variables of one name", "a", ""),
    ("[1].all(x, x)", "the condition is an int", "x", ""),
    ("[1].map(x, x + 's')", "int + string", "x + 's'", ""),
    ("ai.model.all(c, true)", "works on a list or a map, not on a string", "ai.model", ""),
    ("[1].all(x, y)", "unknown variable 'y'", "y", ""),
    ("cel.bind(x, 1, x + 's')", "int + string", "x + 's'", ""),
    ("cel.bnd(x, 1, x)", "unknown function 'cel.bnd'", "bnd(", "cel.bind"),
    ("[?1]", "? takes an optional here, this is an int", "1", "leave out the ?"),
    ("{1.5: 2}", "a double is no key of a map", "1.5", "bool, int, uint or string"),
    ("{'a': 1, 'a': 2}", "this key is there twice", "'a'", ""),
    ("ai.model.optMap(x, x)", "works on an optional, this is a string", "ai.model", "map.?name"),
    ("req.headers.?x.optFlatMap(v, 1)", "needs an optional here", "1", "optMap()"),
]


@pytest.mark.parametrize("text, words, underlined, remedy", CASES, ids=[c[0] for c in CASES])
def test_refusals(text, words, underlined, remedy):
    with pytest.raises(ExpressionError) as caught:
        check(parse(text), Scope())

    error = caught.value
    assert words in error.message
    assert text[error.offset : error.end].startswith(underlined)
    assert remedy in error.suggestion


@pytest.mark.parametrize("text", [text for text, *_ in CASES if "exists(h)" not in text])
def test_a_lenient_check_refuses_only_what_cannot_be_written(text):
    try:
        check(parse(text), Scope(), strict=False)
    except ExpressionError as error:
        written = ("macro", "member written with a dot", "name of a variable", "one name",
                   "no name of a header", "'cel.bnd'", "has() takes 1", "takes 1 argument")
        assert any(word in error.message for word in written), error.message


@pytest.mark.parametrize(
    "text, kind",
    [
        ("1", "int"),
        ("[1, 2]", "list(int)"),
        ("[1, 'a']", "list(dyn)"),
        ("[]", "list(dyn)"),
        ("{'a': [1u]}", "map(string, list(uint))"),
        ("{1: 1, 'a': 1}", "map(dyn, int)"),
        ("[1][0]", "int"),
        ("{'a': 1.5}.a", "double"),
        ("{'a': 1.5}.?a", "optional(double)"),
        ("optional.of({'a': 1}).a", "optional(int)"),
        ("[1].map(x, x > 0)", "list(bool)"),
        ("[1].filter(x, x > 0)", "list(int)"),
        ("{'a': 1}.filter(k, true)", "list(string)"),
        ("{'a': 1}.map(k, k)", "list(string)"),
        ("{'a': 1}.transformMap(k, v, k)", "map(string, string)"),
        ("['a'].transformMap(i, v, v)", "map(int, string)"),
        ("{'a': 1}.transformList(k, v, v)", "list(int)"),
        ("{'a': 1}.transformMapEntry(k, v, {v: k})", "map(int, string)"),
        ("[1].exists(i, v, i == v)", "bool"),
        ("time.now - time.now", "duration"),
        ("time.now + duration('1h')", "timestamp"),
        ("req.headers", "map(string, string)"),
        ("req.headers['x']", "string"),
        ("req.headers.?x", "optional(string)"),
        ("req.headers.?x.orValue('')", "string"),
        ("getReqHeader('x')[0]", "string"),
        ("dyn(1)", "dyn"),
        ("dyn(1) + 1", "int"),
        ("type(1)", "type"),
        ("int", "type"),
        ("google.protobuf.Timestamp", "type"),
        ("math.greatest(1, 2)", "int"),
        ("math.greatest(1, 2.0)", "dyn"),
        ("math.greatest([1.0])", "double"),
        ("math.abs(-1.5)", "double"),
        ("cel.bind(x, 1u, [x])", "list(uint)"),
        ("optional.of(1).optMap(x, [x])", "optional(list(int))"),
        ("optional.none().or(optional.of(1))", "optional(dyn)"),
        ("ai.stream ? [] : [1]", "list(dyn)"),
        ("random()", "double"),
        ("conn.client_ip in cidr('10.0.0.0/8')", "bool"),
        ("'a-b'.split('-')", "list(string)"),
        ("'a-b'.split('-').join()", "string"),
        ("timestamp('2026-01-01T00:00:00Z').getHours('UTC')", "int"),
    ],
)
def test_types(text, kind):
    assert str(check(parse(text), Scope()).type) == kind


def test_has_of_a_whole_map_is_true():
    tree = check(parse("has(req.headers)"), Scope())

    assert (tree.op, tree.value) == ("constant", True)


def test_a_request_function_is_unknown_where_there_is_no_request():
    with pytest.raises(ExpressionError, match="getReqHeader"):
        check(parse("getReqHeader('x') == []"), Scope([], {}, {}))


def test_variables_of_macros_hide_others_but_for_a_leading_dot():
    scope = Scope([("x", "string")], {}, {})

    assert str(check(parse("[1].map(x, x)"), scope).type) == "list(int)"
    assert str(check(parse("[1].map(x, .x)"), scope).type) == "list(string)"
    assert str(check(parse("[[1]].map(x, x.map(x, x))"), scope).type) == "list(list(int))"


def test_the_longest_name_that_is_declared_is_meant():
    scope = Scope([("a.b.c", "int"), ("a.b", "map(string, string)")], {}, {})

    assert str(check(parse("a.b.c"), scope).type) == "int"
    assert str(check(parse("a.b.d"), scope).type) == "string"
    assert check(parse("has(a.b.d)"), scope).op == "has_member"
    assert check(parse("has(a.b.c)"), scope).op == "has"
