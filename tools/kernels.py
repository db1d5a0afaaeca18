"""The rules of csrc/, checked by the compiler and on the object files.

Pure functions over the caller's memory: so no Python.h, no allocation, no clock (but for the one
kernel that is the clock), no I/O, no state of its own; and every name that leaves begins `fgw_`.
"""

import os
import platform
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

STRICT = ("-std=c11", "-O2", "-fPIC", "-mcx16", "-Wall", "-Wextra", "-Wconversion", "-Wshadow",
          "-Werror")
MORE = ("-Wstrict-prototypes", "-Wmissing-prototypes", "-Wvla", "-Wpointer-arith", "-Wundef",
        "-Wwrite-strings")
# What an object may take from libc: memory and string functions over memory it was given, and
# what gcc itself calls.
FROM_LIBC = frozenset({
    "memcpy", "memmove", "memset", "memcmp", "bcmp", "memchr", "memrchr", "memmem", "strlen",
    "strnlen", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_", "__popcountdi2", "__udivti3",
    "__umodti3",
    "__divti3", "__modti3", "abort",
    "__atomic_compare_exchange_16", "__atomic_load_16", "__atomic_store_16",
})
# Pure as well: the clock is what fgw_clock is for; an address is text to bytes.
BESIDES = {"fgw_clock": frozenset({"clock_gettime"}),
           "fgw_action_addresses": frozenset({"inet_pton"})}


def flags() -> tuple[str, ...]:
    return tuple(f for f in STRICT if f != "-mcx16" or platform.machine() == "x86_64")


def compile_one(compiler: str, source: Path, into: Path, *more: str) -> str:
    """What the compiler says: empty when it is content."""
    done = subprocess.run(
        [compiler, *flags(), *MORE, *more, f"-I{source.parent}", "-c", str(source),
         "-o", str(into)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    return said if done.returncode or said else ""


def compilers() -> list[str]:
    return [name for name in ("gcc", "clang") if shutil.which(name)]


def object_faults(stem: str, nm: str) -> list[str]:
    """Faults in one object's symbols, as `nm --format=sysv` lists them, with their sections."""
    found, libc = [], FROM_LIBC | BESIDES.get(stem, frozenset())
    for line in nm.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) < 7 or columns[0] == "Name":
            continue
        name, kind, section = columns[0], columns[2], columns[6]
        if section.startswith(".data.rel.ro"):
            continue  # a constant table of pointers
        if kind == "U":
            if not name.lower().startswith("fgw_") and name not in libc:
                found.append(f"{stem}: calls {name}")
        elif kind in ("B", "b", "D", "d", "C", "c"):
            found.append(f"{stem}: {name} is state; only constant tables may be static")
        elif kind in ("T", "V", "W", "G", "R") and not name.lower().startswith("fgw_"):
            found.append(f"{stem}: exports {name}, which lacks the prefix")
    return found


def text_faults(path: Path, text: str) -> list[str]:
    """What the symbols do not show: headers that a kernel has no business with."""
    banned = r'#\s*include\s*[<"](Python\.h|stdio\.h|stdlib\.h|malloc\.h|unistd\.h|pthread\.h)[>"]'
    return [f"{path.name}: includes {found}" for found in re.findall(banned, text)]


def faults(csrc: Path, into: Path, *more: str) -> list[str]:
    """Everything wrong with the kernels of one folder; objects are written below `into`."""
    found = [line for path in sorted(csrc.glob("*.[ch]")) for line in
             text_faults(path, path.read_text())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for said in pool.map(lambda source: source_faults(source, into, *more),
                             sorted(csrc.glob("*.c"))):
            found += said
        headers = [path.resolve() for path in sorted(csrc.glob("*.h"))]
        groups = {path.stem: [path, path] for path in headers} | {"together": headers}
        found += filter(None, pool.map(
            lambda name: header_faults(csrc, into, name, groups[name]), groups))
    return found


def source_faults(source: Path, into: Path, *more: str) -> list[str]:
    """What compilers say of one kernel, and what its symbols say."""
    found: list[str] = []
    for compiler in compilers():
        built = into / f"{source.stem}.{compiler}.o"
        analyze = more if compiler == "gcc" else ()  # clang has no -fanalyzer
        found += filter(None, [compile_one(compiler, source, built, *analyze)])
        if built.exists():
            nm = subprocess.run(["nm", "--format=sysv", str(built)], capture_output=True,
                                text=True, check=True)
            found += object_faults(source.stem, nm.stdout)
    return list(dict.fromkeys(found))


def header_faults(csrc: Path, into: Path, name: str, group: list[Path]) -> str:
    """Each header must stand alone, twice, and beside all the others: one name, one meaning."""
    source = into / f"include_{name}.c"
    source.write_text("".join(f'#include "{path}"\n' for path in group)
                      + "typedef int fgw_not_empty;\n")
    return compile_one("gcc", source, into / f"include_{name}.o", f"-I{csrc.resolve()}",
                       "-fsyntax-only")
