"""An attempt as Protobuf: the message of usage.proto, written field by field.

The shipped .proto is the only description; this reads it, so both cannot differ. Scalars, texts,
maps of texts and repeated texts are all it knows, which spares every installation a compiler's
output that fits one version of a library.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

_FIELD = re.compile(
    r"^\s*(?:(optional|repeated)\s+)?(map<string, string>|\w+)\s+(\w+)\s*=\s*(\d+);", re.MULTILINE
)
_VARINT, _BYTES = 0, 2  # wire types


@cache
def fields() -> tuple[tuple[int, str, str, str], ...]:
    """(number, name, type, optional | repeated | "") of usage.proto."""
    text = files("fastgw.process").joinpath("usage.proto").read_text()
    return tuple(
        (int(number), name, kind, label) for label, kind, name, number in _FIELD.findall(text)
    )


def encode(event: dict[str, Any]) -> bytes:
    """``event``: as fastgw.ledger.events has it."""
    out = bytearray()
    for number, name, kind, label in fields():
        value = event[name]
        if value is None or (not value and label != "optional"):
            continue  # proto3: what is absent is zero, or not known
        if kind.startswith("map"):
            for key, one in value.items():
                _text(out, number, bytes(_text(_text(bytearray(), 1, key), 2, _as_text(one))))
        elif label == "repeated":
            for one in value:
                _text(out, number, _as_text(one))
        elif kind == "string":
            _text(out, number, value)
        else:
            _varint(out, number << 3 | _VARINT)
            _varint(out, int(value) & 0xFFFF_FFFF_FFFF_FFFF)
    return bytes(out)


def _as_text(value: Any) -> str | bytes:
    """What is no text goes as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value)


def _text(out: bytearray, number: int, text: str | bytes) -> bytearray:
    content = text.encode() if isinstance(text, str) else text
    _varint(out, number << 3 | _BYTES)
    _varint(out, len(content))
    out += content
    return out


def _varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
