"""What the checker refuses, and how it says so; what it takes is shown by test_evaluate.

Method: a table of expressions over the names of a request, with the words of the error, the part
of the text that it must underline, and the remedy.
"""

import pytest

from fastgw.policy.compiler import compile_text
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.scope import Scope

CASES = [
    ("ai.modle == 'x'", "unknown variable 'ai.modle'", "ai.modle", "did you mean 'ai.model'?"),
    ("model == 'x'", "unknown variable 'model'", "model", ""),
    ("zzz", "unknown variable 'zzz'", "zzz", "ai.*"),
    ("ai", "no value of its own", "ai", "ai.model"),
    ("ai.model.x == 'a'", "is a string and has no member 'x'", "ai.model.x", ""),
    ("'a'.b", "only variables have members", "'a'.b", ""),
    ("req.headers", "is a map", "req.headers", "req.headers['name']"),
    ("ai.model['x']", "only maps have members in", "ai.model['x']", "req.headers"),
    ("nope['x']", "unknown variable 'nope'", "nope", ""),
    ("req.headers[ai.model]", "no literal", "ai.model", "req.headers['name']"),
    ("req.headers['a b']", "no name of a header", "'", ""),
    ("ai.model in req.headers", "no literal", "ai.model", ""),
    ("ai.n == 1.0", "int == double: the types differ", "ai.n == 1.0", ""),
    ("ai.n == '1'", "int == string", "ai.n == '1'", "without quotes: 1"),
    ("ai.model == 4", "string == int", "ai.model == 4", "in quotes: '4'"),
    ("ai.stream == 'true'", "bool == string", "ai.stream == 'true'", "without quotes: true"),
    ("ai.user == null", "string == null", "ai.user == null", "has()"),
    ("null < null", "< does not work on null", "null < null", ""),
    ("ai.n && true", "&& works on bool, this is a int", "ai.n", ""),
    ("!ai.n", "! works on bool", "!ai.n", ""),
    ("-ai.model == 'x'", "- works on numbers", "-ai.model", ""),
    ("ai.n ? true : false", "the condition is a int", "ai.n", ""),
    ("ai.stream ? 1 : 'a'", "the two sides", "ai.stream ? 1 : 'a'", ""),
    ("ai.model + 'x' == 'y'", "joining strings", "ai.model + 'x'", ""),
    ("1.5 % 1.5 == 0.0", "% does not work on double", "1.5 % 1.5", ""),
    ("true + true", "+ does not work on bool", "true + true", ""),
    ("[1, 2] == [1, 2]", "a list anywhere but behind `in`", "[1, 2]", ""),
    ("ai.n in [1, '2']", "a string in a list for a int", "'2'", "without quotes: 2"),
    ("ai.n in [ai.n]", "anything but literals", "ai.n", ""),
    ("'x' in 'xyz'", "`in` takes a list", "'xyz'", ""),
    ("'x' in ai.model", "`in` takes a list", "ai.model", "ai.model.contains"),
    ("'x' in req.header", "unknown variable", "req.header", "did you mean 'req.headers'?"),
    (
        "conn.client_ip in cidr('10.0.0.0/8')",
        "cidr() is not supported yet",
        "cidr('10.0.0.0/8')",
        "",
    ),
    ("ai.model.matches('a')", "matches() is not supported yet", "matches('a')", ""),
    (
        "startsWith(ai.model, 'a')",
        "is a method",
        "startsWith(ai.model, 'a')",
        "ai.model.startsWith",
    ),
    ("ai.model.startsWith('a', 'b')", "takes 1 argument, got 2", "startsWith('a', 'b')", ""),
    ("ai.model.startsWith(1)", "works on strings, this is a int", "1", ""),
    ("size()", "takes 1 argument, got 0", "size()", ""),
    ("size(ai.n)", "size() of a int", "ai.n", "string"),
    ("ai.model.has()", "is no method", "has()", "has(…)"),
    ("has(ai['x'])", "a member written with a dot", "ai['x']", "in req.headers"),
    ("has(ai.modl)", "unknown variable", "ai.modl", "did you mean 'ai.model'?"),
    ("foo(1)", "unknown function 'foo'", "foo(1)", "startsWith"),
    ("getReqHeader(ai.model)", "must be a literal", "ai.model", ""),
    ("res.status == 200", "only in the response phase", "res.status", ""),
    ("vars.x == 1", "vars.* are not supported yet", "vars.x", ""),
    (
        "req.headers.exists(h, h == 'x')",
        "exists() is not supported yet",
        "exists(h, h == 'x')",
        "",
    ),
]


@pytest.mark.parametrize("text, words, underlined, remedy", CASES, ids=[c[0] for c in CASES])
def test_refusals(text, words, underlined, remedy):
    with pytest.raises(ExpressionError) as caught:
        compile_text(text, Scope())

    error = caught.value
    assert words in error.message
    assert text[error.offset : error.end].startswith(underlined)
    assert remedy in error.suggestion


def test_has_of_a_whole_map_is_true():
    assert compile_text("has(req.headers)", Scope())[0].evaluate([None] * 21) is True


def test_a_request_function_is_unknown_where_there_is_no_request():
    with pytest.raises(ExpressionError, match="getReqHeader"):
        compile_text("getReqHeader('x') == ''", Scope([], {}, {}))
