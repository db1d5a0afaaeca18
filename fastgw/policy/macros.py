"""What looks like a call but binds names or asks whether something is there (cel-spec, "Macros").

Beyond the standard: two-variable forms and transforms (comprehensions v2), cel.bind, cel.block,
optMap, optFlatMap. They become trees of more kinds:

    fold  ``value``: a Fold; ``parts``: range, then what Fold.kind says
    bind  ``value``: the name; ``parts``: what it stands for, where it does
    test  ``value``: the field of has(); ``parts``: what may have it
"""

from __future__ import annotations

from dataclasses import dataclass

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import Tree

USAGE = {
    "all": "list.all(x, condition)", "exists": "list.exists(x, condition)",
    "exists_one": "list.exists_one(x, condition)", "existsOne": "list.existsOne(x, condition)",
    "filter": "list.filter(x, condition)", "map": "list.map(x, value)",
    "transformList": "map.transformList(k, v, value)",
    "transformMap": "map.transformMap(k, v, value)",
    "transformMapEntry": "map.transformMapEntry(k, v, {key: value})",
    "optMap": "optional.optMap(x, value)", "optFlatMap": "optional.optFlatMap(x, optional)",
}
_QUANTIFIERS = ("all", "exists", "exists_one", "existsOne")
_TRANSFORMS = ("transformList", "transformMap", "transformMapEntry")


@dataclass(frozen=True, slots=True)
class Fold:
    """``kind``: all, exists, one, filter (``parts``: condition), map, entry, merge (``parts``:
    condition if ``conditional``, then the value, or the map that is merged). ``names``: of the
    element or key; or of index and element, key and value."""

    kind: str
    names: tuple[str, ...]
    conditional: bool = False


def expand(tree: Tree) -> Tree | None:
    """``tree``, a call or a method, as what it means; None if it is no macro."""
    if tree.kind == "call":
        return _has(tree) if tree.value == "has" else None
    target = tree.parts[0]
    if target.kind == "name" and target.value == "cel":
        return _cel(tree)
    if tree.value in ("optMap", "optFlatMap"):
        return _optional(tree)
    if tree.value in USAGE:
        return _fold(tree)
    return None


def _error(tree: Tree, message: str, suggestion: str = "") -> ExpressionError:
    return ExpressionError(message, tree.offset, suggestion, tree.end)


def _like(tree: Tree, kind: str, value: object, parts: list[Tree]) -> Tree:
    return Tree(kind, value, tree.offset, tree.end, parts)


def _has(tree: Tree) -> Tree:
    if len(tree.parts) != 1:
        raise _error(tree, f"has() takes 1 argument, got {len(tree.parts)}", "has(key.tags.tier)")
    member = tree.parts[0]
    if member.kind != "select" or member.optional:
        raise _error(member, "has() takes a member written with a dot",
                     "has(key.tags.tier), or 'x-a' in req.headers")
    return _like(tree, "test", member.value, [member])


def _variable(tree: Tree, macro: str) -> str:
    """The name that a macro binds."""
    if tree.kind == "name" and not str(tree.value).startswith("."):
        return str(tree.value)
    if tree.kind == "method":
        bound = expand(tree)
        if bound is not None and bound.kind == "name":
            return str(bound.value)
    raise _error(tree, f"{macro}() needs the name of a variable here", USAGE.get(macro, ""))


def _fold(tree: Tree) -> Tree:
    name = str(tree.value)
    target, *arguments = tree.parts
    kind = {"existsOne": "one", "exists_one": "one", "transformList": "map",
            "transformMap": "entry", "transformMapEntry": "merge"}.get(name, name)
    n_names = 2 if name in _TRANSFORMS else len(arguments) - 1 if name in _QUANTIFIERS else 1
    rest = arguments[n_names:]
    most = 2 if name == "map" or name in _TRANSFORMS else 1
    if n_names not in (1, 2) or not 1 <= len(rest) <= most:
        raise _error(tree, f"{name}() does not take {len(arguments)} argument"
                     f"{'s' * (len(arguments) != 1)}", f"write {USAGE[name]}")
    names = tuple(_variable(argument, name) for argument in arguments[:n_names])
    if len(set(names)) != len(names):
        raise _error(arguments[1], f"{name}() has two variables of one name")
    return _like(tree, "fold", Fold(kind, names, len(rest) == 2), [target, *rest])


def _optional(tree: Tree) -> Tree:
    name = str(tree.value)
    if len(tree.parts) != 3:
        raise _error(tree, f"{name}() takes 2 arguments, got {len(tree.parts) - 1}",
                     f"write {USAGE[name]}")
    target, variable, value = tree.parts
    return _like(tree, name, _variable(variable, name), [target, value])


def _number(tree: Tree, argument: Tree) -> int:
    if argument.kind != "int" or argument.value < 0:  # type: ignore[operator]
        raise _error(argument, f"cel.{tree.value}() takes numbers from 0")
    return int(argument.value)  # type: ignore[call-overload]


def _cel(tree: Tree) -> Tree:
    name, arguments = str(tree.value), tree.parts[1:]
    counts = {"bind": 3, "block": 2, "index": 1, "iterVar": 2}
    if name not in counts:
        raise _error(tree, f"unknown function 'cel.{name}'", "there are cel.bind, cel.block")
    if len(arguments) != counts[name]:
        raise _error(tree, f"cel.{name}() takes {counts[name]} arguments, got {len(arguments)}",
                     "cel.bind(x, value, expression)" if name == "bind" else "")
    if name == "bind":
        return _like(tree, "bind", _variable(arguments[0], "cel.bind"), arguments[1:])
    if name == "block":
        return _block(tree, arguments[0], arguments[1])
    numbers = [str(_number(tree, argument)) for argument in arguments]
    return _like(tree, "name", f"@{name}:{':'.join(numbers)}", [])


def _block(tree: Tree, values: Tree, body: Tree) -> Tree:
    """cel.block([a, b], e): cel.index(0) stands for a from there on, cel.index(1) for b."""
    if values.kind != "list" or values.marks:
        raise _error(values, "cel.block() takes a list of values first")
    for i in reversed(range(len(values.parts))):
        body = _like(tree, "bind", f"@index:{i}", [values.parts[i], body])
    return body
