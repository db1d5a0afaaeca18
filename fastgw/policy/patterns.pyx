"""The operator's own patterns of `detect`, compiled so that they can be run while text comes."""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc

from fastgw.errors import ConfigError
from fastgw.native.detect cimport (
    FGW_DETECT_PATTERNS_MAX,
    FGW_PATTERN_WORD_BEGINS,
    FGW_PATTERN_WORD_ENDS,
    fgw_detect_pattern_fits,
)
from fastgw.native.regex cimport (
    FGW_REGEX_ROOM,
    fgw_regex_compile,
    fgw_regex_error,
    fgw_regex_fault_text,
)

WHOLE = rb"\A(?:%b)\z"


class PatternError(ValueError):
    """Why a pattern cannot be looked for, and what would do."""

    def __init__(self, message, hint=""):
        super().__init__(message)
        self.hint = hint


def parts_of(text):
    """(what stands outside classes, as tokens): `a`, `\\b`, `^`, `|`, `(`, …; a class is `[]`."""
    at = 0
    while at < len(text):
        if text[at] == "\\":
            yield text[at:at + 2]
            at += 2
        elif text[at] == "[":
            at += 2 if text[at + 1:at + 2] == "^" else 1
            at += text[at:at + 1] == "]"
            while at < len(text) and text[at] != "]":
                at += 2 if text[at] == "\\" else 1
            at += 1
            yield "[]"
        else:
            yield text[at]
            at += 1


def bare(text):
    """The pattern without the \\b at its ends, and flags for them. Of what else asks what stands
    around a match nothing can be known while text still comes."""
    flags = 0
    tokens = list(parts_of(text))
    if tokens[:1] == ["\\b"]:
        flags |= FGW_PATTERN_WORD_BEGINS
        text, tokens = text[2:], tokens[1:]
    if tokens[len(tokens) - 1:] == ["\\b"]:
        flags |= FGW_PATTERN_WORD_ENDS
        text, tokens = text[:len(text) - 2], tokens[:len(tokens) - 1]
    for token in tokens:
        if token in ("^", "$", "\\b", "\\B", "\\A", "\\z"):
            raise PatternError(f"{token} inside a pattern that is looked for in a stream",
                               "\\b can stand at its very begin and end")
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if token == "|" and not depth and flags:
            raise PatternError("\\b beside alternatives without a group", "\\b(?:one|other)\\b")
    return text, flags


def compile_pattern(text):
    """(program, enum fgw_pattern_flag) of a pattern in RE2's syntax. Raises PatternError."""
    cdef fgw_regex_error error
    cdef uint8_t *room = <uint8_t *>malloc(FGW_REGEX_ROOM)
    cdef int64_t size
    cdef bytes pattern
    try:
        if room == NULL:
            raise MemoryError()
        inside, flags = bare(text)
        pattern = WHOLE % inside.encode()
        size = fgw_regex_compile(
            <const uint8_t *>pattern, <size_t>len(pattern), room, FGW_REGEX_ROOM, &error
        )
        if size < 0:
            raise PatternError(fgw_regex_fault_text(error.fault).decode(),
                               "the syntax is RE2's: groups, classes, repetitions; no lookaround, "
                               "no backreference")
        if not fgw_detect_pattern_fits(room):
            raise PatternError("too large to be looked for as text comes",
                               "fewer alternatives, shorter repetitions")
        return (<const char *>room)[:size], flags
    finally:
        free(room)


class Patterns:
    """The named patterns of one policy. ``rows``: (name, program, flags), by kind."""

    def __init__(self):
        self.rows = []
        self._texts = {}

    def take(self, patterns):
        """The names of an action's (name, Expression) pairs. Raises ConfigError at its place."""
        for name, pattern in patterns:
            place = pattern.place
            try:
                self._take(name, pattern.text)
            except PatternError as error:
                raise ConfigError(
                    f"pattern '{name}': {error}", file=place.file, line=place.line,
                    column=place.column, key=place.key, suggestion=error.hint) from None
        return [name for name, _ in patterns]

    def _take(self, name, text):
        if name not in self._texts:
            if len(self.rows) == FGW_DETECT_PATTERNS_MAX:
                raise PatternError(f"more than {FGW_DETECT_PATTERNS_MAX} patterns",
                                   "join some by |")
            self.rows.append((name, *compile_pattern(text)))
        if self._texts.setdefault(name, text) != text:
            raise PatternError("two patterns have this name", "give each its own name")
