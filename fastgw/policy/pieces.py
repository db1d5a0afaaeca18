"""Text with `${…}` as actions have it: words, and a program for each expression.

Each by itself, so that one that has no value (an absent header) costs its own place only.
"""

from __future__ import annotations

from fastgw.config.model import Expression
from fastgw.policy.compiler import compile_text, compile_whole, located
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.program import Program
from fastgw.policy.scope import Scope
from fastgw.policy.template import Piece, split

SCALARS = ("bool", "int", "uint", "double", "string", "timestamp", "duration", "dyn")


def compile_pieces(template: Expression, scope: Scope,
                   typed: bool = False) -> list[bytes | Program]:
    """The pieces of a text in a row; each program makes a string, unless the text is ``typed`` and
    nothing but that expression. Raises ConfigError, which points into the file."""
    try:
        parts = split(template.text)
        alone = typed and len(parts) == 1
        return [_compile(part, scope, alone) for part in parts]
    except ExpressionError as error:
        raise located(template, error) from None


def _compile(part: Piece, scope: Scope, alone: bool) -> bytes | Program:
    if part.tree is None:
        return part.text.encode()
    before = 0 if alone else len("${")
    try:
        if not alone:
            return compile_whole("${" + part.text + "}", scope, template=True).program
        program, tree = compile_text(part.text, scope)
        if tree.type.name not in SCALARS:
            raise ExpressionError(f"a variable cannot be {tree.type}", 0,
                                  "name a part of it, or make it a text", len(part.text))
        return program
    except ExpressionError as error:
        error.offset += part.offset - before
        error.end += part.offset - before
        raise


def type_of(pieces: list[bytes | Program]) -> str:
    """What a ``typed`` text is the value of; "": not known before it is evaluated."""
    only = pieces[0] if len(pieces) == 1 else b""
    return only.type if isinstance(only, Program) else "string"
