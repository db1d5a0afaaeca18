"""Writes csrc/fgw_regex_unicode.c: Unicode's categories, some scripts, and which letters are one.

    python -m tools.regex_classes           writes the file
    python -m tools.regex_classes --check   exits 1 where it would differ

They are asked of RE2 itself, because two Unicode versions differ: a pattern is to mean here what
it means to whoever tried it with RE2.
"""

import functools
import sys
import textwrap
from itertools import groupby
from pathlib import Path

import re2

TARGET = Path(__file__).resolve().parent.parent / "csrc/fgw_regex_unicode.c"
# Their numbers are those of the table, 1 and up; 0 is unassigned (and the surrogates, which no
# text can have).
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf "
              "Co").split()
SCRIPTS = ("Latin Greek Cyrillic Armenian Hebrew Arabic Devanagari Thai Hangul Hiragana "
           "Katakana Han").split()
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
EVERYTHING = "".join(map(chr, CODES))


def members(pattern: str, among: str = EVERYTHING) -> list[int]:
    return [ord(char) for run in re2.findall(f"(?:{pattern})+", among) for char in run]


def categories() -> list[int]:
    """From code 0 on, one run after the other: how many codes << 5 | number."""
    found = bytearray(0x110000)
    for number, name in enumerate(CATEGORIES, 1):
        for code in members(rf"\p{{{name}}}"):
            found[code] = number
    return [len(list(run)) << 5 | number for number, run in groupby(found)]


def ranges(codes: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


@functools.cache
def next_in_orbit() -> dict[int, int]:
    """For each character that has others of the same letter: how far the next of them is, round
    and round (K, k, the Kelvin sign, K)."""
    asked = {ord(other) for char in EVERYTHING
             for other in (char.lower(), char.upper(), char.title(), char.casefold())
             if other != char and len(other) == 1}
    asked |= {ord(char) for char in EVERYTHING if {char.lower(), char.upper()} != {char}}
    among = "".join(map(chr, members(r"[\pL\pM\pN\pS]")))  # who else has cases?
    found: dict[int, int] = {}
    for code in sorted(asked):
        if code not in found:
            orbit = members(rf"(?i)\x{{{code:x}}}", among)
            for at, member in enumerate(orbit):
                found[member] = orbit[(at + 1) % len(orbit)] - member
    return {code: delta for code, delta in found.items() if delta}


def folds() -> list[tuple[int, int, int, int]]:
    """(first, last, step, delta): every step-th code of first..last has its next delta away."""
    by_delta: dict[int, list[int]] = {}
    for code, delta in sorted(next_in_orbit().items()):
        by_delta.setdefault(delta, []).append(code)
    found = []
    for delta, codes in by_delta.items():
        run = [codes[0]]
        for code in [*codes[1:], 1 << 30]:
            step = code - run[-1]
            if step <= 2 and (len(run) == 1 or step == run[-1] - run[-2]):
                run.append(code)
                continue
            found.append((run[0], run[-1], run[-1] - run[-2] if len(run) > 1 else 1, delta))
            run = [code]
    return sorted(found)


def rows(values: list[str]) -> str:
    return textwrap.fill(" ".join(value.replace(" ", "~") for value in values), 96,
                         initial_indent="    ", subsequent_indent="    ").replace("~", " ")


def source() -> str:
    runs, folded = categories(), folds()
    spans, ends = [], []
    for name in SCRIPTS:
        spans += ranges(members(rf"\p{{{name}}}"))
        ends.append(f'    {{"{name}", {len(spans)}}},')
    return f"""\
/* Made by tools/regex_classes.py; do not edit. */
#include "fgw_regex_unicode.h"

const uint32_t fgw_regex_categories[FGW_REGEX_CATEGORIES] = {{
{rows([f"{run}," for run in runs])}
}};

const struct fgw_regex_fold fgw_regex_folds[FGW_REGEX_FOLDS] = {{
{rows([f"{{0x{a:x}, {(b - a) // step + 1}, {step}, {delta}}}," for a, b, step, delta in folded])}
}};

const struct fgw_regex_script fgw_regex_scripts[FGW_REGEX_SCRIPTS] = {{
{chr(10).join(ends)}
}};

const uint32_t fgw_regex_spans[FGW_REGEX_SPANS][2] = {{
{rows([f"{{{a}, {b}}}," for a, b in spans])}
}};

/* {len(runs)} categories, {len(folded)} folds, {len(SCRIPTS)} scripts, {len(spans)} spans */
"""


def main() -> int:
    if "--check" in sys.argv:
        return int(TARGET.read_text() != source())
    TARGET.write_text(source())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
