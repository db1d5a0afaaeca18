"""The one check behind `make check`: style, types, stubs, layers, kernels. Exits 1 on any find.

    python tools/check.py            everything
    python tools/check.py ruff mypy  only these
    python tools/check.py --analyze  kernels also under gcc -fanalyzer (slow)
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import kernels, layers, tidy  # noqa: E402

PYTHON_ROOMS = ("fastgw", "tests", "benchmarks", "tools", "setup.py")


def run(*command: str) -> list[str]:
    """What a tool of this Python's environment has to say when it is not content."""
    tools = Path(sys.executable).parent
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, executable=str(tools / command[0]),
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)})
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).rstrip()]


def check_ruff() -> list[str]:
    return run("ruff", "check", "-q", *PYTHON_ROOMS)


def check_cython_lint() -> list[str]:
    found = [str(path) for suffix in ("pyx", "pxd")
             for path in sorted((ROOT / "fastgw").rglob(f"*.{suffix}"))]
    return run("cython-lint", "--max-line-length", "99", *found)


def check_mypy() -> list[str]:
    return run("mypy", "fastgw", "tools", "benchmarks")


def check_stubtest() -> list[str]:
    """Each .pyi against the compiled module that it describes."""
    stubs = sorted((ROOT / "fastgw").rglob("*.pyi"))
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in stubs]
    missing = [f"{path}: describes no .pyx" for path in stubs
               if not path.with_suffix(".pyx").exists()]
    return missing + (run("stubtest", "--concise", *modules) if modules else [])


def check_layers() -> list[str]:
    return layers.all_violations(ROOT)


def check_tidy() -> list[str]:
    return tidy.findings(ROOT)


def check_kernels() -> list[str]:
    more = ("-fanalyzer",) if "--analyze" in sys.argv else ()
    with tempfile.TemporaryDirectory() as into:
        return kernels.faults(ROOT / "csrc", Path(into), *more)


CHECKS: dict[str, Callable[[], list[str]]] = {
    "ruff": check_ruff, "cython-lint": check_cython_lint, "mypy": check_mypy,
    "stubtest": check_stubtest, "layers": check_layers, "tidy": check_tidy,
    "kernels": check_kernels,
}


def main(asked: list[str]) -> int:
    unknown = [name for name in asked if name not in CHECKS]
    if unknown:
        print(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}")
        return 2
    names, failed = asked or list(CHECKS), 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # most of them are processes of their own
        for name, found in zip(names, pool.map(lambda name: CHECKS[name](), names), strict=True):
            print(f"{name:12} {'ok' if not found else 'FAILED'}")
            print("".join(line + "\n" for line in found), end="", flush=True)
            failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main([word for word in sys.argv[1:] if not word.startswith("-")]))
