"""Runs inside the measured process: one bench, n times and then 2n times.

The difference of the two is n times the operation, exactly: start-up, the calls around it and
everything else that happens once are in both.

    python -m benchmarks.inside FILE instructions N LIBRARY   (below valgrind)
    python -m benchmarks.inside FILE counts N                 (with count.so preloaded)
"""

import ctypes
import gc
import importlib.util
import json
import sys
from pathlib import Path

PAGE = ("allocations", "syscalls", "waits", "reads", "writes")


class Compiled:
    """A bench in C: `bench_setup` and `bench_run` of a library."""

    def __init__(self, path: str):
        library = ctypes.CDLL(path)
        self.setup, self._run = library.bench_setup, library.bench_run
        self._run.argtypes, self._run.restype = [ctypes.c_size_t], None

    def run(self, n: int) -> None:
        self._run(n)


def load(path: str):
    """A bench: a file with `setup()` and `run(n)`, n times the operation."""
    name = Path(path).name
    if name.endswith(".so") and name.count(".") == 1:
        return Compiled(path)
    spec = importlib.util.spec_from_file_location(name.partition(".")[0], path)
    assert spec is not None and spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    return bench


def instructions(bench, n: int, library: str) -> None:
    """Leaves three parts behind callgrind's output file: warm-up, n and 2n."""
    marks = ctypes.CDLL(library)
    dump = marks.bench_mark_dump
    dump.argtypes = [ctypes.c_char_p]
    marks.bench_mark_start()
    bench.run(n)
    dump(b"warm")
    bench.run(n)
    dump(b"once")
    bench.run(2 * n)
    dump(b"twice")


def counts(bench, n: int) -> None:
    """Prints what one operation asked of malloc and kernel, as JSON."""
    preloaded = ctypes.CDLL(None)
    preloaded.bench_count_page.restype = ctypes.c_void_p
    page = (ctypes.c_uint64 * len(PAGE)).from_address(preloaded.bench_count_page())
    seen = []
    for repeat in (n, n, 2 * n):
        bench.run(repeat)
        seen.append(list(page))
    each = [(c - 2 * b + a) / n for a, b, c in zip(*seen, strict=True)]
    print(json.dumps(dict(zip(PAGE, each, strict=True))))


def main(path: str, what: str, n: str, library: str = "") -> None:
    bench = load(path)
    bench.setup()
    bench.run(int(n))
    gc.collect()
    gc.freeze()
    gc.disable()
    if what == "instructions":
        instructions(bench, int(n), library)
    else:
        counts(bench, int(n))


if __name__ == "__main__":
    main(*sys.argv[1:])
