"""Operators with their types: what CEL's standard definitions say of `+`, `==`, `in` and so on."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import Tree
from fastgw.policy.typed import Typed, a
from fastgw.policy.types import (
    BOOL,
    DURATION,
    DYN,
    NUMBERS,
    ORDERED,
    TIMESTAMP,
    Type,
    fits,
    join,
)

if TYPE_CHECKING:
    from fastgw.policy.checker import Checker

_TIMES = {
    ("+", "timestamp", "duration"): TIMESTAMP, ("+", "duration", "timestamp"): TIMESTAMP,
    ("+", "duration", "duration"): DURATION, ("-", "duration", "duration"): DURATION,
    ("-", "timestamp", "timestamp"): DURATION, ("-", "timestamp", "duration"): TIMESTAMP,
}
LITERAL = ("int", "uint", "double", "bool", "string")


def unary(checker: Checker, tree: Tree) -> Typed:
    value = checker.infer(tree.parts[0])
    if tree.value == "!":
        if value.type.name not in ("bool", "dyn"):
            checker.refuse(tree, f"! works on bool, this is {a(value.type)}", _as_bool(value))
        return Typed("not", BOOL, tree, None, [value])
    if value.type.name not in ("int", "double", "dyn"):
        hint = "not is !" if value.type.name == "bool" else "a number: int(…) converts a string"
        checker.refuse(tree, f"- works on int and double, this is {a(value.type)}", hint)
    return Typed("negate", value.type, tree, None, [value])


def binary(checker: Checker, tree: Tree) -> Typed:
    operator = str(tree.value)
    if operator == "in":
        return _membership(checker, tree)
    _check_subtraction(checker, tree, operator)
    parts = [checker.infer(part) for part in tree.parts]
    if operator in ("&&", "||"):
        for part in parts:
            if part.type.name not in ("bool", "dyn"):
                checker.refuse(part.tree, f"{operator} works on bool, this is {a(part.type)}",
                               _as_bool(part))
        return Typed(operator, BOOL, tree, None, parts)
    if operator in ("+", "-", "*", "/", "%"):
        return Typed(operator, arithmetic(checker, tree, operator, parts), tree, None, parts)
    left, right = (part.type for part in parts)
    if not fits(left, right, {}):
        checker.refuse(tree, f"{left} {operator} {right}: the types differ", conversion(parts))
    elif operator not in ("==", "!="):
        for kind in (left, right):
            if kind.name not in (*ORDERED, "dyn"):
                checker.refuse(tree, f"{operator} does not work on {kind}",
                               "it compares numbers, strings and times")
    return Typed(operator, BOOL, tree, None, parts)


def _check_subtraction(checker: Checker, tree: Tree, operator: str) -> None:
    """`req.headers.x-a` is one that nobody meant."""
    left, right = tree.parts
    known = checker.members(left.parts[0]) if operator == "-" and left.kind == "select" else None
    if known and right.kind == "name":
        name = f"{left.value}-{right.value}"
        raise ExpressionError(f"'{name}' is a subtraction here", left.whole,
                              f"{known[0]}['{name}']", tree.end)


def arithmetic(checker: Checker, tree: Tree, operator: str, parts: list[Typed]) -> Type:
    """The type that the operator makes of two."""
    left, right = (part.type for part in parts)
    times = _TIMES.get((operator, left.name, right.name))
    if times:
        return times
    if "dyn" in (left.name, right.name):
        known = left if right.name == "dyn" else right
        return known if known.name in NUMBERS else DYN
    if operator == "+" and left.name == right.name and left.name in ("string", "bytes", "list"):
        return join(left, right)
    if left != right:
        checker.refuse(tree, f"{left} {operator} {right}: the types differ", conversion(parts))
        return DYN
    if left.name not in NUMBERS or (operator == "%" and left.name == "double"):
        hint = {"string": "texts are joined by +", "double": "math.floor(…), or whole numbers",
                "bool": "conditions are joined by && and ||"}.get(left.name, "it takes numbers")
        checker.refuse(tree, f"{operator} does not work on {left}", hint)
        return DYN
    return left


def conversion(parts: list[Typed], wanted: Type | None = None) -> str:
    """How to write one of two ``parts``, or the only one, so that it has the other's type."""
    if wanted is not None:
        return _as(parts[0], wanted)
    return (_as(parts[1], parts[0].type) or _as(parts[0], parts[1].type)
            or _of_kind(parts[0], parts[1]) or _of_kind(parts[1], parts[0])
            or "both sides must have one type")


def _of_kind(part: Typed, other: Typed) -> str:
    """What a value of this type is compared with."""
    name, given = part.type.name, other.type.name
    if name == "bool":
        return "a condition stands alone: `x`, or `!x`"
    if name in ("timestamp", "duration"):
        example = "'2026-01-01T00:00:00Z'" if name == "timestamp" else "'24h'"
        return f"{name}({example})"
    if name == "list":
        return "one of its values is [0]; whether it has one: 'x' in the list"
    if name == "type":
        return "a type has no quotes: string" if given == "string" else "type(…) of the other"
    return ""


def _as_bool(part: Typed) -> str:
    """What was probably meant where a condition is wanted."""
    kind = part.type.name
    return {"string": "compare it: … != ''", "int": "compare it: … > 0",
            "double": "compare it: … > 0.0", "list": "size(…) > 0", "map": "size(…) > 0",
            }.get(kind, "compare it with something")


def _as(part: Typed, kind: Type) -> str:
    name, own = kind.name, part.type.name
    if own == "null":
        return "a variable is never null; see has() and `in`"
    if own == "map" and part.op == "source":
        return "name one of its members: ['name']"
    if part.op == "constant" and own in LITERAL:
        text = str(part.value).lower() if own == "bool" else str(part.value)
        if name == "string" and own != "string":
            return f"in quotes: '{text}'"
        if name == "double" and own == "int":
            return f"{text}.0"
        if name == "uint" and own == "int":
            return f"{text}u"
        if own == "string" and (name == "bool" and text in ("true", "false")
                                or name == "int" and text.removeprefix("-").isdigit()):
            return f"without quotes: {text}"
        if name in ("timestamp", "duration") and own == "string":
            return f"{name}('{text}')"
        return ""
    if (name in NUMBERS and own in NUMBERS) or (
            name == "string" and own in (*NUMBERS, "timestamp", "duration", "bytes", "ip")):
        return f"{name}(…) converts it"
    return ""


def _membership(checker: Checker, tree: Tree) -> Typed:
    needle, heap = tree.parts
    known = checker.members(heap)
    if known and needle.kind == "string" and known[1].levels == 1:
        at, _ = checker.scope.member(known[0], str(needle.value), needle.offset)
        return Typed("has", BOOL, tree, at)
    parts = [checker.infer(needle), checker.infer(heap)]
    value, within = parts
    if within.op == "list" and not within.value:
        for item in within.parts:
            if not fits(item.type, value.type, {}):
                checker.refuse(item.tree, f"{a(item.type)} in a list for {a(value.type)}",
                               conversion([item], value.type)
                               or f"{a(value.type)} is compared with others of its type")
        if all(item.op == "constant" for item in within.parts):
            return Typed("in", BOOL, tree, [item.value for item in within.parts], parts)
    _fits_in(checker, value, within)
    return Typed("in_of", BOOL, tree, None, parts)


def _is_network(text: object) -> bool:
    try:
        return bool(ipaddress.ip_network(str(text), strict=False))
    except ValueError:
        return False


def _fits_in(checker: Checker, value: Typed, within: Typed) -> None:
    kind = within.type
    if kind.name in ("list", "map"):
        if not fits(value.type, kind.of[0], {}):
            checker.refuse(value.tree, f"{a(value.type)} is never in {a(kind)}",
                           conversion([value], kind.of[0]) or f"ask for {a(kind.of[0])}")
    elif kind.name == "cidr":
        if value.type.name not in ("ip", "string", "dyn"):
            checker.refuse(value.tree, f"{a(value.type)} is never in a cidr",
                           "an address is ip('…') or a string")
    elif kind.name != "dyn":
        names = checker.chain(within.tree)
        hint = "['a', 'b'], or a map: 'x-a' in req.headers"
        if value.tree is not None and within.op == "constant" and _is_network(within.value):
            hint = f"cidr('{within.value}')"
        if kind.name == "string" and names:
            hint = f"{'.'.join(name for name, _ in names)}.contains(…)"
        checker.refuse(within.tree, f"`in` takes a list, a map or a cidr, this is {a(kind)}", hint)
