"""The rule machine against a small evaluator in Python, over random expressions and facts.

Method: hypothesis writes well-typed expressions as trees; the tree is printed as CEL, compiled and
run, and evaluated here by rules written from the CEL specification. Values, and whether there is
one at all, must agree. Broken bytecode must be refused.
"""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fastgw.policy.compiler import OPS, compile_text
from fastgw.policy.program import EvaluationError, Program
from fastgw.policy.scope import Scope

FACTS = {"b1": "bool", "b2": "bool", "i1": "int", "i2": "int", "s1": "string", "s2": "string"}
BOOLS, INTS = some.booleans(), some.sampled_from([0, 1, -1, 2, 7, 2**63 - 1, -(2**63)])
STRINGS = some.text("abé'\\\n", max_size=3)
VALUES = {"bool": BOOLS, "int": INTS, "string": STRINGS}
ERROR = object()


def quoted(text):
    return "'" + "".join(f"\\u{ord(one):04x}" for one in text) + "'"


def leaf(kind):
    constants = VALUES[kind].map(lambda value: ("constant", value))
    names = [name for name, declared in FACTS.items() if declared == kind]
    return constants | some.sampled_from(names).map(lambda name: ("fact", name))


def comparisons(children):
    two = [
        some.tuples(
            some.sampled_from(["==", "!=", "<", "<=", ">", ">="]), children[kind], children[kind]
        )
        for kind in VALUES
    ]
    members = some.tuples(some.just("in"), children["string"], some.lists(STRINGS, max_size=3))
    texts = some.tuples(
        some.sampled_from(["startsWith", "endsWith", "contains"]),
        children["string"],
        children["string"],
    )
    return some.one_of(*two, members, texts)


def trees(depth):
    """kind -> a strategy of trees of that type."""
    if depth == 0:
        return {kind: leaf(kind) for kind in VALUES}
    below = trees(depth - 1)
    ternary = {
        kind: some.tuples(some.just("?:"), below["bool"], below[kind], below[kind])
        for kind in VALUES
    }
    logic = some.tuples(some.sampled_from(["&&", "||"]), below["bool"], below["bool"])
    sums = some.tuples(some.sampled_from(["+", "-", "*", "/", "%"]), below["int"], below["int"])
    return {
        "bool": some.one_of(
            leaf("bool"),
            logic,
            comparisons(below),
            ternary["bool"],
            some.tuples(some.just("!"), below["bool"]),
        ),
        "int": some.one_of(
            leaf("int"),
            sums,
            ternary["int"],
            some.tuples(some.just("neg"), below["int"]),
            some.tuples(some.just("size"), below["string"]),
        ),
        "string": some.one_of(leaf("string"), ternary["string"]),
    }


def printed(tree):
    op, *parts = tree
    if op == "fact":
        return parts[0]
    if op == "constant":
        value = parts[0]
        return quoted(value) if isinstance(value, str) else str(value).lower()
    if op == "in":
        return f"({printed(parts[0])} in [{', '.join(map(quoted, parts[1]))}])"
    texts = [printed(part) for part in parts]
    if op == "?:":
        return f"({texts[0]} ? {texts[1]} : {texts[2]})"
    if op in ("!", "neg"):
        return f"({'!' if op == '!' else '-'}({texts[0]}))"
    if op == "size":
        return f"size({texts[0]})"
    if op in ("startsWith", "endsWith", "contains"):
        return f"({texts[0]}).{op}({texts[1]})"
    return f"({texts[0]} {op} {texts[1]})"


def ranged(number):
    return number if -(2**63) <= number < 2**63 else ERROR


def arithmetic(op, left, right):
    if op in ("/", "%"):
        if right == 0:
            return ERROR
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return ranged(quotient) if op == "/" else left - quotient * right
    return ranged({"+": left + right, "-": left - right, "*": left * right}[op])


def expected(tree, facts):
    op, *parts = tree
    if op == "constant":
        return parts[0]
    if op == "fact":
        return ERROR if facts[parts[0]] is None else facts[parts[0]]
    if op in ("&&", "||"):
        sides, decisive = [expected(part, facts) for part in parts], op == "||"
        if any(side is decisive for side in sides):
            return decisive
        return ERROR if ERROR in sides else not decisive
    if op == "?:":
        condition = expected(parts[0], facts)
        return ERROR if condition is ERROR else expected(parts[1 if condition else 2], facts)
    if op == "in":
        value = expected(parts[0], facts)
        return ERROR if value is ERROR else value in parts[1]
    values = [expected(part, facts) for part in parts]
    return ERROR if ERROR in values else strict(op, *values)


def strict(op, left, right=None):
    if op == "!":
        return not left
    if op == "neg":
        return ranged(-left)
    if op == "size":
        return len(left)
    if op in ("startsWith", "endsWith", "contains"):
        tests = {
            "startsWith": left.startswith,
            "endsWith": left.endswith,
            "contains": left.__contains__,
        }
        return tests[op](right)
    if op in ("==", "!="):
        return (left == right) == (op == "==")
    if op in ("<", "<=", ">", ">="):
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op]
    return arithmetic(op, left, right)


FACT_VALUES = some.fixed_dictionaries(
    {name: some.none() | VALUES[kind] for name, kind in FACTS.items()}
)


@given(some.one_of(*trees(3).values()), FACT_VALUES)
@settings(max_examples=1500, deadline=None)
def test_the_machine_agrees_with_the_specification(tree, facts):
    program, typed = compile_text(printed(tree), Scope(FACTS.items(), {}, {}))
    try:
        got = program.evaluate([facts[name] for name in FACTS])
    except EvaluationError:
        got = ERROR
    want = expected(tree, facts)

    assert got == want and type(got) is type(want)
    assert want is ERROR or typed.type == {bool: "bool", int: "int", str: "string"}[type(want)]


def code(*steps):
    return b"".join(struct.pack("=BxHHH", OPS.index(op), *operands) for op, *operands in steps)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\0" * 7,
        code(("constant", 1, 0, 0)),
        code(("fact", 2, 0, 0)),
        code(("==", 0, 0, 0)),
        code(("constant", 0, 0, 0), ("constant", 0, 0, 0)),
        code(("constant", 0, 0, 0), ("and_jump", 0, 0, 0)),
        code(("constant", 0, 0, 0), ("and_jump", 0, 3, 0)),
        code(("constant", 0, 0, 0), ("in", 0, 0, 2)),
        code(("fact_eq", 0, 1, 0)),
        code(*[("constant", 0, 0, 0)] * 33, *[("==", 0, 0, 0)] * 32),
        code(("constant", 0, 0, 0), ("jump", 0, 3, 0), ("not", 0, 0, 0)),
        struct.pack("=BxHHH", len(OPS), 0, 0, 0),
    ],
    ids=range(13),
)
def test_broken_bytecode_is_refused(broken):
    with pytest.raises(ValueError):
        Program(broken, (True,), 2, "bool")


def test_the_deepest_stack_that_is_allowed_works():
    deep = code(*[("constant", 0, 0, 0)] * 32, *[("==", 0, 0, 0)] * 31)

    assert Program(deep, (True,), 0, "bool").evaluate([]) is True


def test_facts_of_another_type_are_errors_not_accidents():
    program, _ = compile_text("s1 == 'a' && i1 > 1 && b1", Scope(FACTS.items(), {}, {}))

    with pytest.raises(EvaluationError, match="another type"):
        program.evaluate([1, None, "x", None, 5, None])


def test_reads_names_the_facts_that_are_read():
    program, _ = compile_text("i1 > 1 && 'a' == s1 && 5 == 5", Scope(FACTS.items(), {}, {}))

    assert program.reads == 1 << 2 | 1 << 4
