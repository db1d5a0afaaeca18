"""What tokens cost: the table that ships with fastgw, and the operator's own over it.

A price is found once per candidate, before any fork; only models that no candidate names are
looked up while serving (``fastgw.usage.pricing``). What stands in neither table has no price: its
cost is unknown, which is null in records and never 0.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from importlib import resources
from math import isfinite
from typing import Any

from fastgw.config.document import read_document
from fastgw.config.schema import DIALECTS
from fastgw.config.shape import INVALID, Choice, ListOf, Object, Parsed, Reading, Text, Whole
from fastgw.errors import ConfigError

NANO = 10**9
UNKNOWN = 2**64 - 1
# struct fgw_price (csrc/fgw_price.h)
HEAD, TIER = struct.Struct("<IBB2xQQ"), struct.Struct("<9Q")
TIERS_MAX = 3
OLD_LIMIT_NAME = 1
# The order of struct fgw_tokens, and what a class without a price of its own is paid as.
CLASSES = {
    "input": None, "cached_input": "input", "cache_write": "input",
    "cache_write_1h": "cache_write", "output": None, "reasoning": "output",
    "audio_input": None, "audio_output": None,
}  # fmt: skip
_DOLLARS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """Nano-dollars per million tokens by class (None: unknown), where more than ``above`` input
    tokens are sent."""

    above: int
    nano_usd: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs and how much it can write. No tiers: its price is unknown."""

    version: int = 0
    tiers: tuple[Tier, ...] = ()
    output_max: int = 0  # tokens of one answer; 0: unknown
    window: int = 0  # tokens, input and output together; 0: unknown
    old_limit_name: bool = False

    def pack(self) -> bytes:
        """As ``struct fgw_price``."""
        packed = HEAD.pack(self.version, len(self.tiers), OLD_LIMIT_NAME * self.old_limit_name,
                           self.output_max, self.window)
        for tier in self.tiers:
            packed += TIER.pack(tier.above, *(
                UNKNOWN if each is None else each for each in tier.nano_usd))
        return packed + bytes(TIER.size * (TIERS_MAX - len(self.tiers)))

    @classmethod
    def unpack(cls, packed: bytes) -> Price:
        version, tiers, flags, output_max, window = HEAD.unpack_from(packed)
        found = []
        for number in range(tiers):
            above, *nano = TIER.unpack_from(packed, HEAD.size + number * TIER.size)
            found.append(Tier(above, tuple(None if each == UNKNOWN else each for each in nano)))
        return cls(version, tuple(found), output_max, window, bool(flags & OLD_LIMIT_NAME))


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
    shipped = resources.files("fastgw.usage").joinpath("prices.yaml").read_bytes()
    return PriceTable([*entries, *read_prices(shipped, "prices.yaml")])


def read_prices(text: bytes, file: str) -> list[Entry]:
    """The entries of a table; without a `version` it gets a checksum for one. Raises the first
    ConfigError, with line and column."""
    reading = Reading(file)
    values = _TABLE.read(read_document(text, file, {}), "", reading)
    if values is INVALID:
        raise reading.errors[0]
    version = values.get("version") or zlib.crc32(text) or 1
    return [_entry(line, f"prices[{at}]", version, reading)
            for at, line in enumerate(values["prices"])]


def _entry(line: dict[str, Any], path: str, version: int, reading: Reading) -> Entry:
    above = line.get("above", [])
    above = [above] if isinstance(above, dict) else above
    tiers = [_tier(0, line)]
    for number, more in enumerate(above):
        if more["tokens"] <= tiers[-1].above:
            place = reading.place(f"{path}.above[{number}].tokens")
            raise ConfigError("tiers must rise", file=place.file, line=place.line,
                              column=place.column, key=place.key)
        tiers.append(_tier(more["tokens"], more))
    price = Price(version, tuple(tiers), line.get("max_output", 0), line.get("context", 0),
                  line.get("limit_name") == "max_tokens")
    return Entry(line.get("dialect", ""), tuple(line["models"]), tuple(line.get("hosts", ())),
                 tuple(line.get("providers", ())), price)


def _tier(above: int, line: dict[str, int]) -> Tier:
    found: dict[str, int | None] = {}
    for name, instead in CLASSES.items():
        found[name] = line.get(name, found[instead] if instead else None)
    return Tier(above, tuple(found.values()))


def nano_usd(dollars: object) -> int | None:
    """Dollars as written, in nano-dollars; None for what is no price. Exact: a float's shortest
    text is what stood in the file."""
    if isinstance(dollars, bool) or not isinstance(dollars, (int, float)) or not isfinite(dollars):
        return None
    nano = Decimal(repr(dollars)) * NANO
    return int(nano) if 0 <= nano <= _DOLLARS_MAX * NANO and nano == int(nano) else None


_MONEY = Parsed(nano_usd, "dollars per million tokens, at most nine digits behind the point",
                "2.50", {"type": "number", "minimum": 0})
_TOKENS = Whole(1, 1 << 32)
_NAMES = ListOf(Text("a name or pattern", longest=256), 1, 1000)
_PRICES = {name: _MONEY for name in CLASSES}
_ABOVE = Object({"tokens": _TOKENS, **_PRICES}, ("tokens", "input", "output"))


class _OneOrMore(ListOf):
    """A tier, or several."""

    def take(self, node, path, reading):
        if hasattr(node, "entries"):
            return self.item.take(node, path, reading)
        return super().take(node, path, reading)


_ENTRY = Object(
    {
        "dialect": Choice(DIALECTS), "models": _NAMES, "hosts": _NAMES,
        "providers": _NAMES, **_PRICES, "above": _OneOrMore(_ABOVE, 1, TIERS_MAX - 1),
        "max_output": _TOKENS, "context": _TOKENS,
        "limit_name": Choice(("max_tokens", "max_completion_tokens")),
    },
    ("models", "input", "output"),
)  # fmt: skip
_TABLE = Object({"version": Whole(1, 2**32 - 1), "prices": ListOf(_ENTRY)}, ("prices",))
