"""Limit: two buckets taken together and settled, from Python and with its overhead.

    python -m benchmarks.bench_limit      one limit in C, beside what others do for it
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.shm.segment import Segment

NOW = 10**12
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def limits(tmp_path):
    segment = Segment.create(tmp_path / "segment", workers=1)
    specs = [{"name": name, "unit": name, "algorithm": "token_bucket", "capacity": 10**6,
              "period_ns": 60 * 10**9, "enforced": True} for name in ("requests", "tokens")]
    return Limits(specs, Holds(segment, 0))


def test_take_and_settle_a_request_and_a_token_bucket(benchmark, limits):
    demands = [(0, (1, 2), True), (1, (3, 4), True)]
    now = NOW

    def one():
        nonlocal now
        now += 10**8
        trial = Trial(limits, wall_ns=now)
        taken = trial.take(demands, {"requests": 1, "tokens": 700}, now)
        trial.settle({"requests": 1, "tokens": 150}, now + 1000)
        trial.release()
        return taken

    assert benchmark(one)


# ---- beside others: python -m benchmarks.bench_limit

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
    subprocess.run(["gcc", "-std=c11", "-O3", "-flto", "-mcx16", "-Wall", "-Wextra", "-I", ROOT / "csrc",
                    "-o", program, ROOT / "benchmarks/csrc/limit_table.c", *kernels], check=True)
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


if __name__ == "__main__":
    main()
