"""Functions and methods: which overload is meant, and what to say where none is."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from fastgw.policy.declarations import REQUEST_ONLY, Function, Overload, functions
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.macros import USAGE
from fastgw.policy.operators import conversion
from fastgw.policy.parser import Tree
from fastgw.policy.typed import Typed, a
from fastgw.policy.types import BOOL, DYN, STRING, Bound, Type, fits, join, settle

if TYPE_CHECKING:
    from fastgw.policy.checker import Checker

MACROS = (*USAGE, "has")
# What policies of other gateways call, and how it is said here.
ELSEWHERE = {
    "inCidrRange": "conn.client_ip in cidr('10.0.0.0/8')", "isIp": "isIP(text)",
    "rand": "random()", "hasQueryParam": "'name' in req.query",
    "getQueryParam": "req.query['name']", "toLower": "lowerAscii()", "toUpper": "upperAscii()",
    "len": "size(x)", "length": "size(x)", "now": "time.now", "regex": "text.matches('…')",
    "match": "text.matches('…')", "in": "x in [a, b]",
}
NAMESPACES = frozenset(name.rpartition(".")[0] for name in functions() if "." in name)


def call(checker: Checker, tree: Tree) -> Typed:
    """`name(…)`."""
    return _apply(checker, tree, str(tree.value), list(tree.parts), method=False)


def method(checker: Checker, tree: Tree) -> Typed:
    """`x.name(…)`, or `namespace.name(…)`."""
    names = checker.chain(tree.parts[0])
    if names is not None and checker.local(names[0][0]) is None:
        space = ".".join(word for word, _ in names).removeprefix(".")
        path = f"{space}.{tree.value}"
        if path in functions():
            return _apply(checker, tree, path, tree.parts[1:], method=False)
        if space in NAMESPACES and checker.scope.fact(space, tree.offset) is None:
            return checker.fail(tree, _unknown(checker, tree, path, method=False))
    return _apply(checker, tree, str(tree.value), list(tree.parts), method=True)


def _apply(checker: Checker, tree: Tree, name: str, arguments: list[Tree], method: bool) -> Typed:
    if name == "has":
        raise ExpressionError("has() is a macro, no method", tree.offset,
                              "write has(key.tags.tier)", tree.end)
    function = functions().get(name)
    if function is None or (name in REQUEST_ONLY and "req.headers" not in checker.scope.maps):
        return checker.fail(tree, _unknown(checker, tree, name, method))
    right_style = [one for one in function.overloads if one.method == method]
    if not right_style:
        return checker.fail(tree, _other_style(tree, function, method))
    if name == "hasReqHeader" and len(arguments) == 1:
        return _has_header(checker, tree, arguments[0])
    parts = [checker.infer(argument) for argument in arguments]
    right_count = [one for one in right_style if _takes(one, len(parts))]
    if not right_count:
        return checker.fail(tree, _count(tree, name, right_style, len(parts)))
    kind = _resolve(checker, tree, name, right_count, parts)
    if name == "dyn":
        return Typed("dyn", DYN, tree, None, parts)
    if name in ("or", "orValue"):
        return Typed(name, kind, tree, None, parts)
    return Typed("call", kind, tree, name, parts)


def _takes(overload: Overload, count: int) -> bool:
    return count == len(overload.takes) or (overload.variadic and count > len(overload.takes))


def _wanted(overload: Overload, i: int) -> Type:
    return overload.takes[min(i, len(overload.takes) - 1)]


def _resolve(checker: Checker, tree: Tree, name: str, overloads: list[Overload],
             parts: list[Typed]) -> Type:
    """The type that the call has: of all overloads that fit, as `dyn` may fit several."""
    results: list[Type] = []
    worst: tuple[int, list[Type]] = (-1, [])  # the argument that most overloads get stuck at
    for overload in overloads:
        bound: Bound = {}
        for i, part in enumerate(parts):
            if not fits(part.type, _wanted(overload, i), bound):
                if i >= worst[0]:
                    known = worst[1] if i == worst[0] else []
                    worst = i, [*known, _wanted(overload, i)]
                break
        else:
            results.append(settle(overload.gives, bound))
    if not results:
        part, wanted = parts[worst[0]], list(dict.fromkeys(worst[1]))
        shown = _either([kind.name if "T" in str(kind) or "K" in str(kind) else str(kind)
                         for kind in wanted])
        what = "works on" if overloads[0].method and worst[0] == 0 else "takes"
        place = "" if what == "works on" else " here"
        checker.refuse(part.tree, f"{name}() {what} {shown}{place}, this is {a(part.type)}",
                       conversion([part], wanted[0]) or overloads[0].shown(name))
        return DYN
    if name in ("math.least", "math.greatest"):
        return _extreme(parts)
    kind = results[0]
    for other in results[1:]:
        kind = join(kind, other)
    return kind


def _extreme(parts: list[Typed]) -> Type:
    kinds = [part.type for part in parts]
    if len(kinds) == 1 and kinds[0].name == "list":
        return kinds[0].of[0]
    kind = kinds[0]
    for other in kinds[1:]:
        kind = join(kind, other)
    return kind


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _has_header(checker: Checker, tree: Tree, name: Tree) -> Typed:
    """hasReqHeader('x') is 'x' in req.headers."""
    members = checker.scope.maps["req.headers"]
    if name.kind == "string":
        at, _ = checker.scope.member("req.headers", str(name.value), name.offset)
        return Typed("has", BOOL, tree, at)
    needle = checker.infer(name)
    if needle.type.name not in ("string", "dyn"):
        checker.refuse(name, f"hasReqHeader() takes string here, this is {a(needle.type)}",
                       "a header's name in quotes: hasReqHeader('x-a')")
    whole = Typed("source", Type("map", (STRING, members.type)), tree, members.source)
    lower = Typed("call", STRING, tree, "lowerAscii", [needle])
    return Typed("in_of", BOOL, tree, None, [lower, whole])


# Errors.


def _unknown(checker: Checker, tree: Tree, name: str, method: bool) -> ExpressionError:
    known = [one.name for one in functions().values()
             if one.name not in REQUEST_ONLY or "req.headers" in checker.scope.maps]
    names = sorted({*known, *MACROS})
    if name in ELSEWHERE:
        hint = f"here that is {ELSEWHERE[name]}"
    else:
        near = difflib.get_close_matches(name, names, 1, 0.6)
        hint = f"did you mean '{near[0]}'?" if near else ""
    if not hint:
        usual = ("startsWith, endsWith, contains, matches, size" if method
                 else "size, has, int, string, cidr")
        hint = f"there are {usual}, …"
    return ExpressionError(f"unknown function '{name}'", tree.offset, hint, tree.end)


def _other_style(tree: Tree, function: Function, method: bool) -> ExpressionError:
    shown = function.overloads[0].shown(function.name)
    if method:
        return ExpressionError(f"{function.name}() is no method", tree.offset, f"write {shown}",
                               tree.end)
    example = "ai.model.startsWith('gpt-')" if function.name == "startsWith" else shown
    return ExpressionError(f"{function.name} is a method", tree.offset, f"write {example}",
                           tree.end)


def _count(tree: Tree, name: str, overloads: list[Overload], given: int) -> ExpressionError:
    own = int(overloads[0].method)
    counts = sorted({len(one.takes) - own for one in overloads})
    text = _either([str(count) for count in counts])
    shown = " or ".join(dict.fromkeys(one.shown(name) for one in overloads))
    plural = "" if counts == [1] else "s"
    return ExpressionError(f"{name}() takes {text} argument{plural}, got {given - own}",
                           tree.offset, shown if len(shown) < 90 else "", tree.end)
