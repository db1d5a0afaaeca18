"""CEL text to tokens (cel-spec, "Lexis"), as far as our subset goes.

A token knows its offset, so that every later error can point at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var "
    "void while".split())
_SPACE = re.compile(r"(?:[ \t\r\n\f]|//[^\n]*)*")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+"
                     r"|\.\d+(?:[eE][+-]?\d+)?|\d+")
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_QUOTED_NAME = re.compile(r"`([A-Za-z0-9_.\-/ ]+)`")
_SYMBOL = re.compile(r"==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,()\[\]{}]")
_STRING = re.compile(r"([rRbB]{0,2})('''|\"\"\"|'|\")")
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?", "a": "\a", "b": "\b", "f": "\f",
            "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NUMERIC_ESCAPE = re.compile(r"x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})"
                             r"|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")


class ExpressionError(Exception):
    """What is wrong with an expression: ``offset`` and ``end`` count characters from 0."""

    def __init__(self, message: str, offset: int, suggestion: str = "", end: int = 0) -> None:
        super().__init__(message)
        self.message, self.offset, self.suggestion = message, offset, suggestion
        self.end = max(end, offset + 1)


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: name, string, int, double, symbol or end."""

    kind: str
    value: object
    offset: int
    end: int


def tokenize(text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if at == len(text):
            tokens.append(Token("end", "the end", at, at))
            return tokens
        token = (_string(text, at) or _number(text, at) or _name(text, at) or _symbol(text, at))
        tokens.append(token)
        at = token.end


def _symbol(text: str, at: int) -> Token:
    match = _SYMBOL.match(text, at)
    if match:
        return Token("symbol", match[0], at, match.end())
    hints = {"=": "equality is ==", "&": "and is &&", "|": "or is ||",
             "“": "quotes are ' or \"", "”": "quotes are ' or \"", "’": "quotes are ' or \""}
    raise ExpressionError(f"unexpected character {text[at]!r}", at, hints.get(text[at], ""))


def _name(text: str, at: int) -> Token | None:
    quoted = _QUOTED_NAME.match(text, at)
    if quoted:
        return Token("quoted", quoted[1], at, quoted.end())
    match = _NAME.match(text, at)
    if not match:
        return None
    return Token("name", match[0], at, match.end())


def _number(text: str, at: int) -> Token | None:
    match = _NUMBER.match(text, at)
    if not match or (match[0][0] == "." and at and _NAME.match(text[at - 1])):
        return None
    word, end = match[0], match.end()
    if text[end : end + 1] in ("u", "U"):
        raise ExpressionError("unsigned numbers are not supported yet", at, "leave out the u",
                              end + 1)
    if _NAME.match(text, end):
        raise ExpressionError(f"a number cannot be followed by '{text[end]}'", end)
    if word.startswith("0x") or word.isdigit():
        return Token("int", int(word, 16 if word.startswith("0x") else 10), at, end)
    return Token("double", float(word), at, end)


def _string(text: str, at: int) -> Token | None:
    match = _STRING.match(text, at)
    if not match:
        return None
    prefix, quote = match[1].lower(), match[2]
    if "b" in prefix:
        raise ExpressionError("bytes are not supported yet", at, "write a string")
    raw = prefix == "r"
    if prefix not in ("", "r"):
        raise ExpressionError(f"no such prefix of a string: {prefix}", at)
    parts: list[str] = []
    here = match.end()
    while not text.startswith(quote, here):
        character = text[here : here + 1]
        if not character or (character in "\r\n" and len(quote) == 1):
            raise ExpressionError("the string has no end", at, f"close it with {quote}", here)
        if character == "\\" and not raw:
            piece, here = _escape(text, here)
            parts.append(piece)
        elif character == "\r":  # a line ends with \n, however the file has it
            parts.append("\n")
            here += 2 if text.startswith("\r\n", here) else 1
        else:
            parts.append(character)
            here += 1
    return Token("string", "".join(parts), at, here + len(quote))


def _escape(text: str, at: int) -> tuple[str, int]:
    following = text[at + 1 : at + 2]
    if following in _ESCAPES and following:
        return _ESCAPES[following], at + 2
    match = _NUMERIC_ESCAPE.match(text, at + 1)
    if not match:
        raise ExpressionError(f"no such escape: \\{following}", at, "a backslash is \\\\",
                              at + 2)
    digits = match[match.lastindex or 0]
    code = int(digits, 8 if match.lastindex == 5 else 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ExpressionError("an escape that is no character", at, "", match.end())
    return chr(code), match.end()
