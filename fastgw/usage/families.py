"""How many tokens a text is for models whose tokenizers are not at hand: a ratio and its error.

o200k_base counts, and a family's ratio for that class of writing makes its tokens of the count.
`families.yaml` has ratios and errors as measured by `python -m tools.ratios` on texts of five
classes, each family by its own tokenizer or the nearest that is public; the errors are those of
pieces that the ratio was not made from. Where nothing is known of a family, or of a script, the
widest of all holds.

    a piece      class_of: prose, code, european, cyrillic, cjk; other: nothing is known of it
    its tokens   o200k_base's count x ratio x [low, high]: the 1st to the 99th percentile

So of a hundred texts like the measured ones two lie outside; it is an estimate, no bound. Bounds
that caps hold are bytes (csrc/fgw_dialect_ask.h).

Attempts whose number no provider has told are booked so (`Tokenizers.said`, `Tokenizers.asked`):
`ratios` is what is compiled for a model, `worth` the error that goes with it. Two errors that
come together (a ratio's and a sample's) are multiplied: at least as wide as they are.
"""

from __future__ import annotations

import functools
import re
import string
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from fastgw.usage import tokens
from fastgw.usage.normal import normalise

NEAREST = "o200k_base"
CLASSES = ("prose", "code", "european", "cyrillic", "cjk")
OTHER = "other"
KINDS = (*CLASSES, OTHER)  # enum fgw_writing
BYTES_PER_TOKEN = 4  # of what nothing is known of
PIECE = 2000        # characters of a piece; what is shorter than SHORT has errors of its own
SHORT = 1000
SHORT_TOKENS = 250
SIGNS = frozenset(string.punctuation + string.digits) - frozenset(".,'-?!\"")
CJK, CYRILLIC, FOREIGN, ACCENTED, SIGNED = 20, 20, 5, 1, 12  # per cent


@dataclass(frozen=True, slots=True)
class Error:
    """Quantiles of (a piece's true tokens / the estimate): 1 %, 99 %."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Tokens for each token of o200k_base; errors of long pieces and of short ones."""

    ratio: float
    long: Error
    short: Error


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens of o200k_base for a byte, as `Ratio`; and the error of what a sample says."""

    rate: float
    long: Error
    short: Error
    sample: Error


@dataclass(frozen=True, slots=True)
class Family:
    """`nearness` says what the figures were measured with."""

    name: str
    models: re.Pattern[str]
    source: str
    nearness: str
    classes: dict[str, Ratio]


@dataclass(frozen=True, slots=True)
class Estimate:
    """`family`: an encoding's name where the count is exact, None where no family is known."""

    tokens: int
    low: int
    high: int
    family: str | None
    exact: bool


def class_of(text: str) -> str:
    """What kind of writing a piece is, by shares of its characters that are no white space."""
    letters = [ord(character) for character in text if not character.isspace()]
    if not letters:
        return "code"
    total = len(letters)
    cjk = sum(0x2E80 <= code < 0xA000 or 0xF900 <= code < 0xFB00 or 0xFF00 <= code < 0xFFF0
              for code in letters)
    cyrillic = sum(0x400 <= code < 0x530 for code in letters)
    accented = sum(0xC0 <= code < 0x250 for code in letters)
    foreign = sum(0x250 <= code < 0x2000 or code >= 0xA000 for code in letters) - cyrillic
    foreign -= sum(0xF900 <= code < 0xFB00 or 0xFF00 <= code < 0xFFF0 for code in letters)
    if foreign * 100 > FOREIGN * total:
        return OTHER
    if cjk * 100 > CJK * total:
        return "cjk"
    if cyrillic * 100 > CYRILLIC * total:
        return "cyrillic"
    if accented * 100 > ACCENTED * total:
        return "european"
    signs = sum(character in SIGNS for character in text)
    return "code" if signs * 100 > SIGNED * total else "prose"


@functools.cache
def _figures() -> dict[str, Any]:
    text = resources.files("fastgw.usage").joinpath("families.yaml").read_text()
    figures: dict[str, Any] = yaml.safe_load(text)
    return figures


def version() -> int:
    """Of the figures."""
    return int(_figures()["version"])


@functools.cache
def rates() -> dict[str, Rate]:
    """By class, of o200k_base itself."""
    return {kind: Rate(one["rate"], *(Error(*one[name]) for name in ("long", "short", "sample")))
            for kind, one in _figures()["encoding"].items()}


@functools.cache
def families() -> tuple[Family, ...]:
    """As the data have them; the first whose pattern is in a model's name is its own."""
    raw = _figures()["families"]
    return tuple(
        Family(name, re.compile(f"(?<![a-z0-9])(?:{one['models']})"), one["source"],
               one["nearness"],
               {kind: Ratio(each["ratio"], Error(*each["long"]), Error(*each["short"]))
                for kind, each in one["classes"].items()})
        for name, one in raw.items())


@functools.cache
def widest(kind: str) -> Ratio:
    """What holds for families that nothing is known of: the middle, and the outermost of all."""
    known = [family.classes[kind] for family in families() if kind in family.classes]
    ratio = sorted(one.ratio for one in known)[len(known) // 2]

    def outermost(size: str) -> Error:
        errors = [(one.ratio, getattr(one, size)) for one in known]
        return Error(min(own * error.low for own, error in errors) / ratio,
                     max(own * error.high for own, error in errors) / ratio)

    return Ratio(ratio, outermost("long"), outermost("short"))


@functools.cache
def family_of(model: str) -> Family | None:
    """The family of a model, by its name without what stands before the last slash."""
    name = model.rpartition("/")[2].lower()
    return next((family for family in families() if family.models.search(name)), None)


def estimate(text: str, model: str) -> Estimate:
    """Tokens of ``text`` for ``model``; nothing that a provider adds to it is in them."""
    encoding = tokens.encoding_of(model)
    if encoding is not None:
        exact = tokens.count(text, encoding)
        return Estimate(exact, exact, exact, encoding, True)
    family = family_of(model)
    point = low = high = 0.0
    size = "short" if len(text) < SHORT else "long"
    for at in range(0, len(text), PIECE):
        piece = text[at:at + PIECE]
        count, kind = tokens.count(piece, NEAREST), class_of(piece)
        if kind == OTHER:  # no tokenizer makes more of a text than it has bytes
            point, low, high = point + count, low + count / 4, high + len(piece.encode(
                "utf-8", "surrogatepass"))
            continue
        ratio = widest(kind) if family is None else family.classes[kind]
        error: Error = getattr(ratio, size)
        point += count * ratio.ratio
        low += count * ratio.ratio * error.low
        high += count * ratio.ratio * error.high
    # A token at either end, where the text is cut out of another.
    return Estimate(round(point), max(0, int(low) - 1), int(high) + 2 if text else 0,
                    None if family is None else family.name, False)


def ratios(model: str) -> tuple[list[int], list[int]]:
    """In thousandths, by `KINDS`: the model's tokens for one of the encoding that counts (its own,
    else o200k_base), and for a byte where none does."""
    family, exact = family_of(model), tokens.encoding_of(model) is not None
    by_count, by_bytes = [], []
    for kind in CLASSES:
        ratio = 1.0 if exact else (widest(kind) if family is None else family.classes[kind]).ratio
        by_count.append(round(1000 * ratio))
        by_bytes.append(round(1000 * ratio * rates()[kind].rate))
    return [*by_count, 1000], [*by_bytes, 1000 // BYTES_PER_TOKEN]


def tell(decision: dict[str, Any]) -> dict[str, Any]:
    """Adds to each estimate of a decision's attempts what it is worth: ``family``, ``ratio`` and
    ``error``, the 1st and 99th percentile of (true / the point); None where that is not known."""
    for attempt in decision.get("attempts", ()):
        usage = attempt["usage"] or {}
        for field, one in usage.get("estimates", {}).items():
            if "writing" in one:
                one |= worth(attempt["model"], one["by"], one["writing"], one["sampled"],
                             usage[field])
    return decision


def tell_event(event: dict[str, Any]) -> dict[str, Any]:
    """The same, of an attempt as exports have it (fastgw.ledger.events)."""
    shown: dict[str, Any] = {**normalise(event)}
    for field, one in event["estimates"].items():
        if "writing" in one:
            one |= worth(event["upstream_model"], one["by"], one["writing"], one["sampled"],
                         shown[field])
    return event


def worth(model: str, by: str, writing: str, sampled: bool, size: int) -> dict[str, Any]:
    """Of an estimate of ``size`` tokens."""
    encoding, family = tokens.encoding_of(model), family_of(model)
    told: dict[str, Any] = {"family": family.name if family else None, "ratio": None,
                            "error": None, "version": version()}
    if encoding is not None:
        told["family"] = encoding
    if writing not in CLASSES:
        return told
    ratio, error, length = 1.0, Error(1.0, 1.0), "short" if size < SHORT_TOKENS else "long"
    if encoding is None:
        found = widest(writing) if family is None else family.classes[writing]
        ratio, error = found.ratio, getattr(found, length)
    rate = rates()[writing]
    if by == "rate":
        ratio, error = ratio * rate.rate, _both(error, getattr(rate, length))
    elif sampled:
        error = _both(error, rate.sample)
    return told | {"ratio": round(ratio, 3), "error": [round(error.low, 2), round(error.high, 2)]}


def _both(one: Error, other: Error) -> Error:
    return Error(one.low * other.low, one.high * other.high)
