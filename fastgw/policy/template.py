"""`${…}`: expressions within a string of a configuration. `$${` is a `${` that stays one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastgw.policy.checker import Checker
from fastgw.policy.lexer import ExpressionError, tokenize
from fastgw.policy.parser import Tree, parse_tokens
from fastgw.policy.scope import Scope
from fastgw.policy.typed import Typed, a
from fastgw.policy.types import STRING

PIECES_MAX = 200
TEXTS = ("string", "bool", "int", "uint", "double", "bytes", "timestamp", "duration", "type",
         "ip", "cidr", "null", "dyn")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a template: a ``literal`` text, or a ``tree`` (then ``text`` is the expression).
    ``offset``: where in the template its text begins."""

    text: str
    offset: int
    tree: Tree | None = None


def split(text: str) -> list[Piece]:
    """The parts of a template in order. Raises ExpressionError, with offsets into ``text``."""
    pieces = list(_pieces(text))
    if len(pieces) > PIECES_MAX:
        raise ExpressionError(f"more than {PIECES_MAX} parts in one text",
                              pieces[PIECES_MAX].offset, "", len(text))
    return pieces


def _pieces(text: str) -> Iterator[Piece]:
    literal, begun, at = "", 0, 0
    while True:
        found = text.find("${", at)
        if found < 0:
            break
        if found > at and text[found - 1] == "$":
            literal += text[at : found - 1] + "${"
            at = found + 2
            continue
        literal += text[at:found]
        if literal:
            yield Piece(literal, begun)
        tokens = tokenize(text, found + 2, inside=True)
        closing = tokens[-1]
        yield Piece(text[found + 2 : closing.offset], found + 2, parse_tokens(tokens))
        literal, at = "", closing.end
        begun = at
    literal += text[at:]
    if literal:
        yield Piece(literal, begun)


def has_expressions(text: str) -> bool:
    """Whether ``text`` is more than itself."""
    return "${" in text


def check_template(text: str, scope: Scope, strict: bool = True) -> Typed:
    """The typed tree of a template: a string. Raises ExpressionError."""
    parts = []
    for piece in split(text):
        if piece.tree is None:
            tree = Tree("string", piece.text, piece.offset, piece.offset + len(piece.text))
            parts.append(Typed("constant", STRING, tree, piece.text))
            continue
        part = Checker(scope, strict).infer(piece.tree)
        if part.type.name not in TEXTS and strict:
            raise ExpressionError(f"{a(part.type)} has no text", piece.tree.offset,
                                  "name a part of it, or list.join(', ')", piece.tree.end)
        parts.append(part)
    whole = Tree("template", text, 0, len(text))
    if not parts:
        return Typed("constant", STRING, whole, "")
    return Typed("template", STRING, whole, None, parts)
