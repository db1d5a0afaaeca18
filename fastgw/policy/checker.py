"""The syntax tree with its types: names become facts, and what cannot work is refused at load.

Types: bool, int, double, string, null. What CEL knows beyond our subset is refused as "not
supported yet", never understood in another way.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import Tree
from fastgw.policy.scope import Scope

TEXT_METHODS = ("startsWith", "endsWith", "contains")
OURS = (*TEXT_METHODS, "size", "has", "getReqHeader", "hasReqHeader")
LATER = frozenset(
    "matches cidr int uint double string bool bytes timestamp duration type dyn lowerAscii "
    "upperAscii trim split join replace substring indexOf lastIndexOf charAt format reverse "
    "exists exists_one all map filter inCidrRange isIp getDate getDayOfMonth getDayOfWeek "
    "getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds "
    "getQueryParam hasQueryParam getCookie hasCookie getReqCookie hasReqCookie base64 rand "
    "inIpIntelCategory versionIsAtLeast".split())
ORDERED = ("bool", "int", "double", "string")


@dataclass(slots=True)
class Typed:
    """``op``: constant, fact, fact_or, has, in, not, negate, size, ternary, or an operator.

    ``value``: of a constant; the position of a fact; (position, text) of fact_or; the constants
    of `in`.
    """

    op: str
    type: str
    tree: Tree
    value: object = None
    parts: list[Typed] = field(default_factory=list)


def check(tree: Tree, scope: Scope) -> Typed:
    """Raises ExpressionError."""
    return _Checker(scope).infer(tree)


def _type_of(value: object) -> str:
    kinds = {bool: "bool", int: "int", float: "double", str: "string"}
    return kinds.get(type(value), "null")


def _error(tree: Tree, message: str, suggestion: str = "") -> ExpressionError:
    return ExpressionError(message, tree.offset, suggestion, tree.end)


class _Checker:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def infer(self, tree: Tree) -> Typed:
        return getattr(self, f"infer_{tree.kind}")(tree)

    def infer_literal(self, tree: Tree) -> Typed:
        return Typed("constant", _type_of(tree.value), tree, tree.value)

    def infer_list(self, tree: Tree) -> Typed:
        raise _error(tree, "a list anywhere but behind `in` is not supported yet")

    # Names.

    def path(self, tree: Tree) -> str | None:
        """`a.b.c` of a chain of names, None for anything else."""
        if tree.kind == "name":
            return str(tree.value)
        if tree.kind == "select":
            parent = self.path(tree.parts[0])
            return parent and f"{parent}.{tree.value}"
        return None

    def fact(self, tree: Tree) -> int | None:
        """The position of the fact that ``tree`` names; None if it names a whole map."""
        path = self.path(tree)
        if path is None:
            raise _error(tree, "only variables have members here",
                         "what stands before the '.' is a value")
        if path in self.scope.variables:
            return self.scope.variables[path][0]
        if path in self.scope.maps:
            return None
        parent, _, name = path.rpartition(".")
        if parent in self.scope.maps:
            return self.scope.place(self.scope.maps[parent], name, tree.offset)
        if parent in self.scope.variables:
            kind = self.scope.variables[parent][1]
            raise _error(tree, f"'{parent}' is a {kind} and has no member '{name}'")
        raise self.scope.unknown(path, tree.offset, tree.end)

    def infer_name(self, tree: Tree) -> Typed:
        position = self.fact(tree)
        path = str(self.path(tree))
        if position is None:
            raise _error(tree, f"'{path}' is a map", f"{path}['name'], or 'name' in {path}")
        kind = self.scope.variables[path][1] if path in self.scope.variables else "string"
        return Typed("fact", kind, tree, position)

    infer_select = infer_name

    def infer_index(self, tree: Tree) -> Typed:
        return Typed("fact", "string", tree, self.member(tree, tree.parts[0], tree.parts[1]))

    def member(self, tree: Tree, target: Tree, name: Tree) -> int:
        """The position of a map's member."""
        path = self.path(target)
        if path not in self.scope.maps:
            if path is not None and path not in self.scope.variables:
                raise self.scope.unknown(path, target.offset, target.end)
            raise _error(tree, "only maps have members in [ ]", "a map is " + " or ".join(
                self.scope.maps))
        if name.kind != "literal" or not isinstance(name.value, str):
            raise _error(name, "a name that is no literal is not supported yet", f"{path}['name']")
        return self.scope.place(self.scope.maps[path], name.value, name.offset)

    # Functions.

    def unknown_function(self, tree: Tree) -> ExpressionError:
        if tree.value in LATER:
            return _error(tree, f"{tree.value}() is not supported yet")
        near = difflib.get_close_matches(str(tree.value), OURS, 1, 0.6)
        return _error(tree, f"unknown function '{tree.value}'",
                      f"did you mean '{near[0]}'?" if near else "there are " + ", ".join(OURS))

    def arity(self, tree: Tree, count: int, given: int) -> None:
        if given != count:
            raise _error(tree, f"{tree.value}() takes {count} argument{'s' * (count != 1)}, "
                         f"got {given}")

    def infer_call(self, tree: Tree) -> Typed:
        if tree.value in TEXT_METHODS:
            raise _error(tree, f"{tree.value} is a method", f"ai.model.{tree.value}('gpt-')")
        if tree.value in LATER or tree.value not in OURS:
            raise self.unknown_function(tree)
        self.arity(tree, 1, len(tree.parts))
        argument = tree.parts[0]
        if tree.value == "size":
            return self.size(tree, argument)
        if tree.value == "has":
            return self.has(tree, argument)
        if "req.headers" not in self.scope.maps:
            raise self.unknown_function(tree)
        if argument.kind != "literal" or not isinstance(argument.value, str):
            raise _error(argument, "a header's name must be a literal here",
                         f"{tree.value}('x-feature')")
        position = self.scope.place("header", argument.value, argument.offset)
        if tree.value == "hasReqHeader":
            return Typed("has", "bool", tree, position)
        return Typed("fact_or", "string", tree, (position, ""))

    def has(self, tree: Tree, argument: Tree) -> Typed:
        if argument.kind != "select":
            raise _error(argument, "has() takes a member written with a dot",
                         "has(key.tags.tier), or 'x-a' in req.headers")
        position = self.fact(argument)
        if position is None:
            return Typed("constant", "bool", tree, True)
        return Typed("has", "bool", tree, position)

    def size(self, tree: Tree, argument: Tree) -> Typed:
        value = self.infer(argument)
        if value.type != "string":
            raise _error(argument, f"size() of a {value.type}", "it takes a string")
        return Typed("size", "int", tree, None, [value])

    def infer_method(self, tree: Tree) -> Typed:
        if tree.value not in OURS:
            raise self.unknown_function(tree)
        target, *arguments = tree.parts
        if tree.value == "size":
            self.arity(tree, 0, len(arguments))
            return self.size(tree, target)
        if tree.value not in TEXT_METHODS:
            raise _error(tree, f"{tree.value}() is no method", f"write {tree.value}(…)")
        self.arity(tree, 1, len(arguments))
        parts = [self.infer(target), self.infer(arguments[0])]
        for part in parts:
            if part.type != "string":
                raise _error(part.tree, f"{tree.value}() works on strings, this is a {part.type}")
        return Typed(str(tree.value), "bool", tree, None, parts)

    # Operators.

    def infer_unary(self, tree: Tree) -> Typed:
        value = self.infer(tree.parts[0])
        if tree.value == "!":
            if value.type != "bool":
                raise _error(tree, f"! works on bool, this is a {value.type}")
            return Typed("not", "bool", tree, None, [value])
        if value.type not in ("int", "double"):
            raise _error(tree, f"- works on numbers, this is a {value.type}")
        return Typed("negate", value.type, tree, None, [value])

    def infer_ternary(self, tree: Tree) -> Typed:
        parts = [self.infer(part) for part in tree.parts]
        if parts[0].type != "bool":
            raise _error(tree.parts[0], f"the condition is a {parts[0].type}, not a bool")
        if parts[1].type != parts[2].type:
            raise _error(tree, f"the two sides of ?: differ: {parts[1].type}, {parts[2].type}")
        return Typed("ternary", parts[1].type, tree, None, parts)

    def infer_binary(self, tree: Tree) -> Typed:
        operator = str(tree.value)
        if operator == "in":
            return self.membership(tree)
        parts = [self.infer(part) for part in tree.parts]
        left, right = (part.type for part in parts)
        if operator in ("&&", "||"):
            for part in parts:
                if part.type != "bool":
                    raise _error(part.tree, f"{operator} works on bool, this is a {part.type}")
        elif left != right:
            raise _error(tree, f"{left} {operator} {right}: the types differ",
                         self.conversion(parts))
        elif operator in ("<", "<=", ">", ">=") and left not in ORDERED:
            raise _error(tree, f"{operator} does not work on {left}")
        elif operator in ("+", "-", "*", "/", "%"):
            if left == "string" and operator == "+":
                raise _error(tree, "joining strings with + is not supported yet")
            if left not in ("int", "double") or (operator == "%" and left == "double"):
                raise _error(tree, f"{operator} does not work on {left}")
            return Typed(operator, left, tree, None, parts)
        return Typed(operator, "bool", tree, None, parts)

    def conversion(self, parts: list[Typed]) -> str:
        """How to write a literal so that it has the other side's type."""
        for part, other in (parts, parts[::-1]):
            if other.op == "constant":
                if part.type == "string" and other.type in ("int", "double", "bool"):
                    return f"in quotes: '{str(other.value).lower()}'"
                if part.type == "double" and other.type == "int":
                    return f"{other.value}.0"
                if part.type in ("int", "bool") and other.type == "string":
                    return f"without quotes: {other.value}"
                if other.type == "null":
                    return "a variable is never null; see has() and `in`"
        return ""

    def membership(self, tree: Tree) -> Typed:
        needle, heap = tree.parts
        path = self.path(heap)
        if path in self.scope.maps:
            return Typed("has", "bool", tree, self.member(tree, heap, needle))
        if heap.kind != "list":
            if path is not None and path not in self.scope.variables:
                self.fact(heap)  # an unknown name says so itself
            if heap.kind == "call":
                self.infer(heap)  # and so does cidr(), which is not supported yet
            hint = f"{path}.contains(…)" if path else "['a', 'b'], or a map: 'x-a' in req.headers"
            raise _error(heap, "`in` takes a list of literals or a map", hint)
        value = self.infer(needle)
        items = [self.infer(item) for item in heap.parts]
        for item in items:
            if item.op != "constant":
                raise _error(item.tree, "a list of anything but literals is not supported yet")
            if item.type != value.type:
                raise _error(item.tree, f"a {item.type} in a list for a {value.type}",
                             self.conversion([value, item]))
        return Typed("in", "bool", tree, [item.value for item in items], [value])
