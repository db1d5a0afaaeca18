"""Work that an expression would do anew for each request is done at load: `60 * 60`, cidr('…')."""

from __future__ import annotations

from typing import Any

from fastgw.policy.assemble import Assembly
from fastgw.policy.declarations import LIVE
from fastgw.policy.emit import ONE, TWO, Emitter
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.program import EvaluationError, Program
from fastgw.policy.typed import Typed
from fastgw.policy.types import TYPE_NAMES, Type

FORMS = {"timestamp": "for example timestamp('2026-01-01T00:00:00Z')",
         "duration": "for example duration('1h30m'), of h, m, s, ms, us and ns"}
SIMPLE = ("null", "bool", "int", "uint", "double", "string", "type", "ip", "cidr")
PARSED = ("ip", "cidr")  # constants of the machine that are written as their text
TEXT_MAX = 4096  # bytes of a text that is made at load


def fold(node: Typed, strict: bool = True) -> Typed:
    """``node`` with what is constant worked out. Where a function can never work (a network that
    is none) a strict check refuses it; `1 / 0` stays an error value, which || may absorb."""
    node.parts = [fold(part, strict) for part in node.parts]
    if node.op in ("&&", "||", "ternary"):
        return _decided(node)
    if node.op == "call" and node.value in PARSED and len(node.parts) == 1:
        return _parsed(node, strict)
    if not _is_constant(node):
        return node
    try:
        return _constant(node, run(node)) or node
    except EvaluationError as error:
        if strict and node.op == "call":
            tree = node.tree
            hint = FORMS.get(str(node.value), "give it what it can work on")
            raise ExpressionError(f"{node.value}() never works here: {error}", tree.offset, hint,
                                  tree.end) from None
        return node


def run(node: Typed) -> dict[str, Any]:
    """The value of a tree that reads nothing. Raises EvaluationError."""
    code = Assembly(0)
    Emitter(code).write(node)
    return Program(code.block()).run([])


def _is_constant(node: Typed) -> bool:
    foldable = node.op in TWO or node.op in ONE or node.op in ("in", "has_member", "select") or (
        node.op == "call" and node.value not in LIVE)
    return foldable and all(_known(part) for part in node.parts)


def _known(node: Typed) -> bool:
    return node.op == "constant" or (
        node.op in ("list", "map", "dyn") and all(_known(part) for part in node.parts))


def _constant(node: Typed, result: dict[str, Any]) -> Typed | None:
    kind = result["type"]
    value: Any
    if kind in SIMPLE:
        value = float(result["value"]) if kind == "double" else result["value"]
        if kind == "type":
            value = TYPE_NAMES[value]
    elif kind in ("timestamp", "duration"):
        seconds, nanos = result["seconds"], result["nanos"]
        value = (seconds, nanos) if kind == "timestamp" else seconds * 10**9 + nanos
    else:
        return None
    if kind == "string" and len(value) > TEXT_MAX:
        return None
    return Typed("constant", Type(kind), node.tree, value)




def _parsed(node: Typed, strict: bool) -> Typed:
    """ip('…') and cidr('…') of a text."""
    text = node.parts[0]
    if text.op != "constant" or text.type.name != "string":
        return node
    try:
        return _constant(node, run(node)) or node
    except EvaluationError:
        if not strict:
            return node
        example = "10.0.0.0/8 or 2001:db8::/32" if node.value == "cidr" else "10.0.0.1 or ::1"
        raise ExpressionError(f"'{text.value}' is no {node.value}", text.tree.offset,
                              f"one is {example}", text.tree.end) from None


def _decided(node: Typed) -> Typed:
    """`&&`, `||` and `?:` where one side alone says what comes out."""
    if node.op == "ternary":
        condition = node.parts[0]
        if condition.op == "constant" and isinstance(condition.value, bool):
            return node.parts[1 if condition.value else 2]
        return node
    wins = node.op == "||"
    for part in node.parts:
        if part.op == "constant" and part.value is wins:
            return Typed("constant", Type("bool"), node.tree, wins)
    for part, other in (node.parts, node.parts[::-1]):
        if part.op == "constant" and part.value is not wins and other.type.name == "bool":
            if isinstance(part.value, bool):
                return other
    return node
