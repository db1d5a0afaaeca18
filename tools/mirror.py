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
    """fastgw/limit/take.pyx has tests/limit/test_take*.py; csrc/fgw_x.c has tests/csrc/test_x*."""
    if module.parts[0] == "csrc":
        folder, stem = root / "tests" / "csrc", module.stem.removeprefix("fgw_")
    else:
        folder = root.joinpath("tests", *module.parent.parts[1:])
        stem = module.parent.name if module.name == "__init__.py" else module.stem.strip("_")
    return sorted(folder.glob(f"test_{stem}.*")) + sorted(folder.glob(f"test_{stem}_*"))


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
