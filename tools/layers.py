"""Imports run downward only. The table of DESIGN section 3, and the check that holds it.

    6 __main__ cli gateway admin mock rehearsal, and the package itself, off the request path
    5 process                                         Python: lifecycle
    4 listener -> journey -> own -> waiting -> attempts -> leaving -> ending
                                                        -> instead, ceilings, sayings
    3 identity policy limit upstream stream usage ledger explain cluster   (never each other)
    2 dialect
    1 exchange codes errors clock log config shm wire
    0 native -> csrc
"""

import re
from collections.abc import Iterable
from pathlib import Path

from tools.imports import Import, imports

LAYERS: tuple[tuple[str, ...], ...] = (
    ("native",),
    ("exchange", "codes", "errors", "clock", "log", "config", "shm", "wire"),
    ("dialect",),
    ("identity", "policy", "limit", "upstream", "stream", "usage", "ledger", "explain",
     "cluster", "detect"),
    ("ceilings", "instead", "sayings", "ending", "leaving", "attempts", "waiting", "own",
     "journey", "listener"),
    ("process",),
    ("__main__", "cli", "gateway", "admin", "mock", "rehearsal", ""),
)
# Within a layer a room may use those named here; the rest do not know each other.
BESIDE: dict[str, frozenset[str]] = {
    "exchange": frozenset({"codes", "errors", "clock", "wire", "shm", "config"}),
    "errors": frozenset({"codes"}),
    "log": frozenset({"clock"}),
    "config": frozenset({"errors"}),
    "shm": frozenset({"errors", "clock"}),
    "wire": frozenset({"errors", "clock"}),
    "listener": frozenset({"journey", "waiting", "attempts", "ending"}),
    "own": frozenset({"waiting", "attempts", "ending"}),
    "journey": frozenset({"own", "waiting", "attempts", "ending", "ceilings", "instead",
                          "sayings"}),
    "waiting": frozenset({"attempts", "ending", "ceilings", "instead"}),
    "attempts": frozenset({"leaving"}),
    "leaving": frozenset({"ending"}),
    "ending": frozenset({"ceilings", "instead", "sayings"}),
    "__main__": frozenset({"cli", "admin", "mock", ""}),
    "cli": frozenset({"gateway", "admin", "mock", "rehearsal", ""}),
    "rehearsal": frozenset({"gateway", "mock"}),
    "gateway": frozenset({"cli"}),
    "admin": frozenset({""}),
    "mock": frozenset({""}),
    "": frozenset({"__main__", "gateway"}),
}
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
_C_HEADER = re.compile(r'^\s*cdef\s+extern\s+from\s+"(fgw_\w+)\.h"', re.MULTILINE)


def room_of(path: Path) -> str:
    """fastgw/limit/bucket.pyx -> limit; fastgw/journey.pyx -> journey; the package -> ''."""
    parts = path.with_suffix("").parts[1:]
    return "" if parts == ("__init__",) else parts[0]


def _target_room(imported: Import) -> str | None:
    """The room an import reaches, or None for what is not ours."""
    parts = imported.targets()[0].split(".")
    if parts[0] != "fastgw" or parts[1:] == ["__version__"]:
        return None
    if len(parts) == 1:
        return ""
    if parts[1] in LEVEL:
        return parts[1]
    return "" if len(parts) == 2 and imported.name else parts[1]


def violations(path: Path, text: str) -> list[str]:
    """What in one file breaks the table: empty when nothing does."""
    own = room_of(path)
    if own not in LEVEL:
        return [f"{path}: {own!r} has no place in the layer table (tools/layers.py)"]
    found = []
    for imported in imports(path, text):
        room = _target_room(imported)
        if room is None or room == own:
            continue
        where = f"{path}:{imported.line}: {own or 'fastgw'} (layer {LEVEL[own]})"
        if room not in LEVEL:
            found.append(f"{where} imports {room!r}, which has no place in the layer table")
        elif LEVEL[room] > LEVEL[own]:
            found.append(f"{where} imports upward: {room or 'fastgw'} (layer {LEVEL[room]})")
        elif LEVEL[room] == LEVEL[own] and room not in BESIDE.get(own, frozenset()):
            found.append(f"{where} imports its sibling {room or 'fastgw'}")
    if own != "native":
        found += [f"{path}: reaches csrc/{name}.h itself; only fastgw/native does"
                  for name in _C_HEADER.findall(text)]
    return list(dict.fromkeys(found))


def sources(root: Path) -> Iterable[Path]:
    """Every source of the package, relative to the root."""
    for suffix in ("py", "pyi", "pyx", "pxd"):
        found = (root / "fastgw").rglob(f"*.{suffix}")
        yield from sorted(path.relative_to(root) for path in found)


def all_violations(root: Path) -> list[str]:
    return [line for path in sources(root) for line in violations(path, (root / path).read_text())]


if __name__ == "__main__":
    broken = all_violations(Path(__file__).resolve().parent.parent)
    print("\n".join(broken) or "layers: ok")
    raise SystemExit(bool(broken))
