"""Types of CEL (cel-spec, "Values"), and which of them fit where.

`dyn` fits everywhere and takes everything: what stands behind it is looked at when the expression
runs. A name of one capital letter is a parameter: it stands for whatever type it meets first;
`number` is int, uint or double.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """``name``: bool, int, list, …, or a parameter's letter; ``of``: types of what it holds."""

    name: str
    of: tuple[Type, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.of))})" if self.of else self.name

    @property
    def is_parameter(self) -> bool:
        return len(self.name) == 1


DYN, NULL, BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION, TYPE, IP, CIDR = map(
    Type, "dyn null bool int uint double string bytes timestamp duration type ip cidr".split())
NUMBERS = ("int", "uint", "double")
ORDERED = (*NUMBERS, "bool", "string", "bytes", "timestamp", "duration")

# What an expression calls a type; the machine's `type()` gives the same values.
TYPE_NAMES = {
    "bool": "bool", "int": "int", "uint": "uint", "double": "double", "string": "string",
    "bytes": "bytes", "list": "list", "map": "map", "null_type": "null", "type": "type",
    "google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration",
    "optional_type": "optional", "net.IP": "ip", "net.CIDR": "cidr",
}


def list_of(item: Type) -> Type:
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("optional", (value,))


_TOKEN = re.compile(r"\s*([A-Za-z]+|[(),])")


@functools.cache
def read(text: str) -> Type:
    """`map(string, list(int))` as a Type."""
    words = _TOKEN.findall(text)
    kind, rest = _read(words)
    if rest:
        raise ValueError(f"no type: {text}")
    return kind


def _read(words: list[str]) -> tuple[Type, list[str]]:
    name, rest = words[0], words[1:]
    of: list[Type] = []
    if rest[:1] == ["("]:
        while rest[0] != ")":
            inner, rest = _read(rest[1:])
            of.append(inner)
        rest = rest[1:]
    return Type(name, tuple(of)), rest


Bound = dict[str, Type]  # what parameters stand for


def fits(given: Type, wanted: Type, bound: Bound) -> bool:
    """Whether a ``given`` may stand where a ``wanted`` does; ``bound`` grows."""
    if wanted.is_parameter:
        known = bound.get(wanted.name)
        if known is None:
            bound[wanted.name] = given
            return True
        if not (fits(given, known, {}) or fits(known, given, {})):
            return False
        bound[wanted.name] = join(known, given)
        return True
    if "dyn" in (given.name, wanted.name):
        return True
    if wanted.name == "number":
        return given.name in NUMBERS
    if given.name != wanted.name:
        return False
    return all(fits(a, b, bound) for a, b in zip(given.of, wanted.of, strict=False))


def settle(kind: Type, bound: Bound) -> Type:
    """``kind`` with its parameters replaced; one that nothing was said of is `dyn`."""
    if kind.is_parameter:
        return bound.get(kind.name, DYN)
    return Type(kind.name, tuple(settle(inner, bound) for inner in kind.of))


def join(a: Type, b: Type) -> Type:
    """The type of something that is an ``a`` or a ``b``."""
    if a == b:
        return a
    if a.name == b.name and len(a.of) == len(b.of):
        return Type(a.name, tuple(join(x, y) for x, y in zip(a.of, b.of, strict=True)))
    return DYN
