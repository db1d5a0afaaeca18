"""Tokens to a syntax tree (cel-spec, "Syntax"): one method per precedence, from loose to tight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fastgw.policy.lexer import BEYOND, RESERVED, ExpressionError, Token, tokenize

DEPTH_MAX = 40
OPERATORS_MAX = 200  # a chain is as deep a tree as it is long
RELATIONS = ("==", "!=", "<", "<=", ">", ">=", "in")
INT_MAX = 2**63 - 1
UINT_MAX = 2**64 - 1
# Words of other languages where an operator is expected, and what closes what.
MEANT = {"and": "and is &&", "AND": "and is &&", "or": "or is ||", "OR": "or is ||",
         "is": "equality is ==", "eq": "equality is ==", "contains": "ai.model.contains('…')",
         "matches": "ai.model.matches('…')", "not": "not is !", "like": "ai.model.glob('…*')",
         ">": "unequal is !=, at least is >="}
CLOSED = {")": "close it with )", "]": "close it with ]", "}": "close it with }",
          ",": "close the list or the call: ] or )"}
LITERALS = ("int", "uint", "double", "string", "bytes")


@dataclass(slots=True)
class Tree:
    """``kind``: null, bool, int, uint, double, string, bytes (``value``: of the literal), list,
    map (``parts``: key, value, key, …), name, select, index, call, method, unary, binary,
    ternary.

    ``optional``: of select and index, `.?` or `[?]`; ``marks``: the entries of a list or map
    that have a `?`. ``whole`` is the offset of all of it (``offset`` of a method is its name's).
    """

    kind: str
    value: object  # of a literal; the name, field, function or operator of others
    offset: int
    end: int
    parts: list[Tree] = field(default_factory=list)
    optional: bool = False
    marks: frozenset[int] = frozenset()

    @property
    def whole(self) -> int:
        return self.parts[0].whole if self.kind == "method" else self.offset


def parse(text: str) -> Tree:
    """Raises ExpressionError."""
    return parse_tokens(tokenize(text))


def parse_tokens(tokens: list[Token]) -> Tree:
    """Raises ExpressionError. The last of ``tokens`` is the end."""
    parser = _Parser(tokens)
    tree = parser.ternary()
    parser.expect("end")
    return tree


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.operators = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def sees(self, *symbols: str) -> bool:
        token = self.token
        return token.value in symbols and (
            token.kind == "symbol" or (token.kind == "name" and token.value == "in"))

    def next(self) -> Token:
        token = self.token
        self.at += token.kind != "end"
        return token

    def takes(self, symbol: str) -> bool:
        """Whether the next token was ``symbol``, which then is behind us."""
        found = self.sees(symbol)
        self.at += found
        return found

    def expect(self, what: str) -> Token:
        token = self.token
        if token.kind == what or (token.kind == "symbol" and token.value == what):
            return self.next()
        found = "the end" if token.kind == "end" else f"{token.value!r}"
        wanted = "nothing more" if what == "end" else f"'{what}'"
        raise ExpressionError(f"expected {wanted}, found {found}", token.offset,
                              self.remedy(what), token.end)

    def remedy(self, wanted: str) -> str:
        """What was probably meant where ``wanted`` was expected and another token found."""
        token = self.token
        before = self.tokens[self.at - 1] if self.at else None
        if before is not None and before.kind == "name" and before.value == "not":
            return "not is !"
        if token.kind in ("name", "symbol") and token.value in MEANT:
            return MEANT[str(token.value)]
        if token.kind == "end" or wanted == ")":
            return "" if wanted == "end" else CLOSED.get(wanted, "it stops too early: complete it")
        if wanted == "end" and token.value in (")", "]", "}"):
            return "nothing was opened that it closes: remove it"
        return "an operator is missing before it, or a quote" if wanted == "end" else (
            "look at quotes, brackets and operators here")

    def nested(self) -> Tree:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise ExpressionError(f"nested deeper than {DEPTH_MAX} levels", self.token.offset,
                                  "write several expressions: all of them must hold")
        tree = self.ternary()
        self.depth -= 1
        return tree

    def ternary(self) -> Tree:
        condition = self.either()
        if not self.takes("?"):
            return condition
        then = self.either()
        self.expect(":")
        other = self.nested()
        return Tree("ternary", "?:", condition.whole, other.end, [condition, then, other])

    def count(self) -> None:
        self.operators += 1
        if self.operators > OPERATORS_MAX:
            raise ExpressionError(f"more than {OPERATORS_MAX} operators", self.token.offset,
                                  "write several expressions: all of them must hold")

    def chain(self, operators: tuple[str, ...], tighter: Callable[[], Tree]) -> Tree:
        left = tighter()
        while self.sees(*operators):
            self.count()
            operator = self.next().value
            right = tighter()
            left = Tree("binary", operator, left.whole, right.end, [left, right])
        return left

    def either(self) -> Tree:
        return self.chain(("||",), self.both)

    def both(self) -> Tree:
        return self.chain(("&&",), self.relation)

    def relation(self) -> Tree:
        return self.chain(RELATIONS, self.sum)

    def sum(self) -> Tree:
        return self.chain(("+", "-"), self.product)

    def product(self) -> Tree:
        return self.chain(("*", "/", "%"), self.unary)

    def unary(self) -> Tree:
        if not self.sees("!", "-"):
            return self.member()
        token = self.next()
        operator, times = token.value, 1
        while self.takes(str(operator)):
            times += 1
        number = self.token
        if operator == "-" and number.kind in ("int", "double"):
            # -9223372036854775808 is a literal: its positive half does not exist.
            self.tokens[self.at] = Token(number.kind, -number.value, token.offset,  # type: ignore
                                         number.end)
            times -= 1
        tree = self.member()
        if times > DEPTH_MAX:
            raise ExpressionError(f"more than {DEPTH_MAX} of {operator}", token.offset,
                                  "two of them are none: leave them out")
        for _ in range(times):
            self.count()
            tree = Tree("unary", operator, token.offset, tree.end, [tree])
        return tree

    def member(self) -> Tree:
        tree = self.primary()
        while self.sees(".", "["):
            self.count()
            if self.next().value == ".":
                tree = self.selector(tree)
                continue
            optional = self.takes("?")
            index = self.nested()
            end = self.expect("]").end
            tree = Tree("index", "[]", tree.whole, end, [tree, index], optional)
        return tree

    def selector(self, target: Tree) -> Tree:
        optional = self.takes("?")
        token = self.next()
        if token.kind not in ("name", "quoted"):
            raise ExpressionError("expected a name after '.'", token.offset,
                                  "write the name, or remove the dot", token.end)
        if token.kind == "name" and token.value in ("in", "true", "false", "null"):
            raise ExpressionError(f"'{token.value}' is a reserved word", token.offset,
                                  f"write ['{token.value}']", token.end)
        if self.sees("(") and token.kind == "name" and not optional:
            arguments, end = self.arguments()
            return Tree("method", token.value, token.offset, end, [target, *arguments])
        return Tree("select", token.value, target.whole, token.end, [target], optional)

    def arguments(self) -> tuple[list[Tree], int]:
        self.expect("(")
        arguments: list[Tree] = []
        while not self.sees(")"):
            arguments.append(self.nested())
            if not self.sees(")"):
                self.expect(",")
                if self.sees(")"):
                    self.expect("an argument")
        return arguments, self.expect(")").end

    def primary(self) -> Tree:
        token = self.next()
        if token.kind in LITERALS:
            return self.literal(token)
        if token.kind == "symbol" and token.value == "(":
            tree = self.nested()
            self.expect(")")
            return tree
        if token.kind == "symbol" and token.value == "[":
            return self.list(token)
        if token.kind == "symbol" and token.value == "{":
            return self.map(token)
        rooted = token.kind == "symbol" and token.value == "."
        if rooted:  # .name: declared, not a variable of a macro
            token = self.next()
        if token.kind != "name" or token.value == "in":
            found = token.value if token.kind == "end" else repr(token.value)
            self.at -= token.kind != "end"
            hint = self.remedy("a value")
            raise ExpressionError(f"expected a value, found {found}", token.offset, hint,
                                  token.end)
        return self.name(token, rooted)

    def name(self, token: Token, rooted: bool) -> Tree:
        if token.value in ("true", "false") and not rooted:
            return Tree("bool", token.value == "true", token.offset, token.end)
        if token.value == "null" and not rooted:
            return Tree("null", None, token.offset, token.end)
        if token.value in RESERVED:
            raise ExpressionError(f"'{token.value}' is a reserved word", token.offset,
                                  "a choice is `condition ? this : that`; loops are exists, all, "
                                  "filter, map; other names are free", token.end)
        if self.sees("("):
            arguments, end = self.arguments()
            return Tree("call", token.value, token.offset, end, arguments)
        if self.sees("{"):
            raise ExpressionError("messages are not part of this language", token.offset,
                                  "a map is {'name': value}", token.end)
        return Tree("name", f".{token.value}" if rooted else token.value, token.offset, token.end)

    def literal(self, token: Token) -> Tree:
        number = token.value
        if (token.kind == "int" and not -INT_MAX - 1 <= number <= INT_MAX  # type: ignore
                or token.kind == "uint" and number > UINT_MAX):  # type: ignore
            raise ExpressionError("a number beyond 64 bits", token.offset, BEYOND, token.end)
        return Tree(token.kind, number, token.offset, token.end)

    def list(self, token: Token) -> Tree:
        items: list[Tree] = []
        marks = set()
        while not self.sees("]"):
            if self.takes("?"):
                marks.add(len(items))
            items.append(self.nested())
            if not self.sees("]"):
                self.expect(",")
        return Tree("list", "[]", token.offset, self.expect("]").end, items,
                    marks=frozenset(marks))

    def map(self, token: Token) -> Tree:
        items: list[Tree] = []
        marks = set()
        while not self.sees("}"):
            if self.takes("?"):
                marks.add(len(items) // 2)
            items.append(self.nested())
            self.expect(":")
            items.append(self.nested())
            if not self.sees("}"):
                self.expect(",")
        return Tree("map", "{}", token.offset, self.expect("}").end, items,
                    marks=frozenset(marks))
