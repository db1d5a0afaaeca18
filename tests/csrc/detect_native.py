"""The detection kernels, as a library built from csrc/ and called through ctypes."""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
KINDS = ("api_key", "private_key", "payment_card", "us_ssn", "email", "phone", "iban", "jwt")
ALL = (1 << len(KINDS)) - 1
BEFORE, HOLD = 64, 320


class Find(ctypes.Structure):
    _fields_ = [("start", ctypes.c_uint32), ("end", ctypes.c_uint32),
                ("kind", ctypes.c_uint8), ("swallow", ctypes.c_uint8)]


class Rules(ctypes.Structure):
    _fields_ = [("kinds", ctypes.c_uint32), ("n_patterns", ctypes.c_uint32),
                ("patterns", ctypes.c_void_p)]


class Rest(ctypes.Structure):
    _fields_ = [("swallow", ctypes.c_uint8), ("dashes", ctypes.c_uint8),
                ("lines", ctypes.c_uint8), ("reserved", ctypes.c_uint8),
                ("bytes", ctypes.c_uint32)]


@functools.cache
def library() -> ctypes.CDLL:
    """Builds once per process; undefined behaviour traps, so it cannot pass unseen."""
    folder = tempfile.TemporaryDirectory(prefix="fgw-detect-")
    target = Path(folder.name) / "detect.so"
    subprocess.run(
        ["gcc", *STRICT, "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared",
         "-fPIC", "-I", ROOT / "csrc", "-o", target, Path(__file__).with_name("detect_shim.c"),
         *ROOT.glob("csrc/fgw_detect*.c"),
         *ROOT.glob("csrc/fgw_regex*.c")],
        check=True,
    )  # fmt: skip
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder  # removed with the library
    loaded.shim_new.restype = ctypes.c_void_p
    loaded.shim_document.restype = loaded.shim_cut.restype = ctypes.c_int64
    loaded.shim_path.restype = ctypes.c_size_t
    return loaded


def mask(*kinds: str) -> int:
    return sum(1 << KINDS.index(kind) for kind in kinds) if kinds else ALL


def find(text: bytes, *kinds: str, cuts=()) -> list[tuple[int, int, str]]:
    """What is found in a text that comes in pieces: (start, end, kind). Holds the kernel to its
    bounds: context before, hold behind."""
    lib, rules, one = library(), Rules(mask(*kinds)), Find()
    found: list[list] = []
    at, rest = 0, None
    for end in [*cuts, len(text)]:
        while True:
            if rest is not None and rest.swallow:
                taken = lib.fgw_detect_swallow(ctypes.byref(rest), text[at:end], end - at)
                found[-1][1] += taken
                at += taken
                if rest.swallow:
                    break
            low = max(0, at - BEFORE)
            final = end == len(text)
            hit = lib.fgw_detect_next(ctypes.byref(rules), text[low:end], end - low, at - low,
                                      final, ctypes.byref(one))
            start = one.start + low
            assert start >= at
            if not hit:
                assert end - start <= HOLD + 8
                at = start
                break
            found.append([start, one.end + low, KINDS[one.kind]])
            at = one.end + low
            rest = Rest(one.swallow) if one.swallow else None
    return [tuple(one) for one in found]


class Job:
    """One document or stream. ``kinds`` are looked for, ``redact`` of them cut out."""

    def __init__(self, kinds: int = ALL, redact: int = ALL) -> None:
        self.lib = library()
        self.shim = ctypes.c_void_p(self.lib.shim_new(kinds, redact))

    def document(self, text: bytes, document: int = 0) -> bytes:
        room = len(text) * 4 + 100
        out = ctypes.create_string_buffer(room)
        length = self.lib.shim_document(self.shim, document, text, ctypes.c_size_t(len(text)), out,
                                        ctypes.c_size_t(room))
        assert length >= 0, length
        return out.raw[:length]

    def path(self, kind: str) -> str:
        out = ctypes.create_string_buffer(96)
        length = self.lib.shim_path(self.shim, KINDS.index(kind), out)
        return out.raw[:length].decode()

    def count(self, kind: str) -> int:
        return self.lib.shim_count(self.shim, KINDS.index(kind))

    def event(self, block: bytes, base: int) -> int:
        return self.lib.shim_event(self.shim, block, ctypes.c_size_t(len(block)), base)

    def let_out(self) -> None:
        self.lib.shim_let_out(self.shim)

    def cut(self, text: bytes) -> bytes:
        """The stream so far, with labels."""
        room = len(text) * 4 + 100
        out = ctypes.create_string_buffer(room)
        length = self.lib.shim_cut(self.shim, text, ctypes.c_size_t(len(text)), out,
                                   ctypes.c_size_t(room))
        assert length >= 0
        return out.raw[:length]

    def decided(self, base: int, length: int) -> int:
        return self.lib.shim_decided(self.shim, base, length)
