"""The house rules that a machine can hold: sizes, words, dead files, a test for every module.

Each check is a pure function over one text, so that tests/test_tidy.py can show it failing on a
made-up source; `findings(root)` runs them over the tree. A rule that is not yet kept somewhere
has that place in a ratchet list of tests/test_tidy.py, with its reason, and lists only shrink.
"""

import ast
import re
from pathlib import Path

LINES_MAX, FUNCTION_MAX, COLUMNS_MAX = 600, 60, 99
SUFFIXES = (".py", ".pyi", ".pyx", ".pxd", ".c", ".h")
BANNED = frozenset(
    "manager handler helper util data info context managers handlers helpers utils".split())
# Names that others chose: a protocol's callbacks, INTERFACE's keys, a library's parameters.
FOREIGN = frozenset({
    "data_dir", "data_received", "contextmanager", "ssl_context", "sslcontext",
    "get_extra_info", "version_info",
})
_PUT_OFF = ("FIX" + "ME", "TO" + "DO", "XX" + "X", "HA" + "CK")
MARKS = re.compile(r"\b(" + "|".join(_PUT_OFF) + r")\b")
FORBIDDEN_CYTHON = {
    r"^\s*from\s+\S+\s+cimport\s+\*": "star-cimport",
    r"^\s*include\s+[\"']": "include",
    r"^\s*DEF\s+\w": "DEF",
    r"\bexcept\s*\*": "except *",
    r"\b(?:const\s+|unsigned\s+)*\w+\s*\[\s*:[\s:,1]*\]\s+\w": "typed memoryview",
}
_CYTHON_FUNCTION = re.compile(
    r"^(?P<indent> *)(?:async +def|def|cpdef|cdef(?! *(?:class|struct|union|enum|extern|packed"
    r"|public +class|api|cppclass)\b))\b[^=\n]*?\b(?P<name>\w+)\s*\(")
_CYTHON_TYPE = re.compile(r"^ *(?:cdef +)?(?:class|struct|union|enum|cpdef +enum) +(?P<name>\w+)")
_C_FUNCTION = re.compile(r"\b(?P<name>\w+)\s*\(")
_C_TYPE = re.compile(r"^(?:typedef )?(?:struct|union|enum) (?P<name>\w+)")


def sizes(path: Path, text: str) -> list[str]:
    """Too many lines, too long a line."""
    lines = text.splitlines()
    found = [f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"
             for number, line in enumerate(lines, 1) if len(line) > COLUMNS_MAX]
    if len(lines) > LINES_MAX:
        found.append(f"{path}: {len(lines)} lines, at most {LINES_MAX}")
    return found


def functions(path: Path, text: str) -> list[tuple[str, int, int]]:
    """(name, first line, number of lines) of each function."""
    if path.suffix in (".py", ".pyi"):
        return [(node.name, node.lineno, (node.end_lineno or 0) - node.lineno + 1)
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lines = text.splitlines()
    return list(_c_functions(lines) if path.suffix in (".c", ".h") else _cython_functions(lines))


def long_functions(path: Path, text: str) -> list[str]:
    return [f"{path}:{line}: {name} has {length} lines, at most {FUNCTION_MAX}"
            for name, line, length in functions(path, text) if length > FUNCTION_MAX]


def _cython_functions(lines: list[str]):
    for first, line in enumerate(lines):
        found = _CYTHON_FUNCTION.match(line)
        if not found:
            continue
        last, depth = first, line.count("(") - line.count(")")
        while depth > 0 and last + 1 < len(lines):
            last += 1
            depth += lines[last].count("(") - lines[last].count(")")
        if not re.search(r":\s*(#.*)?$|:\s*\S", lines[last].rpartition(")")[2]):
            continue  # a declaration
        indent = len(found["indent"])
        for number in range(last + 1, len(lines)):
            text = lines[number]
            if text.strip() and len(text) - len(text.lstrip()) <= indent:
                break
            last = number if text.strip() else last
        yield found["name"], first + 1, last - first + 1


def _c_functions(lines: list[str]):
    for opened, line in enumerate(lines):
        if line == "{":
            first = opened - 1
        elif re.match(r"\w.*\)\s*\{$", line):
            first = opened
        else:
            continue
        while first > 0 and lines[first][:1] in (" ", "\t"):
            first -= 1
        name = _C_FUNCTION.search(re.sub(r"__attribute__\s*\(\(.*?\)\)", "", lines[first]))
        closed = next((n for n in range(opened, len(lines)) if lines[n] == "}"), opened)
        if name:
            yield name["name"], first + 1, closed - first + 1


def _words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return {part.lower() for part in spaced.split("_")}


def names(path: Path, text: str) -> set[str]:
    """Names that this file gives: itself, its types, functions, and (Python) its variables."""
    given = {path.stem}
    if path.suffix in (".py", ".pyi"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                given.add(node.name)
            elif isinstance(node, ast.arg):
                given.add(node.arg)
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                given.add(node.id if isinstance(node, ast.Name) else node.attr)
        return given
    is_type = _C_TYPE if path.suffix in (".c", ".h") else _CYTHON_TYPE
    given |= {found["name"] for line in text.splitlines() if (found := is_type.match(line))}
    return given | {name for name, _, _ in functions(path, text)}


def banned_words(path: Path, text: str) -> list[str]:
    given = {name for name in names(path, text) - FOREIGN if not name.startswith("test_")}
    return [f"{path}: the name {name!r} says nothing; see STYLE.md, Words"
            for name in sorted(given) if _words(name.replace("data_dir", "")) & BANNED]


def marks(path: Path, text: str) -> list[str]:
    """Work put off in a comment: an issue remembers, a comment rots."""
    return [f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found.group()}"
            for found in MARKS.finditer(text)]


def cython_forms(path: Path, text: str) -> list[str]:
    """Forms that STYLE.md keeps out of Cython code."""
    if path.suffix not in (".pyx", ".pxd"):
        return []
    return [f"{path}:{number}: {name}"
            for number, line in enumerate(text.splitlines(), 1)
            for pattern, name in FORBIDDEN_CYTHON.items() if re.search(pattern, line)]


CHECKS = (sizes, long_functions, banned_words, marks, cython_forms)


def sources(root: Path) -> list[Path]:
    """Every source that is ours, relative to the root."""
    rooms = ("fastgw", "csrc", "tests", "benchmarks", "tools")
    found = [path.relative_to(root) for room in rooms for path in (root / room).rglob("*")
             if path.suffix in SUFFIXES and path.is_file()]
    return sorted([*found, Path("setup.py")])


def findings(root: Path) -> list[str]:
    return [line for path in sources(root) for check in CHECKS
            for line in check(path, (root / path).read_text())]


if __name__ == "__main__":
    broken = findings(Path(__file__).resolve().parent.parent)
    print("\n".join(broken) or "tidy: ok")
    raise SystemExit(bool(broken))
