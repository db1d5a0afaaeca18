"""Shapes: what a value of the configuration may look like, how it is read, how it is described.

One declaration (schema.py) made of these serves three ends: typed values, errors that point, and
the JSON Schema for editors. A shape reports what is wrong to the ``Reading`` and returns INVALID;
reading goes on, so that one run shows every mistake.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
import zoneinfo
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from fastgw.config import amounts
from fastgw.config.document import Node, Scalar, Sequence, Table
from fastgw.config.model import Expression, Place, Secret
from fastgw.errors import ConfigError

INVALID: Any = type("Invalid", (), {"__repr__": lambda self: "INVALID"})()


@dataclass
class Reading:
    """The places of all values read so far, and what is wrong with them."""

    file: str
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[ConfigError] = field(default_factory=list)

    def place(self, path: str) -> Place:
        """Where ``path`` stands; where it was left out, where its parent does."""
        nearest = path
        while nearest not in self.places and nearest:
            nearest = nearest[: max(nearest.rfind("."), nearest.rfind("["), 0)]
        line, column = self.places.get(nearest, (1, 1))
        return Place(self.file, line, column, path)

    def fail(self, path: str, message: str, suggestion: str = "", node: Node | None = None) -> Any:
        self.errors.append(self._error(path, message, suggestion, node))
        return INVALID

    def warn(self, path: str, message: str, suggestion: str = "") -> None:
        self.warnings.append(self._error(path, message, suggestion, None))

    def _error(self, path: str, message: str, suggestion: str, node: Node | None) -> ConfigError:
        place = self.place(path)
        line, column = (node.line, node.column) if node else (place.line, place.column)
        return ConfigError(message, file=self.file, line=line, column=column, key=path,
                           suggestion=suggestion)


def did_you_mean(word: str, known: Iterable[str]) -> tuple[str, str | None]:
    """(a suggestion in words, the one word it proposes or None)."""
    known = list(known)
    near = difflib.get_close_matches(word.lower(), known, 1, 0.6)
    if near:
        return f"did you mean '{near[0]}'?", near[0]
    return ("known here: " + ", ".join(known)) if known else "", None


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def describe(node: Node) -> str:
    """What stands there, for an error. Never text that came from the environment."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    assert isinstance(node, Scalar)
    if node.secret:
        return f"the value of {node.written}"
    if node.value is None:
        return "nothing"
    text = node.written if len(node.written) <= 40 else node.written[:37] + "…"
    return f"'{text}'"


class Shape(ABC):
    """What may stand at one place of a configuration. ``wanted``: in words, for errors."""

    wanted = "a value"
    example = ""

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        reading.places.setdefault(path, (node.line, node.column))
        return self.take(node, path, reading)

    @abstractmethod
    def take(self, node: Node, path: str, reading: Reading) -> Any:
        """The value of ``node``; INVALID, and an error in ``reading``, if it is no such thing."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""

    def described(self) -> dict[str, Any]:
        """The schema with what editors show beside it."""
        if self.wanted in ("a value", "a list", "a mapping"):
            return self.schema()
        example = f", for example {self.example}" if self.example else ""
        return {"description": self.wanted + example} | self.schema()

    def refuse(self, node: Node, path: str, reading: Reading) -> Any:
        hint = f"for example {self.example}" if self.example else ""
        return reading.fail(path, f"expected {self.wanted}, got {describe(node)}", hint, node)


class Text(Shape):
    """Text of 1 to ``longest`` characters without control characters, matching ``pattern``."""

    def __init__(self, wanted="text", pattern: str | None = None, example="", longest=1024,
                 shown=True) -> None:
        self.wanted, self.example, self.longest, self.shown = wanted, example, longest, shown
        self.pattern = re.compile(pattern) if pattern else None

    def take(self, node, path, reading):
        if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
            return self.refuse(node, path, reading)
        # A plain `4711` is text where text is wanted: as it is written, not as a number.
        value = node.value if isinstance(node.value, str) else node.written
        if not isinstance(node.value, str) and node.secret:
            value = str(node.value)
        if not value or len(value) > self.longest or not value.isprintable():
            return self.refuse(node, path, reading)
        if self.pattern and not self.pattern.fullmatch(value):
            return self.refuse(node, path, reading)
        return value

    def refuse(self, node, path, reading):
        if not self.shown and isinstance(node, Scalar):
            return reading.fail(path, f"expected {self.wanted}", self.example, node)
        return super().refuse(node, path, reading)

    def schema(self):
        known = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return known | ({"pattern": f"^(?:{self.pattern.pattern})$"} if self.pattern else {})


class SecretText(Text):
    """A credential: visible ASCII. No error shows it."""

    def __init__(self, wanted="a credential") -> None:
        super().__init__(wanted, r"[!-~]+", 'for example "${env:NAME}"', 4096, shown=False)

    def take(self, node, path, reading):
        value = super().take(node, path, reading)
        return value if value is INVALID else Secret(value)


class ExpressionText(Text):
    """CEL. Its own errors come later, when the policy is compiled."""

    def __init__(self) -> None:
        super().__init__("a CEL expression in quotes", None, "\"ai.operation == 'chat'\"", 4096)

    def take(self, node, path, reading):
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            value = node.written
        else:
            value = super().take(node, path, reading)
        return value if value is INVALID else Expression(value, reading.place(path))


class Flag(Shape):
    wanted, example = "true or false", "true"

    def take(self, node, path, reading):
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        return self.refuse(node, path, reading)

    def schema(self):
        return {"type": "boolean"}


class Whole(Shape):
    """A whole number within bounds; ``words`` may stand for some (workers: auto -> None)."""

    def __init__(self, low: int, high: int, words: dict[str, Any] | None = None) -> None:
        self.low, self.high, self.words = low, high, words or {}
        self.wanted = f"a whole number from {low} to {high}"
        self.wanted += "".join(f" or '{word}'" for word in self.words)

    def take(self, node, path, reading):
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and value in self.words:
            return self.words[value]
        if type(value) is not int or not self.low <= value <= self.high:
            hint = self._nearest(node.value) if isinstance(node, Scalar) else self._nearest(None)
            message = f"expected {self.wanted}, got {describe(node)}"
            return reading.fail(path, message, hint, node)
        return value

    def _nearest(self, value):
        if type(value) in (int, float) and value == value:
            nearest = math.ceil(max(self.low, min(self.high, value)))
            return f"the nearest that may stand here is {nearest}"
        if isinstance(value, str) and amounts.number(value) is not None:
            return "write it without quotes"
        hint = did_you_mean(str(value), self.words)[0] if self.words else ""
        return hint if "mean" in hint else f"digits alone, for example {max(self.low, 1)}"

    def schema(self):
        whole = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [whole, {"enum": list(self.words)}]} if self.words else whole


@functools.cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() | {"UTC"})


class Amount(Shape):
    """A number as it is written, exactly: dollars have no float. Reads to a Decimal."""

    wanted, example = "an amount", "100 or 250.00"

    def take(self, node, path, reading):
        if isinstance(node, Scalar) and (node.plain or node.secret):
            # What came from the environment stands in the value, not in the file.
            value = amounts.number(str(node.value) if node.secret else node.written)
            if value is not None:
                return value
        return self.refuse(node, path, reading)

    def schema(self):
        return {"type": "number", "minimum": 0}


class TimeZone(Shape):
    """A name of the IANA database that days, weeks and months can begin by."""

    wanted, example = "a time zone", "Europe/Berlin"

    def take(self, node, path, reading):
        value = node.value if isinstance(node, Scalar) else None
        known = _time_zones()
        if value in known:
            return value
        if not isinstance(value, str):
            return self.refuse(node, path, reading)
        names = {name.lower(): name for name in known}
        near = did_you_mean(value, names)[1]
        hint = f"did you mean '{names[near]}'?" if near else f"for example {self.example}"
        return reading.fail(path, f"no time zone is named {describe(node)}", hint, node)

    def schema(self):
        return {"type": "string"}


class Parsed(Shape):
    """A scalar that ``parse`` understands: it returns None for what it does not."""

    def __init__(self, parse: Callable[[Any], Any], wanted: str, example: str,
                 schema: dict[str, Any]) -> None:
        self.parse, self.wanted, self.example, self._schema = parse, wanted, example, schema

    def take(self, node, path, reading):
        value = self.parse(node.value) if isinstance(node, Scalar) else None
        return self.refuse(node, path, reading) if value is None else value

    def schema(self):
        return self._schema


class Choice(Shape):
    """One of a few words; ``later`` are known but not supported yet."""

    def __init__(self, words: Iterable[Any], later: Iterable[str] = ()) -> None:
        self.words, self.later = list(words), list(later)
        self.example = " | ".join(str(word) for word in self.words)

    def take(self, node, path, reading):
        value = node.value if isinstance(node, Scalar) else None
        if value in self.words and not isinstance(value, bool):
            return value
        names = [str(word) for word in self.words]
        supported = "supported: " + ", ".join(names)
        if value in self.later:
            return reading.fail(path, f"{value} is not supported yet", supported, node)
        hint = did_you_mean(str(value), names)[0] if isinstance(value, str) else supported
        wanted = names[0] if len(names) == 1 else f"one of {', '.join(names)}"
        return reading.fail(path, f"expected {wanted}, got {describe(node)}", hint, node)

    def described(self):
        return {"description": f"one of {self.example.replace(' | ', ', ')}"} | self.schema()

    def schema(self):
        return {"enum": self.words}


class ListOf(Shape):
    def __init__(self, item: Shape, least: int = 0, most: int = 100_000, wanted="a list") -> None:
        self.item, self.least, self.most, self.wanted = item, least, most, wanted

    def take(self, node, path, reading):
        if not isinstance(node, Sequence):
            one = node.written if isinstance(node, Scalar) and not node.secret else "{…}"
            message = f"expected {self.wanted}, got {describe(node)}"
            return reading.fail(path, message, f"write a list: [{one[:40]}]", node)
        if not self.least <= len(node.items) <= self.most:
            few = len(node.items) < self.least
            bound = f"at least {self.least}" if few else f"at most {self.most}"
            key = path.rpartition(".")[2]
            example = getattr(self.item, "example", "") or "…"
            hint = f"leave {key} out, or write {key}: [{example}]" if few else (
                f"keep {self.most} of them")
            message = f"expected {bound} here, got {len(node.items)}"
            return reading.fail(path, message, hint, node)
        values = [self.item.read(item, f"{path}[{i}]", reading)
                  for i, item in enumerate(node.items)]
        return INVALID if INVALID in values else values

    def schema(self):
        return {"type": "array", "items": self.item.described(), "minItems": self.least}


class MapOf(Shape):
    """Names that the operator chooses -> values of one shape. ``taken``: names that mean
    something else already."""

    def __init__(self, value: Shape, key: str, most: int, wanted="a mapping",
                 taken: Collection[str] = ()) -> None:
        self.value, self.key, self.most, self.wanted = value, re.compile(key), most, wanted
        self.taken = taken

    def take(self, node, path, reading):
        if not isinstance(node, Table):
            message = f"expected {self.wanted}, got {describe(node)}"
            example = getattr(self.value, "example", "") or "…"
            return reading.fail(path, message, f"write names and values: {{name: {example}}}",
                                node)
        if len(node.entries) > self.most:
            return reading.fail(path, f"at most {self.most} entries, got {len(node.entries)}",
                                f"keep {self.most} of them")
        values = {}
        for name, (key, value) in node.entries.items():
            if not self.key.fullmatch(name):
                message = f"'{name[:40]}' is no name here"
                hint = f"names match {self.key.pattern}"
                values[name] = reading.fail(join(path, name), message, hint, key)
            elif name in self.taken:
                message = f"'{name}' has a meaning of its own"
                values[name] = reading.fail(join(path, name), message,
                                            f"another name, for example my_{name}", key)
            else:
                values[name] = self.value.read(value, join(path, name), reading)
        return INVALID if INVALID in values.values() else values

    def schema(self):
        return {"type": "object", "additionalProperties": self.value.described(),
                "maxProperties": self.most, "propertyNames": {"pattern": f"^{self.key.pattern}$"}}


class Later(Shape):
    """Known by INTERFACE section 3 but not built yet: refused, never ignored."""

    def take(self, node, path, reading):
        key = path.rpartition(".")[2]
        hint = "remove it; see `fastgw schema` for what this version takes"
        return reading.fail(path, f"{key} is not supported yet", hint, node)

    def schema(self):
        return {"not": {}, "description": "not supported yet"}


class Object(Shape):
    """Named fields. ``required`` ones must be there; reads to a dict of those that are."""

    def __init__(self, fields: dict[str, Shape], required: Iterable[str] = (),
                 wanted="a mapping") -> None:
        self.fields, self.required, self.wanted = fields, tuple(required), wanted

    def take(self, node, path, reading):
        if not isinstance(node, Table):
            first = ", ".join(f"{name}: …" for name in (self.required or list(self.fields))[:3])
            message = f"expected {self.wanted}, got {describe(node)}"
            return reading.fail(path, message, f"write keys and values: {{{first}}}", node)
        values: dict[str, Any] = {}
        meant = set()
        for name, (key, value) in node.entries.items():
            at = join(path, name)
            shape = self.fields.get(name)
            if shape is None:
                known = [f for f, s in self.fields.items() if not isinstance(s, Later)]
                hint, near = did_you_mean(name, known)
                meant.add(near)
                values[name] = reading.fail(at, f"unknown key '{name[:60]}'", hint, key)
                continue
            # The error of a missing or wrong value points at the value, of a key at the key.
            values[name] = shape.read(value, at, reading)
        for name in self.required:
            if name not in values and name not in meant:
                example = getattr(self.fields[name], "example", "")
                hint = f"add {name}: {example or '…'}"
                values[name] = reading.fail(join(path, name), f"'{name}' is missing", hint, node)
        return INVALID if INVALID in values.values() else values

    def schema(self):
        return {"type": "object", "additionalProperties": False, "required": list(self.required),
                "properties": {name: shape.described() for name, shape in self.fields.items()
                               if not isinstance(shape, Later)}}
