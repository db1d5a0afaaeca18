"""What a source file imports: Python by its syntax tree, Cython by its lines.

Cython's own parser is no public interface, and the forms that STYLE.md allows are few (no
star-cimport, no include), so lines do; a statement may go on over lines inside parentheses.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

_STATEMENT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<origin>[.\w]+)[ \t]+(?:c?import)[ \t]+(?P<names>\([^)]*\)|[^\n#]+)"
    r"|c?import[ \t]+(?P<modules>[^\n#]+))",
    re.MULTILINE,
)
_STRINGS = re.compile(r'("""|\'\'\').*?\1', re.DOTALL)


@dataclass(frozen=True)
class Import:
    """One imported module, absolute; `name` is what is taken from it ('' for a plain import)."""

    line: int
    module: str
    name: str = ""

    def targets(self) -> tuple[str, ...]:
        """The dotted names this may mean: `from a import b` is a.b where b is a module."""
        return (f"{self.module}.{self.name}", self.module) if self.name else (self.module,)


def dotted(path: Path) -> str:
    """fastgw/limit/bucket.pyx -> fastgw.limit.bucket (a package for its __init__)."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, text: str) -> list[Import]:
    """All imports of a source file, wherever in the file they stand."""
    package = path.parent.parts
    if path.suffix in (".py", ".pyi"):
        return list(_python_imports(package, text))
    return list(_cython_imports(package, text))


def _absolute(package: tuple[str, ...], level: int, module: str) -> str:
    if level == 0:
        return module
    base = package[: len(package) - level + 1]
    return ".".join((*base, module) if module else base)


def _python_imports(package: tuple[str, ...], text: str):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(package, node.level, node.module or "")
            for alias in node.names:
                yield Import(node.lineno, module, alias.name)


def _cython_imports(package: tuple[str, ...], text: str):
    blank = _STRINGS.sub(lambda found: "\n" * found.group().count("\n"), text)
    for found in _STATEMENT.finditer(blank):
        line = blank.count("\n", 0, found.start()) + 1
        if found["modules"]:
            for module in _names(found["modules"]):
                yield Import(line, module)
            continue
        origin = found["origin"]
        level = len(origin) - len(origin.lstrip("."))
        for name in _names(found["names"]):
            yield Import(line, _absolute(package, level, origin.lstrip(".")), name)


def _names(listed: str) -> list[str]:
    bare = re.sub(r"#[^\n]*", "", listed).strip("() \t\n")
    return [part.split()[0] for part in bare.split(",") if part.strip()]
