"""What is constant is worked out at load, and what can never work is refused there.

Method: trees after folding; and for random expressions, that folding changes no value.
"""

import pytest
from hypothesis import given, settings

from fastgw.policy.checker import check
from fastgw.policy.compiler import compile_tree
from fastgw.policy.evaluate import evaluate
from fastgw.policy.folding import fold
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.program import EvaluationError
from fastgw.policy.scope import Scope
from tests.policy.expressions import expressions


def folded(text, scope=None):
    return fold(check(parse(text), scope or Scope()))


@pytest.mark.parametrize("text, kind, value", [
    ("60 * 60 * 24", "int", 86400),
    ("'a' + 'b'", "string", "ab"),
    ("1.0 / 4.0", "double", 0.25),
    ("2u + 3u", "uint", 5),
    ("'abc'.startsWith('a')", "bool", True),
    ("2 in [1, 2]", "bool", True),
    ("size([1, 2])", "int", 2),
    ("{'a': 1}.a", "int", 1),
    ("type(1)", "type", "int"),
    ("timestamp('1970-01-01T00:01:00.5Z')", "timestamp", (60, 500000000)),
    ("duration('1h') + duration('1s')", "duration", 3601 * 10**9),
    ("cidr('10.0.0.0/8')", "cidr", "10.0.0.0/8"),
    ("ip('::1')", "ip", "::1"),
    ("true || ai.stream", "bool", True),
    ("ai.stream && 1 > 2", "bool", False),
    ("!(1 == 1)", "bool", False),
    ("1 > 0 ? 'a' : 'b'", "string", "a"),
])
def test_what_is_constant_is_one_constant(text, kind, value):
    tree = folded(text)

    assert (tree.op, tree.type.name, tree.value) == ("constant", kind, value)


@pytest.mark.parametrize("text, op", [
    ("random() > 2.0", ">"), ("getReqHeader('x') == []", "=="), ("1 / 0 == 1", "=="),
    ("ai.n + 1 + 2 == 4", "=="), ("[1, 2]", "list"), ("'x'.split('')", "call"),
    ("true && ai.stream", "fact"), ("ai.stream || 1 > 2", "fact"), ("time.now", "fact"),
])
def test_what_is_not_stays(text, op):
    assert folded(text).op == op


@pytest.mark.parametrize("text, words, underlined", [
    ("conn.client_ip in cidr('10.0.0/8')", "'10.0.0/8' is no cidr", "'10.0.0/8'"),
    ("ip('x') == ip('::1')", "'x' is no ip", "'x'"),
    ("time.now > timestamp('2026-13-01T00:00:00Z')", "timestamp() never works here", "timestamp("),
    ("ai.n > int('x')", "int() never works here", "int('x')"),
])
def test_what_can_never_work_is_refused(text, words, underlined):
    with pytest.raises(ExpressionError) as caught:
        folded(text)

    assert words in caught.value.message
    assert text[caught.value.offset : caught.value.end].startswith(underlined)


@settings(max_examples=200, deadline=None)
@given(expressions("bool", 3))
def test_folding_changes_no_value(text):
    names = {"b1": True, "b2": False, "i1": 3, "i2": -1, "s1": "a", "s2": "éa", "l1": [1, 7],
             "d1": {"type": "double", "value": 1.5}}
    kinds = {"b": "bool", "i": "int", "s": "string", "l": "list(dyn)", "d": "double"}
    scope = Scope([(name, kinds[name[0]]) for name in names], {}, {})
    plain = compile_tree(check(parse(text), scope), scope.n_facts)
    typed = [{"type": "list", "value": [{"type": "int", "value": one} for one in value]}
             if isinstance(value, list) else value if isinstance(value, dict) else
             {"type": kinds[name[0]], "value": value} for name, value in names.items()]

    assert outcome(lambda: plain.program.run(typed)) == outcome(lambda: evaluate(text, names))


def outcome(run):
    try:
        return run()
    except EvaluationError as error:
        return str(error)
