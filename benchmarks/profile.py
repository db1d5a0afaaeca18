"""Where the gateway's CPU goes under load: a sampling profile of all its processes.

    python -m benchmarks.profile [json|burst|paced|json-c1|...] [--seconds 5] [--top 40]

Needs `perf` and leave to sample. Samples the CPU clock (this kind of machine counts no hardware
events), first by object file, then by function.
"""

import argparse
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import compare, peers
from benchmarks.measure import CannotMeasure


def report(recorded: Path, sort: str, top: int) -> str:
    """perf's table of one recording, the largest `top` rows."""
    done = subprocess.run(
        ["perf", "report", "-i", str(recorded), "--stdio", "--percent-limit", "0.2", "--sort",
         sort], capture_output=True, text=True)
    rows = [line.rstrip() for line in done.stdout.splitlines()
            if line.strip() and not line.startswith("#")]
    return "\n".join(rows[:top])


def profile(scene: compare.Scene, seconds: float, top: int) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        recorded = folder / "perf.data"
        mock = stack.enter_context(peers.mock(folder))
        gateway = stack.enter_context(peers.start("fastgw", folder, mock.port))
        compare.one_run(gateway, mock, scene, 1)
        try:
            sampling = subprocess.Popen(
                ["perf", "record", "-q", "-F", "2500", "-e", "cpu-clock", "-o", str(recorded),
                 "-p", ",".join(map(str, gateway.pids())), "--", "sleep", str(seconds)])
        except FileNotFoundError:
            raise CannotMeasure("perf is missing") from None
        row = compare.one_run(gateway, mock, scene, seconds)
        sampling.wait()
        print(f"{scene.name}: {row['cpu_us']:.2f} us per {scene.what}\n")
        print(report(recorded, "comm,dso", 16), "\n")
        print(report(recorded, "dso,symbol", top))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.profile")
    parser.add_argument("scene", nargs="?", default="json", choices=compare.SCENES)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--top", type=int, default=40)
    asked = parser.parse_args(words)
    try:
        profile(compare.SCENES[asked.scene], asked.seconds, asked.top)
    except CannotMeasure as reason:
        print(f"not measured: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
