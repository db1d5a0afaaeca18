"""fgw_bpe: classes from the oracle's own expressions, no read beyond the slice, bad files refused.

Method: the kernels built with trapping sanitizers, called through ctypes. A small vocabulary made
here stands for files that are wrong in one way each. Slices end at a page that must not be read.
That counts are right is shown in tests/usage/test_tokens.py.
"""

import base64
import ctypes
import functools
import mmap
import random
import subprocess

import pytest

from tests.csrc.shm_native import ROOT, STRICT, TRAP, _target
from tools import unicode_classes

CL100K, O200K = 1, 2
BYTES = [bytes([byte]) for byte in range(256)]
TEXTS = [b"it's  a\n\n test's", "中文A1\u0301'l".encode(), b"\xf0\x9f\x98", b"\xff\xed\xa0\x80",
         b" " * 300, b"'", b"x'r", "é".encode() * 200, b"ABC" * 120, b"!\n/" * 100]


@functools.cache
def library() -> ctypes.CDLL:
    target = _target("bpe.so")
    subprocess.run(["gcc", *STRICT, *TRAP, "-shared", "-fPIC", "-o", target,
                    *sorted(ROOT.glob("csrc/fgw_bpe*.c"))], check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.fgw_bpe_vocabulary_measure.restype = ctypes.c_int64
    loaded.fgw_bpe_tokens.restype = loaded.fgw_bpe_finish.restype = ctypes.c_uint64
    return loaded


def published(tokens: list[bytes]) -> bytes:
    return b"".join(base64.b64encode(token) + b" %d\n" % rank
                    for rank, token in enumerate(tokens))


def build(text: bytes, kind: int = O200K, room: int | None = None):
    """The vocabulary in memory of its own, or None where it is refused."""
    size = library().fgw_bpe_vocabulary_measure(text, ctypes.c_size_t(len(text)))
    if size < 0:
        return None
    memory = ctypes.create_string_buffer(size if room is None else room)
    failed = library().fgw_bpe_vocabulary_build(
        memory, ctypes.c_size_t(len(memory)), kind, text, ctypes.c_size_t(len(text)))
    return None if failed else memory


def test_the_table_of_classes_is_what_the_oracles_expressions_say():
    assert unicode_classes.TARGET.read_text() == unicode_classes.source()


def test_a_vocabulary_of_the_right_form_is_taken():
    assert build(published([*BYTES, b"he", b"ll", b"hell", b"hello"])) is not None


@pytest.mark.parametrize("text", [
    b"", b"aGVsbG8=", published(BYTES)[:-2] + b"x\n", published(BYTES[1:]),
    published([*BYTES, b"he", b"he"]),                  # a token twice
    published([*BYTES, b"hell"]),                       # which no merge makes
    published([b"he", *BYTES]),                         # before its bytes
    published([*BYTES, b"x" * 129]),                    # too long
    published(BYTES).replace(b" 7\n", b" 8\n"),         # out of order
    published(BYTES) + b"aGU= 99999999999\n", published(BYTES) + b"aGU=\n",
], ids=range(11))
def test_a_file_that_is_no_vocabulary_is_refused(text):
    assert build(text) is None


def test_too_little_room_and_unknown_patterns_are_refused():
    text = published(BYTES)
    assert build(text, kind=3) is None
    assert build(text, room=1000) is None
    assert build(text, room=5) is None


@pytest.mark.parametrize("kind", [CL100K, O200K])
def test_nothing_is_read_beyond_a_slice(kind):
    """Each slice ends where a page begins that must not be touched."""
    lib, vocabulary = library(), build(published([*BYTES, b"he", b"  ", b"es", b"'s"]), kind)
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + page), page, 0) == 0
    counter = ctypes.create_string_buffer(8192)
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    choice = random.Random(seed)

    for text in TEXTS * 20:
        counts = []
        for cuts in ([], sorted(choice.choices(range(len(text)), k=3)), range(1, len(text))):
            lib.fgw_bpe_start(counter)
            for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
                piece = text[begin:end]
                ctypes.memmove(start + page - len(piece), piece, len(piece))
                lib.fgw_bpe_feed(counter, vocabulary, ctypes.c_void_p(start + page - len(piece)),
                                 ctypes.c_size_t(len(piece)))
            counts.append(lib.fgw_bpe_finish(counter, vocabulary))
            assert lib.fgw_bpe_tokens(counter) == counts[-1]
        assert len(set(counts)) == 1, (text, counts)
