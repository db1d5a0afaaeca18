"""The ledger's kernels under test: a library for ctypes and small programs, built from csrc/."""

import ctypes
import functools
import mmap
import random
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    f"fgw_{name}.c" for name in ("ring", "refusals", "rollup", "pack", "unpack_1", "fold")
]
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
HEADER = 4096
_folder = tempfile.TemporaryDirectory(prefix="fgw-ledger-")


class Ring(ctypes.Structure):
    _fields_ = [("file", ctypes.c_void_p), ("area", ctypes.c_void_p)] + [
        (name, ctypes.c_uint64)
        for name in ("size", "head", "tail", "reserved", "claimed", "claimed_bytes")
    ]


class Facts(ctypes.Structure):
    _fields_ = [
        ("ring", ctypes.c_uint64), ("size", ctypes.c_uint64), ("slot", ctypes.c_uint32),
        ("lane", ctypes.c_uint32), ("boot", ctypes.c_uint8 * 16),
    ]  # fmt: skip


@functools.cache
def library() -> ctypes.CDLL:
    """Builds once per process; undefined behaviour traps, so it cannot pass unseen."""
    target = Path(_folder.name) / "ledger.so"
    _compile(
        target, "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared", "-fPIC"
    )
    loaded = ctypes.CDLL(str(target))
    for name in ("ring_look", "ring_copy", "pack", "unpack", "unpacked_size"):
        getattr(loaded, f"fgw_{name}").restype = ctypes.c_int64
    loaded.fgw_ring_claim.restype = ctypes.c_void_p
    loaded.fgw_ring_refusals.restype = ctypes.c_void_p
    loaded.fgw_ring_counter.restype = ctypes.c_uint64
    loaded.fgw_attempts_find.restype = ctypes.c_void_p
    return loaded


@functools.cache
def program(source: str) -> Path:
    """An executable of tests/csrc/<source> with the kernels."""
    target = Path(_folder.name) / Path(source).stem
    _compile(target, str(Path(__file__).with_name(source)))
    return target


def _compile(target: Path, *more: str) -> None:
    kernels = [str(ROOT / "csrc" / name) for name in SOURCES]
    command = ["gcc", *STRICT, "-I", str(ROOT / "csrc"), "-o", str(target), *more, *kernels]
    subprocess.run(command, check=True)


class Mapping:
    """A ring in memory of its own, with both sides."""

    def __init__(self, size: int = 16384, memory: mmap.mmap | None = None):
        self.lib = library()
        self.memory = memory or mmap.mmap(-1, HEADER + size)
        self.length = HEADER + size
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        if memory is None:
            facts = Facts(ring=77, size=size, slot=3, lane=0)
            assert self.lib.fgw_ring_format(self.at(0), ctypes.byref(facts)) == 0
        self.producer, self.consumer = Ring(), Ring()
        assert self.open_producer() == 0
        assert self.open_consumer() == 0

    @classmethod
    def over(cls, path: Path) -> "tuple[ctypes.CDLL, Mapping]":
        """A ring file, opened by both sides."""
        with open(path, "r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        mapping = cls(len(memory) - HEADER, memory)
        return mapping.lib, mapping

    def at(self, offset: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.address + offset)

    def open_producer(self) -> int:
        return self.lib.fgw_ring_open_producer(
            ctypes.byref(self.producer), self.at(0), ctypes.c_size_t(self.length)
        )

    def open_consumer(self) -> int:
        return self.lib.fgw_ring_open_consumer(
            ctypes.byref(self.consumer), self.at(0), ctypes.c_size_t(self.length)
        )

    def post(self, record: bytes, reserved: int = 0) -> bool:
        claim = self.lib.fgw_ring_claim(
            ctypes.byref(self.producer), ctypes.c_uint32(len(record)), ctypes.c_uint32(reserved)
        )
        if not claim:
            return False
        ctypes.memmove(claim, record, len(record))
        self.lib.fgw_ring_publish(ctypes.byref(self.producer), ctypes.c_uint32(reserved))
        return True

    def reserve(self, size: int, also: int = 0) -> bool:
        return (
            self.lib.fgw_ring_reserve(
                ctypes.byref(self.producer), ctypes.c_uint64(size), ctypes.c_uint64(also)
            )
            == 0
        )

    def look(self) -> int:
        return self.lib.fgw_ring_look(ctypes.byref(self.consumer))

    def copy(self, start: int | None = None, room: int = 1 << 15) -> tuple[int, bytes, int]:
        """(what C returned, the bytes, the position after them)."""
        out = ctypes.create_string_buffer(room)
        end = ctypes.c_uint64()
        start = self.consumer.tail if start is None else start
        written = self.lib.fgw_ring_copy(
            ctypes.byref(self.consumer),
            ctypes.c_uint64(start),
            out,
            ctypes.c_size_t(room),
            ctypes.byref(end),
        )
        return written, out.raw[: max(0, written)], end.value

    def release(self, position: int) -> int:
        return self.lib.fgw_ring_release(ctypes.byref(self.consumer), ctypes.c_uint64(position))

    def drain(self) -> bytes:
        assert self.look() >= 0
        written, records, end = self.copy()
        assert written >= 0
        assert self.release(end) == 0
        return records


def seeded(name: str) -> random.Random:
    """Randomness with a printed seed (pytest shows it when the test fails)."""
    seed = random.randrange(2**32)
    print(f"{name}: seed {seed}")
    return random.Random(seed)


class Guarded:
    """Bytes that end exactly before a page that cannot be read: one byte too far is a crash."""

    def __init__(self, content: bytes, align: int = 1):
        page = mmap.PAGESIZE
        pages = -(-len(content) // page) + 1
        self._memory = mmap.mmap(-1, pages * page)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        libc = ctypes.CDLL(None, use_errno=True)
        last = ctypes.c_void_p(base + (pages - 1) * page)
        assert libc.mprotect(last, ctypes.c_size_t(page), 0) == 0
        start = ((pages - 1) * page - len(content)) // align * align
        self._memory[start : start + len(content)] = content
        self.address = ctypes.c_void_p(base + start)
        self.length = ctypes.c_size_t(len(content))
