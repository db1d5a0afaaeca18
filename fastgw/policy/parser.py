"""Tokens to a syntax tree (cel-spec, "Syntax"): one method per precedence, from loose to tight."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastgw.policy.lexer import RESERVED, ExpressionError, Token, tokenize

DEPTH_MAX = 40
OPERATORS_MAX = 200  # a chain is as deep a tree as it is long
RELATIONS = ("==", "!=", "<", "<=", ">", ">=", "in")
INT_MAX = 2**63 - 1


@dataclass(slots=True)
class Tree:
    """``kind``: literal, list, name, select, index, call, method, unary, binary, ternary."""

    kind: str
    value: object  # of a literal; the name, field, function or operator of others
    offset: int
    end: int
    parts: list[Tree] = field(default_factory=list)


def parse(text: str) -> Tree:
    """Raises ExpressionError."""
    parser = _Parser(tokenize(text))
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

    def expect(self, what: str) -> Token:
        token = self.token
        if token.kind == what or (token.kind == "symbol" and token.value == what):
            return self.next()
        found = "the end" if token.kind == "end" else f"{token.value!r}"
        wanted = "nothing more" if what == "end" else f"'{what}'"
        raise ExpressionError(f"expected {wanted}, found {found}", token.offset, "", token.end)

    def nested(self) -> Tree:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise ExpressionError(f"nested deeper than {DEPTH_MAX} levels", self.token.offset)
        tree = self.ternary()
        self.depth -= 1
        return tree

    def ternary(self) -> Tree:
        condition = self.either()
        if not self.sees("?"):
            return condition
        self.next()
        then = self.either()
        self.expect(":")
        other = self.nested()
        return Tree("ternary", "?:", condition.offset, other.end, [condition, then, other])

    def count(self) -> None:
        self.operators += 1
        if self.operators > OPERATORS_MAX:
            raise ExpressionError(f"more than {OPERATORS_MAX} operators", self.token.offset,
                                  "write several expressions: all of them must hold")

    def chain(self, operators: tuple[str, ...], tighter) -> Tree:
        left = tighter()
        while self.sees(*operators):
            self.count()
            operator = self.next().value
            right = tighter()
            left = Tree("binary", operator, left.offset, right.end, [left, right])
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
        while self.sees(str(operator)):
            self.next()
            times += 1
        number = self.token
        if operator == "-" and number.kind in ("int", "double"):
            # -9223372036854775808 is a literal: its positive half does not exist.
            self.tokens[self.at] = Token(number.kind, -number.value, token.offset,  # type: ignore
                                         number.end)
            times -= 1
        tree = self.member()
        if times > DEPTH_MAX:
            raise ExpressionError(f"more than {DEPTH_MAX} of {operator}", token.offset)
        for _ in range(times):
            tree = Tree("unary", operator, token.offset, tree.end, [tree])
        return tree

    def member(self) -> Tree:
        tree = self.primary()
        while self.sees(".", "["):
            self.count()
            if self.next().value == "[":
                index = self.nested()
                end = self.expect("]").end
                tree = Tree("index", "[]", tree.offset, end, [tree, index])
            else:
                tree = self.selector(tree)
        return tree

    def selector(self, target: Tree) -> Tree:
        token = self.next()
        if token.kind not in ("name", "quoted"):
            hint = "optional values are not supported yet" if token.value == "?" else ""
            raise ExpressionError("expected a name after '.'", token.offset, hint, token.end)
        if self.sees("(") and token.kind == "name":
            arguments, end = self.arguments()
            return Tree("method", token.value, token.offset, end, [target, *arguments])
        return Tree("select", token.value, target.offset, token.end, [target])

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
        if token.kind in ("int", "double", "string"):
            return self.literal(token)
        if token.value == "(" and token.kind == "symbol":
            tree = self.nested()
            self.expect(")")
            return tree
        if token.value == "[" and token.kind == "symbol":
            return self.list(token)
        if token.value == "{" and token.kind == "symbol":
            raise ExpressionError("maps are not supported yet", token.offset)
        if token.value == "." and token.kind == "symbol":  # .name: from the root, as all ours are
            token = self.next()
        if token.kind != "name" or token.value == "in":
            found = token.value if token.kind == "end" else repr(token.value)
            raise ExpressionError(f"expected a value, found {found}", token.offset, "", token.end)
        return self.name(token)

    def name(self, token: Token) -> Tree:
        if token.value in ("true", "false", "null"):
            value = {"true": True, "false": False, "null": None}[str(token.value)]
            return Tree("literal", value, token.offset, token.end)
        if token.value in RESERVED:
            raise ExpressionError(f"'{token.value}' is a reserved word", token.offset, "",
                                  token.end)
        if self.sees("("):
            arguments, end = self.arguments()
            return Tree("call", token.value, token.offset, end, arguments)
        return Tree("name", token.value, token.offset, token.end)

    def literal(self, token: Token) -> Tree:
        if token.kind == "int" and not -INT_MAX - 1 <= token.value <= INT_MAX:  # type: ignore
            raise ExpressionError("a number beyond 64 bits", token.offset, "", token.end)
        return Tree("literal", token.value, token.offset, token.end)

    def list(self, token: Token) -> Tree:
        items: list[Tree] = []
        while not self.sees("]"):
            items.append(self.nested())
            if not self.sees("]"):
                self.expect(",")
        return Tree("list", "[]", token.offset, self.expect("]").end, items)
