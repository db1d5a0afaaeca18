"""One bench in a process of its own: instructions under callgrind, allocations and system calls.

Both are counts, not times: the same code gives the same number on a busy machine.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import callgrind

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "gate"
REPEAT = 100


class CannotMeasure(Exception):
    """A tool is missing or a bench broke; says which."""


@dataclass
class Measured:
    """What one operation of a bench costs."""

    instructions: float       # all of them
    ours: float               # of these, in our own compiled code
    allocations: float        # with every Python object counted (PYTHONMALLOC=malloc)
    syscalls: float
    functions: dict[str, float] = field(default_factory=dict)  # the dearest, for people


def library(name: str, folder: Path = BUILD) -> Path:
    """benchmarks/csrc/<name>.c, compiled once."""
    source, built = HERE / "csrc" / f"{name}.c", folder / f"{name}.so"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        _compile([str(source)], built)
    return built


def compiled(bench: Path) -> Path:
    """A bench in C, linked with the kernels as the build made them."""
    archives = sorted(ROOT.glob("build/temp.*/libfgw.a"), key=lambda path: path.stat().st_mtime)
    if not archives:
        raise CannotMeasure("the kernels are not built: make build")
    built = BUILD / f"{bench.stem}.so"
    newest = max(path.stat().st_mtime for path in (bench, archives[-1]))
    if not built.exists() or built.stat().st_mtime < newest:
        _compile([str(bench), str(archives[-1])], built,
                 f"-I{ROOT / 'csrc'}", "-std=c11", "-Wall", "-Wextra", "-Werror")
    return built


def compiled_cython(bench: Path) -> Path:
    """A bench in Cython, for modules whose hot functions Python cannot call."""
    generated = BUILD / f"{bench.stem}.c"
    built = BUILD / f"{bench.stem}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not built.exists() or built.stat().st_mtime < bench.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, "-m", "cython", "--3str", "-I", str(ROOT), "-o",
                               str(generated), str(bench)], capture_output=True, text=True)
        if done.returncode:
            raise CannotMeasure(f"cannot build {bench.name}: {done.stderr[-400:]}")
        _compile([str(generated)], built, f"-I{ROOT / 'csrc'}",
                 f"-I{sysconfig.get_paths()['include']}", "-Wl,-z,undefs")
    return built


def program_of(bench: Path) -> Path:
    """What is run: the bench itself, or what is compiled from it."""
    how = {".c": compiled, ".pyx": compiled_cython}.get(bench.suffix)
    return how(bench) if how else bench


def _compile(sources: list[str], built: Path, *flags: str) -> None:
    built.parent.mkdir(parents=True, exist_ok=True)
    # Never half a library, whoever else builds it.
    fresh = built.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    done = subprocess.run(["gcc", "-O2", "-g1", "-shared", "-fPIC",
                           "-Wl,-z,defs", *flags, *sources, "-o",
                           str(fresh)], capture_output=True, text=True)
    if done.returncode:
        raise CannotMeasure(f"cannot build {built.stem}: {done.stderr.strip()}")
    fresh.replace(built)


def environment(**more: str) -> dict[str, str]:
    """A small environment, always of one size: its bytes lie on the measured stack."""
    return {"PATH": os.environ["PATH"], "HOME": "/", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def _run(command: list[str], env: dict[str, str], name: str) -> str:
    done = subprocess.run(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise CannotMeasure(f"{name}: {' '.join(done.stderr.split()[-40:])}")
    return done.stdout


def instructions(bench: Path, n: int) -> callgrind.Costs:
    """Instructions of n operations."""
    if not shutil.which("valgrind"):
        raise CannotMeasure("valgrind is missing")
    marks = library("marks")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        _run(["valgrind", "--tool=callgrind", "--instr-atstart=no", "-q",
              f"--callgrind-out-file={out}", sys.executable, "-m", "benchmarks.inside",
              str(bench), "instructions", str(n), str(marks)], environment(), bench.stem)
        parts = {}
        for path in Path(folder).iterdir():
            text = path.read_text()
            for name in ("once", "twice"):
                if f"Client Request: {name}\n" in text:
                    parts[name] = callgrind.read(text)
    return parts["twice"].minus(parts["once"])


def counts(bench: Path, n: int) -> dict[str, float]:
    """Allocations and system calls of one operation."""
    said = _run([sys.executable, "-m", "benchmarks.inside", str(bench), "counts", str(n)],
                environment(LD_PRELOAD=str(library("count")), PYTHONMALLOC="malloc"), bench.stem)
    return json.loads(said.splitlines()[-1])


def repeat_of(bench: Path) -> int:
    """How often a bench is run: REPEAT, or what its line `N = …` (in C a comment) says."""
    said = re.search(r"^(?:/\* )?N = (\d+)", bench.read_text(), re.MULTILINE)
    return int(said[1]) if said else REPEAT


def measure(bench: Path) -> Measured:
    """Everything about one bench."""
    n = repeat_of(bench)
    program = program_of(bench)
    costs, asked = instructions(program, n), counts(program, n)
    ours = sum(cost for name, cost in costs.objects.items()
               # The venv of `make` lies below ROOT as well, and orjson is not ours.
               if name.startswith(f"{ROOT}/") and ".so" in name and "/site-packages/" not in name)
    dearest = {name: round(cost / n, 1) for name, cost in costs.functions.most_common(12)}
    return Measured(round(costs.total / n, 1), round(ours / n, 1),
                    round(asked["allocations"], 1) + 0.0, round(asked["syscalls"], 1) + 0.0,
                    dearest)
