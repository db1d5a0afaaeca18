"""Which file has no test, which is dead: the tree against its mirror below tests/."""

import re
from functools import cached_property
from pathlib import Path

from tools.imports import dotted, imports

# These name files of the tree without testing them.
HOUSE_TESTS = frozenset({"test_tidy.py", "test_layers.py", "test_build.py"})
ENTRY_POINTS = frozenset({"fastgw.__main__", "fastgw"})


def _prefixes(name: str) -> list[str]:
    """http1_name -> http1, http1_name: a kernel may have parts."""
    parts = name.split("_")
    return ["_".join(parts[:length]) for length in range(1, len(parts) + 1)]


class Tree:
    """A repository as it is now; every file is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _found(self, folder: str, pattern: str) -> list[Path]:
        return sorted(path.relative_to(self.root) for path in
                      (self.root / folder).rglob(pattern))

    @cached_property
    def texts(self) -> dict[Path, str]:
        """Every source and test, by its path relative to the root."""
        paths = [path for folder in ("fastgw", "csrc", "tests", "benchmarks", "tools")
                 for pattern in ("*.py", "*.pyi", "*.pyx", "*.pxd", "*.[ch]")
                 for path in self._found(folder, pattern)]
        return {path: (self.root / path).read_text() for path in paths}

    @cached_property
    def targets(self) -> dict[Path, set[str]]:
        """The dotted names that each file imports, its own left out."""
        return {path: {target for one in imports(path, text) for target in one.targets()}
                - {dotted(path)} for path, text in self.texts.items()
                if path.suffix in (".py", ".pyx", ".pxd")}

    @cached_property
    def modules(self) -> list[Path]:
        """The modules of the package that hold code; bare packages do not."""
        return [path for path in self._found("fastgw", "*.py") + self._found("fastgw", "*.pyx")
                if path.name != "__init__.py"
                or re.search(r"^(def|class) ", self.texts[path], re.MULTILINE)]

    def is_tested(self, module: Path) -> bool:
        """Whether a module or kernel has a test file: one of its name, or one that names it.

        fastgw/limit/take.pyx has tests/limit/test_take*, or a test anywhere that imports
        fastgw.limit.take or says `limit/take` (what only Cython can reach is tested through
        others). csrc/fgw_x.c and its parts fgw_x_*.c have tests/csrc/test_x*, or a test that
        says `fgw_x`.
        """
        tests = [path for path in self.texts
                 if path.parts[0] == "tests" and path.name not in HOUSE_TESTS]
        if module.parts[0] == "csrc":
            names = _prefixes(module.stem.removeprefix("fgw_"))
            folder, said = Path("tests/csrc"), r"\bfgw_(" + "|".join(names) + r")\b"
        else:
            own = module.parent.name if module.name == "__init__.py" else module.stem.strip("_")
            names = [own, f"{own}_.*"]
            folder = Path("tests", *module.parent.parts[1:])
            said = rf"\b{module.parent.name}/{module.stem}\b"
        named = re.compile(r"test_(" + "|".join(names) + r")\.\w+")
        spoken = re.compile(said)
        # Texts are searched last, as that takes longest: most modules have a test by name.
        return any(path.parent == folder and named.fullmatch(path.name)
                   or dotted(module) in self.targets.get(path, ()) for path in tests) or any(
                   spoken.search(self.texts[path]) for path in tests)

    def untested(self) -> list[Path]:
        kernels = self._found("csrc", "*.c")
        return sorted(path for path in [*self.modules, *kernels] if not self.is_tested(path))

    def _loaded_by_name(self, module: Path) -> bool:
        """Whether a sibling names the module in a string, as the command line its commands."""
        quoted = re.compile(rf"""["']([\w.]*\.)?{module.stem}(:\w+)?["']""")
        return any(quoted.search(text) for path, text in self.texts.items()
                   if path.parent == module.parent and path.name != module.name)

    def dead(self) -> list[Path]:
        """Modules that nobody imports and no test covers; kernels that no one declares."""
        reached = set().union(*self.targets.values()) | ENTRY_POINTS
        lost = [path for path in self.modules
                if dotted(path) not in reached and path.name != "__main__.py"
                and not self.is_tested(path) and not self._loaded_by_name(path)]
        native = self._found("fastgw/native", "*.pxd")
        lost += [path for path in native if dotted(path) not in reached]
        declared = {name for path in native for name in
                    re.findall(r'"(fgw_\w+)\.h"', self.texts[path])}
        csrc = self._found("csrc", "*.[ch]")
        declared |= {name for path in csrc for name in
                     re.findall(r'#include "(fgw_\w+)\.h"', self.texts[path]) if name != path.stem}
        headers = {path.stem for path in csrc if path.suffix == ".h"}
        lost += [path for path in csrc if path.suffix == ".h" and path.stem not in declared]
        lost += [path for path in csrc if path.suffix == ".c"
                 and not set(_prefixes(path.stem)) & headers]
        lost += [path for path in self._found("fastgw", "*.so")
                 if path.with_name(path.name.split(".")[0] + ".pyx") not in self.texts]
        return sorted(lost)
