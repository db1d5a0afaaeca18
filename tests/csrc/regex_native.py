"""The regex kernel as a library: built under the sanitizers' traps, called through ctypes."""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(ROOT.glob("csrc/fgw_regex*.c"))
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
ROOM = 1 << 20


class Fault(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint32), ("length", ctypes.c_uint32),
                ("fault", ctypes.c_uint32)]


class Scratch(ctypes.Structure):
    _fields_ = [("memory", ctypes.c_void_p), ("room", ctypes.c_size_t),
                ("steps", ctypes.c_uint64), ("steps_max", ctypes.c_uint64)]


class BadPattern(Exception):
    def __init__(self, fault: Fault):
        self.text = library().fgw_regex_fault_text(fault.fault).decode()
        self.offset, self.length, self.fault = fault.offset, fault.length, fault.fault
        super().__init__(f"{self.text} at {self.offset}, {self.length} bytes")


@functools.cache
def library() -> ctypes.CDLL:
    """Builds once per process; undefined behaviour traps, so it cannot pass unseen."""
    folder = tempfile.TemporaryDirectory(prefix="fgw-regex-")
    target = Path(folder.name) / "regex.so"
    subprocess.run(
        ["gcc", *STRICT, "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared",
         "-fPIC", "-I", ROOT / "csrc", "-o", target, *SOURCES], check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder  # removed with the library
    loaded.fgw_regex_compile.restype = ctypes.c_int64
    loaded.fgw_regex_scratch_min.restype = loaded.fgw_regex_size.restype = ctypes.c_size_t
    loaded.fgw_regex_fault_text.restype = ctypes.c_char_p
    return loaded


def aligned(size: int) -> ctypes.Array:
    return (ctypes.c_uint64 * (size // 8 + 1))()


class Regex:
    """A compiled pattern. `table=False`: its table is taken away, so that the slower ways run."""

    def __init__(self, pattern: str | bytes, room: int = ROOM, table: bool = True):
        self.lib, fault = library(), Fault()
        encoded = pattern.encode() if isinstance(pattern, str) else pattern
        out = aligned(room)
        self.size = self.lib.fgw_regex_compile(
            encoded, ctypes.c_size_t(len(encoded)), out, ctypes.c_size_t(room),
            ctypes.byref(fault))
        if self.size < 0:
            raise BadPattern(fault)
        # Elsewhere, and exactly as long: nothing in it may point anywhere.
        self.program = aligned(self.size - 8)
        ctypes.memmove(self.program, out, self.size)
        if not table:
            ctypes.memset(ctypes.addressof(self.program) + 52, 0, 4)  # program.cells
        assert self.lib.fgw_regex_verify(self.program, ctypes.c_size_t(self.size)) == 0
        self.scratch_min = self.lib.fgw_regex_scratch_min(self.program)
        self.steps = 0

    def search(self, text: str | bytes, more: int = 0, steps_max: int = 0) -> bool | None:
        """Is it found in the text? `more`: bytes of scratch beyond the least. None: given up."""
        encoded = text.encode() if isinstance(text, str) else text
        room = self.scratch_min + more
        memory = aligned(room)
        scratch = Scratch(ctypes.addressof(memory), room, 0, steps_max)
        found = self.lib.fgw_regex_match(self.program, encoded, ctypes.c_size_t(len(encoded)),
                                         ctypes.byref(scratch))
        self.steps = scratch.steps
        assert found in (0, 1, -2)
        return None if found < 0 else bool(found)

    @property
    def has_table(self) -> bool:
        return ctypes.string_at(ctypes.addressof(self.program) + 52, 4) != bytes(4)

    @property
    def instructions(self) -> int:
        return int.from_bytes(bytes(self.program)[10:12], "little")
