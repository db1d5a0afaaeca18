"""Which file has no test, which is dead: the tree against its mirror below tests/."""

import re
from pathlib import Path

from tools.imports import dotted, imports

ENTRY_POINTS = frozenset({"fastgw.__main__", "fastgw"})


def modules(root: Path) -> list[Path]:
    """The modules of the package that hold code, relative to the root; bare packages do not."""
    found = [path for suffix in ("py", "pyx") for path in (root / "fastgw").rglob(f"*.{suffix}")]
    return sorted(path.relative_to(root) for path in found
                  if path.name != "__init__.py" or re.search(r"^(def|class) ", path.read_text(),
                                                             re.MULTILINE))


def tests_of(root: Path, module: Path) -> list[Path]:
    """The test files of a module or kernel: those that have its name, or that name it.

    fastgw/limit/take.pyx has tests/limit/test_take*, or a test below tests/limit/ that imports
    fastgw.limit.take or says `limit/take` (what only Cython can reach is tested through others).
    csrc/fgw_x.c and its parts fgw_x_*.c have tests/csrc/test_x*, or a test that says `fgw_x`.
    """
    if module.parts[0] == "csrc":
        return _tests_of_kernel(root, module.stem.removeprefix("fgw_"))
    folder = root.joinpath("tests", *module.parent.parts[1:])
    stem = module.parent.name if module.name == "__init__.py" else module.stem.strip("_")
    named = sorted(folder.glob(f"test_{stem}.*")) + sorted(folder.glob(f"test_{stem}_*"))
    if named or folder == root / "tests":
        return named
    said = f"{module.parent.name}/{module.stem}"
    return [path for path in sorted(folder.rglob("test_*.py"))
            if said in (text := path.read_text())
            or any(dotted(module) in one.targets() for one in imports(path, text))]


def _tests_of_kernel(root: Path, name: str) -> list[Path]:
    parts = name.split("_")
    names = ["_".join(parts[:length]) for length in range(1, len(parts) + 1)]
    found = [path for whole in names for path in (root / "tests" / "csrc").glob(f"test_{whole}.*")]
    spoken = re.compile(r"\bfgw_(" + "|".join(names) + r")\b")
    return found or [path for path in sorted((root / "tests").rglob("test_*.py"))
                     if spoken.search(path.read_text())]


def untested(root: Path) -> list[Path]:
    kernels = [path.relative_to(root) for path in (root / "csrc").glob("*.c")]
    return sorted(path for path in [*modules(root), *kernels] if not tests_of(root, path))


def imported(root: Path) -> set[str]:
    """Every dotted name that some file of the tree imports."""
    reached: set[str] = set()
    for room in ("fastgw", "tests", "benchmarks", "tools"):
        for suffix in ("py", "pyx", "pxd"):
            for path in (root / room).rglob(f"*.{suffix}"):
                own = path.relative_to(root)
                for one in imports(own, path.read_text()):
                    reached |= set(one.targets()) - {dotted(own)}
    return reached


def dead(root: Path) -> list[Path]:
    """Modules that nobody imports and no test covers; kernels that no one declares."""
    reached = imported(root)
    lost = [path for path in modules(root)
            if dotted(path) not in reached | ENTRY_POINTS and not tests_of(root, path)
            and path.name != "__main__.py"]
    declared = {name for path in (root / "fastgw" / "native").glob("*.pxd")
                for name in re.findall(r'"(fgw_\w+)\.h"', path.read_text())}
    declared |= {name for path in (root / "csrc").glob("*.[ch]")
                 for name in re.findall(r'#include "(fgw_\w+)\.h"', path.read_text())
                 if name != path.stem}
    lost += [path.relative_to(root) for path in (root / "csrc").glob("*.h")
             if path.stem not in declared]
    lost += [path.relative_to(root) for path in (root / "csrc").glob("*.c")
             if not path.with_suffix(".h").exists()]
    lost += [path.relative_to(root) for path in (root / "fastgw" / "native").glob("*.pxd")
             if f"fastgw.native.{path.stem}" not in reached]
    lost += [path.relative_to(root) for path in (root / "fastgw").rglob("*.so")
             if not path.with_name(path.name.split(".")[0] + ".pyx").exists()]
    return sorted(lost)
