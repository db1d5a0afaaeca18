"""The published CEL conformance cases (google/cel-spec), all that need no protobuf messages.

Method: every case of ../shared/vectors/cel.jsonl is evaluated as `fastgw policy eval --jsonl`
does, and must have exactly the expected type and value, or fail where it must. Those that do not
stand in LEFT_OUT with the reason; a case there that passes fails the test. A few cases of our own
run where the vectors are not.
"""

import json
import math
from pathlib import Path

import pytest

from fastgw.policy.evaluate import evaluate_loosely
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.program import EvaluationError

VECTORS = Path(__file__).resolve().parents[2] / "../shared/vectors/cel.jsonl"
LEFT_OUT: dict[str, str] = {}


def same(expected, got):
    """Typed values, exactly; maps in any order."""
    if expected["type"] != got["type"]:
        return False
    kind = expected["type"]
    if kind == "bytes":
        return expected["value_base64"] == got["value_base64"]
    want, have = expected["value"], got["value"]
    if kind == "double":
        want, have = float(want), float(have)
        return (want == have and math.copysign(1, want) == math.copysign(1, have)) or (
            math.isnan(want) and math.isnan(have))
    if kind == "list":
        return len(want) == len(have) and all(map(same, want, have))
    if kind == "map":
        return len(want) == len(have) and all(
            any(same(key, other) and same(value, found) for other, found in have)
            for key, value in want)
    return want == have and type(want) is type(have)


def judge(expr, bindings, expected):
    """'' if right, else what is wrong."""
    fails = expected["type"] == "error"
    try:
        got = evaluate_loosely(expr, bindings)
    except (ExpressionError, EvaluationError) as error:
        return "" if fails else f"error: {error}"
    if fails:
        return f"{got}, not an error"
    return "" if same(expected, got) else f"{got}, not {expected}"


def test_every_published_case_has_its_value():
    if not VECTORS.exists():
        pytest.skip(f"{VECTORS} is not here")
    cases = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    wrong = {case["id"]: (case["expr"], said) for case in cases
             if (said := judge(case["expr"], case["bindings"], case["expected"]))}

    assert len(cases) == 1177
    assert {name: why for name, why in wrong.items() if name not in LEFT_OUT} == {}
    assert LEFT_OUT.keys() <= wrong.keys(), "these pass by now: take them out of the list"


INT, STRING = "int", "string"
OURS = [
    ("1 + 2 * 3", INT, 7), ("-7 / 2", INT, -3), ("-7 % 2", INT, -1), ("0x1F", INT, 31),
    ("7u + 1u", "uint", 8), ("1.5e3", "double", 1500.0), ("'a' + \"b\"", STRING, "ab"),
    ("r'\\n'", STRING, "\\n"), ("'''a'b'''", STRING, "a'b"),
    ("'\\u00e9\\x41\\101'", STRING, "éAA"),
    ("size('\\U0001F600')", INT, 1), ("size(b'\\xff')", INT, 1),
    ("type(1u) == uint", "bool", True),
    ("1 in [1, 2]", "bool", True), ("'a' in {'a': 1}", "bool", True),
    ("[1, 2][1]", INT, 2), ("{'a': 1}.a", INT, 1), ("has({'a': 1}.b)", "bool", False),
    ("true ? 'a' : 'b'", STRING, "a"), ("1/0 == 1 || true", "bool", True),
    ("[1, 2, 3].all(x, x > 0)", "bool", True), ("[1, 2].exists(x, x > 1)", "bool", True),
    ("[1, 2].exists_one(x, x > 1)", "bool", True),
    ("[1, 2, 3].filter(x, x > 1).size()", INT, 2), ("[1, 2].map(x, x * x)[1]", INT, 4),
    ("[1, 2].map(x, x > 1, x)[0]", INT, 2),
    ("[5, 6].exists(i, v, i == 1 && v == 6)", "bool", True),
    ("{'a': 1}.transformMap(k, v, v + 1).a", INT, 2),
    ("{'a': 1}.transformMapEntry(k, v, {v: k})[1]", STRING, "a"),
    ("cel.bind(x, 2, x * x)", INT, 4), ("cel.block([1, cel.index(0) + 1], cel.index(1))", INT, 2),
    ("optional.of(1).orValue(2)", INT, 1), ("{'a': 1}[?'b'].orValue(2)", INT, 2),
    ("[?optional.none(), ?optional.of(1)].size()", INT, 1),
    ("optional.of(1).optMap(x, x + 1).value()", INT, 2),
    ("timestamp('2026-01-02T03:04:05Z').getHours()", INT, 3),
    ("timestamp('2026-07-02T03:04:05Z').getHours('Europe/Berlin')", INT, 5),
    ("string(duration('1h') + duration('90s'))", STRING, "3690s"),
    ("'a-b-c'.split('-').join('+')", STRING, "a+b+c"), ("'%s=%d'.format(['x', 1])", STRING, "x=1"),
    ("math.greatest(1, 3, 2)", INT, 3), ("base64.encode(b'hi')", STRING, "aGk="),
    ("ip('10.1.2.3') in cidr('10.0.0.0/8')", "bool", True),
    ("'10.1.2.3' in cidr('10.0.0.0/8')", "bool", True),
    ("cidr('10.0.0.0/8').containsIP('11.0.0.1')", "bool", False),
    ("'gpt-4o'.matches('^gpt-[0-9]')", "bool", True), ("'gpt-4o'.glob('gpt-*')", "bool", True),
    ("glob('claude', 'gpt-*')", "bool", False),
    ("random() >= 0.0 && random() < 1.0", "bool", True),
]


@pytest.mark.parametrize("text, kind, value", OURS, ids=[text for text, *_ in OURS])
def test_cases_of_our_own(text, kind, value):
    assert judge(text, {}, {"type": kind, "value": value}) == ""


@pytest.mark.parametrize("text", [
    "1/0", "1 % 0", "9223372036854775807 + 1", "-(-9223372036854775808)", "0u - 1u", "[1][1]",
    "{'a': 1}.b", "int('x')", "uint(-1)", "'a' + 1", "1 < 'a'", "true && 1/0 == 1", "x", "f(1)",
    "{1: 1, 1u: 2}", "timestamp('10000-01-01T00:00:00Z')", "optional.none().value()",
    "[1, 2].map(x, x / 0)", "'a'.substring(2)", "'%d'.format(['a'])", "ip('1.2.3')", "!1", "[1].a",
])
def test_what_has_no_value_is_an_error(text):
    assert judge(text, {}, {"type": "error"}) == ""
