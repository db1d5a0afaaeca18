"""One limit taken and settled in C, beside what others do for it: a table for people.

    python -m benchmarks.bench_limit
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

ALGORITHMS = ("token_bucket", "fixed_window", "sliding_window", "concurrency", "cap")
OTHERS = (
    ("one compare-and-swap, as governor does (one unit, no settling, no key)", ("gcra",)),
)
TRIPS = (("round trip to Redis on loopback: PING", "ping"), ("INCR", "incr"),
         ("token bucket in Lua, EVALSHA", "bucket"))


def built(folder: Path) -> Path:
    """csrc/limit_table.c with the kernels that it measures."""
    program = folder / "limit_table"
    kernels = [path for name in ("limit", "bucket", "window", "word", "table", "hold", "segment",
                                 "counters", "cluster", "hash") for path in
               ROOT.glob(f"csrc/fgw_{name}*.c")]
    subprocess.run(["gcc", "-std=c11", "-O3", "-flto", "-mcx16", "-Wall", "-Wextra", "-Werror",
                    "-I", ROOT / "csrc", "-o", program, ROOT / "benchmarks/csrc/limit_table.c",
                    *kernels], check=True)
    return program


def measured(program: Path, *arguments: str) -> float:
    """Nanoseconds."""
    return float(subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE,
                                text=True).stdout)


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str | None]:
    """The port of a redis-server that ends with us; None where it is not installed."""
    server = shutil.which("redis-server")
    if server is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen([server, "--port", port, "--bind", "127.0.0.1", "--save", "",
                                "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), \
                    socket.create_connection(("127.0.0.1", int(port)), 1):
                break
            time.sleep(0.01)
        yield port
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Prints it."""
    with tempfile.TemporaryDirectory(prefix="fgw-bench-") as name:
        folder = Path(name)
        program = built(folder)
        for algorithm in ALGORITHMS:
            print(f"{measured(program, 'ours', algorithm):10.1f} ns  {algorithm}: take + settle")
        for text, arguments in OTHERS:
            print(f"{measured(program, *arguments):10.1f} ns  {text}")
        with redis_server(folder) as port:
            if port is None:
                print("(no redis-server here: apt-get install redis-server)")
                return
            for text, what in TRIPS:
                print(f"{measured(program, 'redis', port, what):10.1f} ns  {text}")
