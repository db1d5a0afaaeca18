"""Writes csrc/fgw_bpe_class.c: the classes of characters that tokenizers cut text by.

    python -m tools.unicode_classes           writes the file
    python -m tools.unicode_classes --check   exits 1 where it would differ

The classes are asked of the regular expressions inside tiktoken itself, because two Unicode
versions differ, and what counts is the one that it was built with.
"""

import sys
from pathlib import Path

from tiktoken._tiktoken import CoreBPE

TARGET = Path(__file__).resolve().parent.parent / "csrc/fgw_bpe_class.c"
# The order is that of enum fgw_bpe_class; what none matches is FGW_BPE_OTHER, 0.
PATTERNS = (r"[\p{Lu}\p{Lt}]", r"\p{Ll}", r"[\p{Lm}\p{Lo}]", r"\p{M}", r"\p{N}", r"[^\S\r\n]",
            r"[\r\n]")
MARK, OTHER = 4, 0
BLOCK, END = 128, 0x32400      # the table ends here; MARKS_AT is all that is beyond
MARKS_AT = range(0xE0100, 0xE01F0)
BYTES = {bytes([byte]): byte for byte in range(256)}
EVERYTHING = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


def members(pattern: str) -> str:
    """All characters that a pattern of one character matches: an encoder drops the rest."""
    return bytes(CoreBPE(BYTES, {}, pattern).encode_ordinary(EVERYTHING)).decode()


def classes() -> bytearray:
    found = bytearray(0x110000)
    for number, pattern in enumerate(PATTERNS, 1):
        for char in members(pattern):
            found[ord(char)] = number
    return found


def rows(values: list[str], columns: int) -> str:
    return "\n".join("    " + " ".join(values[at:at + columns])
                     for at in range(0, len(values), columns))


def source() -> str:
    found = classes()
    for code in range(END, 0x110000):
        if found[code] != (MARK if code in MARKS_AT else OTHER):
            raise SystemExit(f"U+{code:04X} is class {found[code]}: the table must be longer")
    blocks: dict[bytes, int] = {}
    numbers = [blocks.setdefault(bytes(found[at:at + BLOCK]), len(blocks))
               for at in range(0, END, BLOCK)]
    words = [sum(block[at + k] << 4 * k for k in range(16))
             for block in blocks for at in range(0, BLOCK, 16)]
    return f"""\
/* Made by tools/unicode_classes.py; do not edit. */
#include "fgw_bpe_class.h"

const uint8_t fgw_bpe_class_blocks[{len(numbers)}] = {{
{rows([f"{number}," for number in numbers], 18)}
}};

const uint64_t fgw_bpe_class_words[{len(words)}] = {{
{rows([f"0x{word:016x}," for word in words], 4)}
}};
"""


def main() -> int:
    if "--check" in sys.argv:
        return int(TARGET.read_text() != source())
    TARGET.write_text(source())
    return 0


if __name__ == "__main__":
    sys.exit(main())
