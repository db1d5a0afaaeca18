"""Writing: what kind a text is does not depend on how it is cut, and is what families.py says.

Method: the kernel by ctypes beside `class_of` on the whole text: texts of all scripts at any cut,
the shares at their very edges, every character that is white space somewhere. What tokens come of
it is compared with fractions.
"""

import ctypes
import functools
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastgw.ledger.vocabulary import WRITINGS
from fastgw.usage.families import KINDS, class_of

ROOT = Path(__file__).resolve().parents[2]


class Ratios(ctypes.Structure):
    _fields_ = [("by_count", ctypes.c_uint32 * 6), ("by_bytes", ctypes.c_uint32 * 6)]


@functools.cache
def library():
    folder = tempfile.TemporaryDirectory(prefix="fgw-writing-")
    target = Path(folder.name) / "writing.so"
    subprocess.run(
        ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
         "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared", "-fPIC",
         f"-I{ROOT / 'csrc'}", "-o", target, ROOT / "csrc/fgw_writing.c",
         ROOT / "csrc/fgw_sample.c"],
        check=True)  # fmt: skip
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder
    loaded.fgw_writing_tokens.restype = ctypes.c_uint64
    return loaded


def writing(*pieces: bytes) -> str:
    count = (ctypes.c_uint64 * 8)()
    for piece in pieces:
        library().fgw_writing_hear(count, piece, ctypes.c_size_t(len(piece)))
    return KINDS[library().fgw_writing_of(count)]


SCRIPTS = ("abcdefghij ", "the model's own, \"words\"! ", "{}[]();=<>0123456789/\\&|", "äöüéèñçß",
           "абвгдежзийклмн", "网关会记录每一次请求", "日本語かなカナ、。！", "안녕하세요", "مرحبا",
           "नमस्ते", "\U0001f600\U00020000\ufb00\u2014\u2026\u1e00\u0250")  # fmt: skip
TEXTS = st.lists(st.sampled_from(SCRIPTS).flatmap(
    lambda script: st.text(script, max_size=40)), max_size=6).map("".join)


@given(TEXTS | st.text(st.characters(exclude_categories=["Cs"]), max_size=80), st.randoms())
@example("", None)
@settings(max_examples=500, deadline=None)
def test_a_text_is_of_the_kind_that_python_says_however_it_is_cut(text, chance):
    raw = text.encode()
    assert writing(raw) == class_of(text)
    assert writing(*[raw[at:at + 1] for at in range(len(raw))]) == class_of(text)
    if chance:
        marks = sorted(chance.randrange(len(raw) + 1) for _ in range(3))
        assert writing(*[raw[a:b] for a, b in zip([0, *marks], [*marks, len(raw)],
                                                  strict=True)]) == class_of(text)


@pytest.mark.parametrize("kind, share", [("é", 1), ("ж", 20), ("网", 20), ("안", 5), ("{", 12)])
@pytest.mark.parametrize("size", [100, 200, 700, 2900])
def test_shares_are_met_to_the_letter(kind, share, size):
    for more in (-1, 0, 1):
        some = size * share // 100 + more
        text = kind * some + "a" * (size - some)
        assert writing(text.encode()) == class_of(text)
        assert (class_of(text) != "prose") == (more == 1)


def test_every_character_counts_as_in_python():
    """1 in 20 letters foreign is not enough, one more is: so each character shows what it is."""
    for code in [*range(0xD800), *range(0xE000, 0x11000), 0x1F600, 0x2FFFF, 0x10FFFF]:
        for text in (chr(code), chr(code) + "a", chr(code) + "a" * 4):
            assert writing(text.encode()) == class_of(text), hex(code)


def test_what_is_no_utf8_is_of_no_script_that_anybody_knows():
    for raw in (b"\xff\xff", b"\x80abc", b"\xe7\xbdabc", b"\xf0\x9f\x98\xc3(", b"\xc0\xaf"):
        assert writing(raw) == "other" == writing(*[raw[at:at + 1] for at in range(len(raw))])


def test_kinds_are_numbered_as_in_the_records():
    assert KINDS == WRITINGS
    header = (ROOT / "csrc/fgw_writing.h").read_text()
    assert [f"FGW_WRITING_{kind.upper()}" in header for kind in KINDS] == [True] * 6


@given(st.integers(0, 5), st.integers(1, 5000), st.integers(1, 2**20), st.integers(0, 2**40),
       st.integers(1, 4000))
def test_tokens_are_those_of_what_was_heard_by_the_ratio(kind, tokens, heard, total, thousandths):
    ratios = Ratios()
    ratios.by_count[kind], ratios.by_bytes[kind] = thousandths, thousandths // 4
    u64 = ctypes.c_uint64

    def of(count):
        return library().fgw_writing_tokens(
            ctypes.byref(ratios), kind, u64(count), u64(heard), u64(total))

    def rounded(share):
        return min(total, int(share + Fraction(1, 2)))

    assert of(tokens) == rounded(Fraction(total * tokens * thousandths, heard * 1000))
    assert of(0) == rounded(Fraction(total * (thousandths // 4), 1000))
