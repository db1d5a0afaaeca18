"""What tokens cost: the table that ships with fastgw, and the operator's own over it.

A price is found once per candidate, before any fork; only models that no candidate names are
looked up while serving (``fastgw.usage.pricing``). What stands in neither table has no price: its
cost is unknown, which is null in records and never 0.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from math import isfinite
from typing import Any

from fastgw.config.document import read_document
from fastgw.config.schema import DIALECTS
from fastgw.config.shape import (
    INVALID,
    Choice,
    ListOf,
    MapOf,
    Object,
    Parsed,
    Reading,
    Text,
    Whole,
)
from fastgw.errors import ConfigError

NANO = 10**9
UNKNOWN = 2**64 - 1
# struct fgw_price (csrc/fgw_price.h)
HEAD, ROW, PICTURE = struct.Struct("<IBBBxQQ"), struct.Struct("<QB7x14Q"), struct.Struct("<QQ")
ROWS_MAX, PICTURES_MAX = 12, 8
OLD_LIMIT_NAME, SEARCHED_ONCE = 1, 2
# The order of struct fgw_tokens and fgw_units, and what a class without a price of its own is
# paid as.
CLASSES = {
    "input": None, "cached_input": "input", "cache_write": "input",
    "cache_write_1h": "cache_write", "output": None, "reasoning": "output",
    "audio_input": None, "audio_output": None, "image_input": "input", "image_output": "output",
}  # fmt: skip
# What is no tokens, and how many of it are priced together in a file, of so many in a record.
UNITS = {"images": 1, "audio_hour": 0, "characters": 10**6, "searches": 1000}
TIERS = ("standard", "flex", "priority", "batch", "fast", "region", "reserved")
_DOLLARS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """Nano-dollars per million of each class, of sound per hour (None: unknown), at one service
    tier, where more than ``above`` input tokens are sent."""

    above: int
    nano_usd: tuple[int | None, ...]
    tier: int = 0  # its place in TIERS


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs and how much it can write. No rows: its price is unknown."""

    version: int = 0
    rows: tuple[Row, ...] = ()
    output_max: int = 0  # tokens of one answer; 0: unknown
    window: int = 0  # tokens, input and output together; 0: unknown
    old_limit_name: bool = False
    searched_once: bool = False  # searches are paid by the answer that has any
    pictures: tuple[tuple[int, int], ...] = ()  # kind_of("quality/size"), nano per million

    def pack(self) -> bytes:
        """As ``struct fgw_price``."""
        flags = OLD_LIMIT_NAME * self.old_limit_name | SEARCHED_ONCE * self.searched_once
        packed = HEAD.pack(self.version, len(self.rows), flags, len(self.pictures),
                           self.output_max, self.window)
        for row in self.rows:
            packed += ROW.pack(row.above, row.tier, *(
                UNKNOWN if each is None else each for each in row.nano_usd))
        packed += bytes(ROW.size * (ROWS_MAX - len(self.rows)))
        packed += b"".join(PICTURE.pack(*one) for one in self.pictures)
        return packed + bytes(PICTURE.size * (PICTURES_MAX - len(self.pictures)))

    @classmethod
    def unpack(cls, packed: bytes) -> Price:
        version, rows, flags, pictures, output_max, window = HEAD.unpack_from(packed)
        found, behind = [], HEAD.size + ROWS_MAX * ROW.size
        for number in range(rows):
            above, tier, *nano = ROW.unpack_from(packed, HEAD.size + number * ROW.size)
            known = tuple(None if each == UNKNOWN else each for each in nano)
            found.append(Row(above, known, tier))
        kinds = tuple(PICTURE.unpack_from(packed, behind + number * PICTURE.size)
                      for number in range(pictures))
        return cls(version, tuple(found), output_max, window, bool(flags & OLD_LIMIT_NAME),
                   bool(flags & SEARCHED_ONCE), kinds)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a table: whom it is about, and the price. Empty: everybody."""

    dialect: str
    models: tuple[str, ...]  # glob patterns
    hosts: tuple[str, ...]
    providers: tuple[str, ...]
    price: Price

    def is_about(self, dialect: str, hosts: tuple[str, ...], provider: str) -> bool:
        return (
            self.dialect in ("", dialect)
            and (not self.hosts or any(
                fnmatchcase(host, one) for host in hosts for one in self.hosts))
            and (not self.providers or provider in self.providers)
        )


class PriceTable:
    """Entries in the order in which they hold: the operator's own before those shipped."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)

    def rows(self, dialect: str, host: str, provider: str,
             home: str = "") -> list[tuple[str, Price]]:
        """(glob pattern of a model's name, its price) at one provider; the first that fits
        holds. ``home``: the public host of its vendor, wherever it is asked."""
        hosts = (host, home) if home else (host,)
        return [
            (pattern, entry.price)
            for entry in self.entries if entry.is_about(dialect, hosts, provider)
            for pattern in entry.models
        ]  # fmt: skip


def load_prices(file: str | os.PathLike[str] | None = None) -> PriceTable:
    """The shipped table, behind that in ``file`` if there is one. Raises ConfigError."""
    entries: list[Entry] = []
    if file is not None:
        name = os.fspath(file)
        try:
            with open(name, "rb") as source:
                entries = read_prices(source.read(), name)
        except OSError as error:
            raise ConfigError(f"cannot read it: {error.strerror}", file=name) from None
    return PriceTable([*entries, *_shipped()])


@cache
def _shipped() -> tuple[Entry, ...]:
    """Read once in a process: it takes longer than all else of a start's configuration."""
    text = resources.files("fastgw.usage").joinpath("prices.yaml").read_bytes()
    return tuple(read_prices(text, "prices.yaml"))


def read_prices(text: bytes, file: str) -> list[Entry]:
    """The entries of a table; without a `version` it gets a checksum for one. Raises the first
    ConfigError, with line and column."""
    return read_table(text, file)[0]


def read_table(text: bytes, file: str) -> tuple[list[Entry], Reading]:
    """The same, and where what stands (``prices[0].models[1]``)."""
    reading = Reading(file)
    values = _TABLE.read(read_document(text, file, {}), "", reading)
    if values is INVALID:
        raise reading.errors[0]
    version = values.get("version") or zlib.crc32(text) or 1
    entries = [_entry(line, f"prices[{at}]", version, reading)
               for at, line in enumerate(values["prices"])]
    return entries, reading


def _entry(line: dict[str, Any], path: str, version: int, reading: Reading) -> Entry:
    def wrong(what: str, at: str) -> ConfigError:
        place = reading.place(f"{path}.{at}")
        return ConfigError(what, file=place.file, line=place.line, column=place.column,
                           key=place.key)

    # An entry without any price may say how large a model is, or what its limit is called.
    priced = any(name in line for name in (*CLASSES, *UNITS, "above", "tiers"))
    for name in ("input", "output"):
        if name not in line and priced and not any(unit in line for unit in UNITS):
            raise wrong(f"'{name}' is missing", name)
    rows = _rows(line, "", 0, {}, wrong) if priced else []
    for name, other in line.get("tiers", {}).items():
        tier, at = TIERS.index(name), f"tiers.{name}"
        if isinstance(other, dict):
            rows += _rows(other, f"{at}.", tier, line, wrong)
        else:
            rows += [_times(row, tier, other, at, wrong) for row in rows if row.tier == 0]
    if len(rows) > ROWS_MAX:
        raise wrong(f"at most {ROWS_MAX} prices by tier and length of the prompt", "tiers")
    price = Price(
        version, tuple(rows), line.get("max_output", 0), line.get("context", 0),
        line.get("limit_name") == "max_tokens", line.get("searches_paid") == "answer",
        tuple((kind_of(kind), nano * 10**6) for kind, nano in _pictures(line).items()),
    )
    return Entry(line.get("dialect", ""), tuple(line["models"]), tuple(line.get("hosts", ())),
                 tuple(line.get("providers", ())), price)


def kind_of(text: str) -> int:
    """What C calls the kind of a picture (csrc/fgw_price.h, fgw_price_kind)."""
    kind = 0xCBF29CE484222325
    for byte in text.encode():
        kind = (kind ^ byte) * 0x100000001B3 & 0xFFFF_FFFF_FFFF_FFFF
    return kind


def _pictures(line: dict[str, Any]) -> dict[str, int]:
    found = line.get("images")
    return found if isinstance(found, dict) else {}


def _rows(line: dict[str, Any], at: str, tier: int, standard: dict[str, Any],
          wrong: Callable[[str, str], ConfigError]) -> list[Row]:
    """The rows of one service tier: for each length of the prompt."""
    above = line.get("above", [])
    above = [above] if isinstance(above, dict) else above
    rows = [Row(0, _prices(line, {**standard, **line}), tier)]
    for number, more in enumerate(above):
        if more["tokens"] <= rows[-1].above:
            raise wrong("tiers must rise", f"{at}above[{number}].tokens")
        rows.append(Row(more["tokens"], _prices(more, {**standard, **line}), tier))
    return rows


def _prices(line: dict[str, Any], units: dict[str, Any]) -> tuple[int | None, ...]:
    """All classes of a row: tokens as ``line`` has them, the others are the same everywhere."""
    found: dict[str, int | None] = {}
    for name, instead in CLASSES.items():
        found[name] = line.get(name, found[instead] if instead else None)
    for name, together in UNITS.items():
        nano = units.get(name)
        if isinstance(nano, dict):
            nano = max(nano.values())  # which one it is stands in `pictures`
        found[name] = nano if nano is None or not together else nano * (10**6 // together)
    return tuple(found.values())


def _times(row: Row, tier: int, factor: Decimal, at: str,
           wrong: Callable[[str, str], ConfigError]) -> Row:
    """A row whose tokens cost ``factor`` times as much."""
    nano: list[int | None] = list(row.nano_usd)
    for place in range(len(CLASSES)):
        each = row.nano_usd[place]
        if each is not None:
            if each * factor != int(each * factor):
                raise wrong("this makes a price with more than nine digits behind the point", at)
            nano[place] = int(each * factor)
    return Row(row.above, tuple(nano), tier)


def nano_usd(dollars: object) -> int | None:
    """Dollars as written, in nano-dollars; None for what is no price. Exact: a float's shortest
    text is what stood in the file."""
    if isinstance(dollars, bool) or not isinstance(dollars, (int, float)) or not isfinite(dollars):
        return None
    nano = Decimal(repr(dollars)) * NANO
    return int(nano) if 0 <= nano <= _DOLLARS_MAX * NANO and nano == int(nano) else None


def factor(number: object) -> Decimal | None:
    """A number from 0 to 100, exactly as written; None for anything else."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 100:
        return None
    return Decimal(repr(number))


def cents(dollars: object) -> int | None:
    """As ``nano_usd``, of a single thing: at most 1,000 dollars."""
    nano = nano_usd(dollars)
    return nano if nano is not None and nano <= 1000 * NANO else None


_KIND = r"[a-z0-9_]{0,20}/[a-z0-9]{0,20}"  # quality/size
_NAME = r"[a-z0-9-]{1,40}"
_NUMBER = {"type": "number", "minimum": 0}
_MONEY = Parsed(nano_usd, "dollars per million tokens, at most nine digits behind the point",
                "2.50", _NUMBER)
_SINGLE = Parsed(cents, "dollars for one, at most nine digits behind the point", "0.04", _NUMBER)
_FACTOR = Parsed(factor, "a number from 0 to 100, or prices", "0.5", _NUMBER)
_TOKENS = Whole(1, 1 << 32)
_NAMES = ListOf(Text("a name or pattern", longest=256), 1, 1000)
_PRICES = {name: _MONEY for name in CLASSES}
_ABOVE = Object({"tokens": _TOKENS, **_PRICES}, ("tokens", "input", "output"))


class _OneOrMore(ListOf):
    """A length of the prompt, or several."""

    def take(self, node, path, reading):
        if hasattr(node, "entries"):
            return self.item.take(node, path, reading)
        return super().take(node, path, reading)


class _Either(Parsed):
    """A number, or an object."""

    def __init__(self, number: Parsed, other: Any) -> None:
        super().__init__(number.parse, number.wanted, number.example, number.schema())
        self.other = other

    def take(self, node, path, reading):
        if hasattr(node, "entries"):
            return self.other.take(node, path, reading)
        return super().take(node, path, reading)


_LENGTHS = _OneOrMore(_ABOVE, 1, 2)
_UNITS = {
    "images": _Either(_SINGLE, MapOf(_SINGLE, _KIND, PICTURES_MAX)),
    "audio_hour": _MONEY, "characters": _MONEY, "searches": _MONEY,
}  # fmt: skip
_TIER = Object({**_PRICES, **_UNITS, "above": _LENGTHS}, ("input", "output"))
_ENTRY = Object(
    {
        "dialect": Choice(DIALECTS), "models": _NAMES, "hosts": _NAMES,
        "providers": _NAMES, **_PRICES, **_UNITS, "above": _LENGTHS,
        "tiers": Object({name: _Either(_FACTOR, _TIER) for name in TIERS[1:]}),
        "searches_paid": Choice(("each", "answer")),
        "max_output": _TOKENS, "context": _TOKENS,
        "limit_name": Choice(("max_tokens", "max_completion_tokens")),
        "source": Text("the name of one of `sources`", longest=64),
    },
    ("models",),
)  # fmt: skip
_SOURCE = Object({"url": Text("where it was read"), "seen": Text("the day, as 2026-02-15")},
                 ("url", "seen"))
_TABLE = Object(
    {"version": Whole(1, 2**32 - 1), "prices": ListOf(_ENTRY),
     "sources": MapOf(_SOURCE, _NAME, 100)},
    ("prices",),
)  # fmt: skip
