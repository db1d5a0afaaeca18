"""CEL text to tokens (cel-spec, "Lexis").

A token knows its offset, so that every later error can point at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TEXT_MAX = 32768  # characters
RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var "
    "void while".split())
_SPACE = re.compile(r"(?:[ \t\r\n\f]|//[^\n]*)*")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+"
                     r"|\.\d+(?:[eE][+-]?\d+)?|\d+", re.ASCII)
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_QUOTED_NAME = re.compile(r"`([A-Za-z0-9_.\-/ ]+)`")
_SYMBOL = re.compile(r"==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,()\[\]{}]")
_STRING = re.compile(r"([rRbB]{0,2})('''|\"\"\"|'|\")")
_PLAIN = re.compile(r"[^\\'\"\r\n]+")
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?", "a": "\a", "b": "\b", "f": "\f",
            "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NUMERIC_ESCAPE = re.compile(r"[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
                             r"|([0-3][0-7]{2})")
_HINTS = {"=": "equality is ==", "&": "and is &&", "|": "or is ||", ";": "one expression only",
          "“": "quotes are ' or \"", "”": "quotes are ' or \"", "’": "quotes are ' or \"",
          "`": "a quoted name stands behind a dot: x.`content-type`",
          "$": "an expression is CEL as a whole: without ${ }", "#": "a comment begins with //",
          "~": "a pattern is ai.model.matches('…')", "\\": "a backslash stands in quotes only"}
BEYOND = "write it as a double: 1e20"


class ExpressionError(Exception):
    """What is wrong with an expression: ``offset`` and ``end`` count characters from 0."""

    def __init__(self, message: str, offset: int, suggestion: str = "", end: int = 0) -> None:
        super().__init__(message)
        self.message, self.offset, self.suggestion = message, offset, suggestion
        self.end = max(end, offset + 1)


class PartError(ExpressionError):
    """Of a literal, whose value is wrong from its character ``first`` to ``last``."""

    def __init__(self, message: str, offset: int, suggestion: str, end: int, first: int,
                 last: int) -> None:
        super().__init__(message, offset, suggestion, end)
        self.first, self.last = first, last

    def point(self, text: str) -> None:
        """Makes it point into the literal, which stands in ``text`` as it was written."""
        places = literal_places(text, self.offset)
        # Else it is text that was put together at load: 'a' + '('.
        if self.first < len(places) and self.end - places[-1] in (1, 3):
            self.offset = places[self.first]
            self.end = max(places[min(self.last, len(places) - 1)], self.offset + 1)


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: name, quoted, string, bytes, int, uint, double, symbol or end."""

    kind: str
    value: object
    offset: int
    end: int


def tokenize(text: str, start: int = 0, inside: bool = False) -> list[Token]:
    """The tokens of ``text`` from ``start``, the last of kind end. ``inside`` of `${…}` the end is
    the `}` that closes it. Raises ExpressionError."""
    tokens: list[Token] = []
    at, depth = start, 0
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if at - start > TEXT_MAX:
            raise ExpressionError(f"longer than {TEXT_MAX} characters", at,
                                  "write several expressions: all of them must hold", len(text))
        if at == len(text):
            if inside:
                raise ExpressionError("the ${ has no end", start - 2, "close it with }", at)
            tokens.append(Token("end", "the end", at, at))
            return tokens
        token = (_string(text, at) or _number(text, at) or _name(text, at) or _symbol(text, at))
        if token.kind == "symbol":
            depth += (token.value == "{") - (token.value == "}")
            if inside and depth < 0:
                tokens.append(Token("end", "the end", at, token.end))
                return tokens
        tokens.append(token)
        at = token.end


def _symbol(text: str, at: int) -> Token:
    match = _SYMBOL.match(text, at)
    if match:
        return Token("symbol", match[0], at, match.end())
    raise ExpressionError(f"unexpected character {text[at]!r}", at,
                          _HINTS.get(text[at], "text is quoted: '…'"))


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
    whole = word.startswith("0x") or word.isdigit()
    unsigned = whole and text[end : end + 1] in ("u", "U")
    end += unsigned
    if _NAME.match(text, end):
        raise ExpressionError(f"a number cannot be followed by '{text[end]}'", end,
                              "text is quoted; durations are duration('5s')")
    if not whole:
        return Token("double", float(word), at, end)
    if len(word) > 40:  # far beyond 64 bits, and int() of thousands of digits is slow
        raise ExpressionError("a number beyond 64 bits", at, BEYOND, end)
    number = int(word, 16 if word.startswith("0x") else 10)
    return Token("uint" if unsigned else "int", number, at, end)


def _string(text: str, at: int) -> Token | None:
    match = _STRING.match(text, at)
    if not match:
        return None
    prefix, quote = match[1].lower(), match[2]
    if prefix in ("rr", "bb"):
        raise ExpressionError(f"no such prefix of a string: {match[1]}", at, "r, b or br", at + 2)
    parts, end = _content(text, match.end(), at, quote, "r" in prefix, "b" in prefix)
    if "b" in prefix:
        return Token("bytes", b"".join(
            part if isinstance(part, bytes) else part.encode() for part in parts), at, end)
    return Token("string", "".join(parts), at, end)  # type: ignore[arg-type]


def _content(text: str, here: int, start: int, quote: str, raw: bool, octets: bool,
             ) -> tuple[list[str | bytes], int]:
    """The pieces up to the closing ``quote``, and where it ends."""
    parts: list[str | bytes] = []
    while not text.startswith(quote, here):
        plain = _PLAIN.match(text, here)
        character = text[here : here + 1]
        if plain:
            parts.append(plain[0])
            here = plain.end()
        elif not character or (character in "\r\n" and len(quote) == 1):
            raise ExpressionError("the string has no end", start, f"close it with {quote}", here)
        elif character == "\\" and not raw:
            piece, here = _escape(text, here, octets)
            parts.append(piece)
        elif character == "\r":  # a line ends with \n, however the file has it
            parts.append("\n")
            here += 2 if text.startswith("\r\n", here) else 1
        else:
            parts.append(character)
            here += 1
    return parts, here + len(quote)


def literal_places(text: str, at: int) -> list[int]:
    """Where each character of a string's value stands in ``text``, and where the last one ends;
    nothing if no string begins at ``at``."""
    match = _STRING.match(text, at)
    if not match or "b" in match[1].lower():
        return []
    here, places = match.end(), []
    while not text.startswith(match[2], here):
        places.append(here)
        if text[here] == "\\" and not match[1]:
            here = _escape(text, here, False)[1]
        else:
            here += 2 if text.startswith("\r\n", here) else 1
    return [*places, here]


def _escape(text: str, at: int, octets: bool) -> tuple[str | bytes, int]:
    following = text[at + 1 : at + 2]
    if following in _ESCAPES and following:
        return _ESCAPES[following], at + 2
    match = _NUMERIC_ESCAPE.match(text, at + 1)
    if not match:
        raise ExpressionError(f"no such escape: \\{following}", at, "a backslash is \\\\",
                              at + 2)
    digits = match[match.lastindex or 0]
    code = int(digits, 8 if match.lastindex == 4 else 16)
    if octets and match.lastindex in (1, 4):
        return bytes([code]), match.end()
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ExpressionError("an escape that is no character", at,
                              "a character is up to \\U0010FFFF, without surrogates", match.end())
    return chr(code), match.end()
