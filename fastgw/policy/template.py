"""Text with `${…}`: where its expressions begin and end, and each of them compiled."""

from __future__ import annotations

from fastgw.config.model import Expression
from fastgw.policy.compiler import compile_text, located
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.program import Program
from fastgw.policy.scope import Scope

SCALARS = ("string", "int", "bool", "double")


def split(text: str) -> list[tuple[str | None, str | None, int]]:
    """(words, None, offset) and (None, expression, its offset) in a row; `$${` is a plain `${`.

    Raises ExpressionError where a `${` has no `}`.
    """
    parts: list[tuple[str | None, str | None, int]] = []
    words, start, at = "", 0, 0
    while at < len(text):
        if text.startswith("$${", at):
            words += "${"
            at += 3
        elif text.startswith("${", at):
            if words:
                parts.append((words, None, start))
            end = _end(text, at + 2)
            parts.append((None, text[at + 2:end], at + 2))
            words, start, at = "", end + 1, end + 1
        else:
            words += text[at]
            at += 1
    if words:
        parts.append((words, None, start))
    return parts


def _end(text: str, begin: int) -> int:
    """Where the `}` of the expression at ``begin`` stands: not inside its strings and maps."""
    depth, quote, at = 0, "", begin
    while at < len(text):
        character = text[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    raise ExpressionError("'${' without its '}'", begin - 2, "write $${ for a plain ${", len(text))


def compile_pieces(template: Expression, scope: Scope) -> list[bytes | Program]:
    """The pieces of a text in a row. Raises ConfigError, which points into the file."""
    pieces: list[bytes | Program] = []
    try:
        for words, expression, offset in split(template.text):
            if expression is None:
                pieces.append((words or "").encode())
            else:
                pieces.append(_compile(expression, offset, scope))
    except ExpressionError as error:
        raise located(template, error) from None
    return pieces


def _compile(text: str, offset: int, scope: Scope) -> Program:
    try:
        program, tree = compile_text(text, scope)
        if tree.type not in SCALARS:
            raise ExpressionError(f"a {tree.type} is no text", 0, "", len(text))
    except ExpressionError as error:
        error.offset += offset
        error.end += offset
        raise
    return program


def type_of(pieces: list[bytes | Program]) -> str:
    """What a text is the value of: nothing but one expression has that one's type."""
    only = pieces[0] if len(pieces) == 1 else b""
    return only.type if isinstance(only, Program) else "string"
