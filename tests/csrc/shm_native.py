"""The kernels of shared memory under test: built from csrc/, called by ctypes or as programs."""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT.parent / "shared/vectors"
SOURCES = [ROOT / f"csrc/fgw_{name}.c" for name in
           ("books", "bucket", "window", "word", "table", "hold", "counters", "segment", "limit",
            "limit_settle", "limit_lease", "cluster", "wheel")]
STRICT = ["-std=c11", "-O2", "-g1", "-mcx16", "-Wall", "-Wextra", "-Wconversion", "-Wshadow",
          "-Werror", f"-I{ROOT / 'csrc'}"]
TRAP = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]

NEVER, GONE = -1, -2
FOLDERS: list[tempfile.TemporaryDirectory] = []  # removed when the tests end


def _target(name: str) -> Path:
    FOLDERS.append(tempfile.TemporaryDirectory(prefix="fgw-shm-"))
    return Path(FOLDERS[-1].name) / name


@functools.cache
def library(*flags: str) -> ctypes.CDLL:
    """All kernels of the segment; undefined behaviour traps, so it cannot pass unseen."""
    target = _target("shm.so")
    subprocess.run(["gcc", *STRICT, *TRAP, *flags, "-shared", "-fPIC", "-o", target, *SOURCES],
                   check=True)
    loaded = ctypes.CDLL(str(target))
    for name in ("bucket_take", "bucket_try", "window_take", "window_try"):
        getattr(loaded, f"fgw_{name}").restype = ctypes.c_int64
    loaded.fgw_table_span.restype = loaded.fgw_window_span.restype = ctypes.c_uint16
    loaded.fgw_table_find.restype = loaded.fgw_table_insert.restype = ctypes.c_int64
    loaded.fgw_table_cell.restype = loaded.fgw_wheel_pop.restype = ctypes.c_void_p
    loaded.fgw_word_value.restype = ctypes.c_uint64
    return loaded


@functools.cache
def program(source: str, *flags: str) -> Path:
    """tests/csrc/<source>, linked with the kernels."""
    target = _target(Path(source).stem)
    subprocess.run(["gcc", *STRICT, *flags, "-o", target, ROOT / "tests/csrc" / source, *SOURCES],
                   check=True)
    return target


def run(path: Path, *args: object, timeout: float = 60) -> dict[str, int]:
    """What a program prints as `name=number` words. AssertionError with its stderr if it fails."""
    done = subprocess.run([path, *map(str, args)], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr or done.stdout}"
    return {name: int(number) for name, number in
            (word.split("=") for word in done.stdout.split())}


def u64(value: int) -> ctypes.c_uint64:
    return ctypes.c_uint64(value)


class Bucket:
    """One bucket in memory of its own, with the quota it is judged by."""

    def __init__(self, capacity: int, period_ns: int):
        self.lib = library()
        self.word = ctypes.c_uint64(0)
        self.quota = (ctypes.c_uint64 * 3)()
        if self.lib.fgw_quota_init(self.quota, u64(capacity), u64(period_ns)):
            raise ValueError("no such quota")
        self.owed_until = 0

    def requota(self, capacity: int, period_ns: int) -> None:
        assert self.lib.fgw_quota_init(self.quota, u64(capacity), u64(period_ns)) == 0

    def take(self, units: int, now_ns: int) -> int:
        owed = ctypes.c_uint64(0)
        said = self.lib.fgw_bucket_take(ctypes.byref(self.word), self.quota, u64(units),
                                        u64(now_ns), ctypes.byref(owed))
        self.owed_until = owed.value
        return said

    def ask(self, units: int, now_ns: int) -> int:
        return self.lib.fgw_bucket_try(ctypes.byref(self.word), self.quota, u64(units),
                                       u64(now_ns))

    def charge(self, units: int, now_ns: int) -> int:
        return self.lib.fgw_bucket_charge(ctypes.byref(self.word), self.quota, u64(units),
                                          u64(now_ns))

    def refund(self, units: int, owed_until_ns: int, now_ns: int) -> int:
        return self.lib.fgw_bucket_refund(ctypes.byref(self.word), self.quota, u64(units),
                                          u64(owed_until_ns), u64(now_ns))

    def peek(self, now_ns: int) -> tuple[int, int]:
        used, reset = ctypes.c_uint64(0), ctypes.c_uint64(0)
        self.lib.fgw_bucket_peek(ctypes.byref(self.word), self.quota, u64(now_ns),
                                 ctypes.byref(used), ctypes.byref(reset))
        return used.value, reset.value
