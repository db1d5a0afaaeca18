"""Builds the C kernels once, strictly, and one extension per Cython module on top of them."""

import os
import platform
import re
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from Cython.Build.Dependencies import create_dependency_tree
from setuptools import Extension, setup

DEBUG = os.environ.get("FASTGW_DEBUG") == "1"
# `make` installs metadata and dependencies first, and builds in place itself, so as to build once.
METADATA_ONLY = os.environ.get("FASTGW_METADATA_ONLY") == "1"
BUILD = "build/debug" if DEBUG else "build"  # apart, or a debug build would reuse release code
OPTIMISE = ["-O0", "-g"] if DEBUG else ["-O3", "-g1", "-flto", "-fno-plt"]
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
CPU = ["-mcx16"] if platform.machine() == "x86_64" else []
CSRC = {Path(path).stem: sorted(glob(path[:-1] + "[ch]")) for path in glob("csrc/*.[ch]")}

# The kernels are pure functions without globals, so an archive costs no state: each extension
# links only the objects it names, and only csrc/ is held to STRICT (generated C cannot be).
KERNELS = ("fgw", {
    "sources": sorted(glob("csrc/*.c")),
    "include_dirs": ["csrc"],
    "cflags": ["-std=c11", "-fPIC", "-fvisibility=hidden", *CPU, *OPTIMISE, *STRICT],
    "obj_deps": {"": [*glob("csrc/*.h"), "setup.py"]},
})


def kernels_of(source: Path) -> list[str]:
    """The files of csrc/ that this module's code can come from: only their change rebuilds it."""
    todo, reached = list(create_dependency_tree(quiet=True).all_dependencies(str(source))), set()
    while todo:
        for word in set(re.findall(r"\bfgw_\w+", Path(todo.pop()).read_text())):
            todo += (fresh := set(CSRC.get(word, ())) - reached)
            reached |= fresh
    return sorted(reached)


def extension(source: Path) -> Extension:
    return Extension(
        ".".join(source.with_suffix("").parts), [str(source)], include_dirs=["csrc"],
        depends=[*kernels_of(source), "setup.py"], libraries=["fgw"],
        extra_link_args=OPTIMISE,
        extra_compile_args=["-std=c11", "-fvisibility=hidden", *CPU, *OPTIMISE])


MODULES = [] if METADATA_ONLY else [extension(p) for p in sorted(Path("fastgw").rglob("*.pyx"))]
DIRECTIVES = {"language_level": "3str", "wraparound": False, "auto_pickle": False,
              "autotestdict": False, "linetrace": DEBUG}
setup(
    libraries=[] if METADATA_ONLY else [KERNELS],
    ext_modules=cythonize(MODULES, build_dir=f"{BUILD}/cython", nthreads=os.cpu_count(),
                          annotate=DEBUG, compiler_directives=DIRECTIVES),
    options={"build": {"build_base": BUILD}, "build_ext": {"parallel": True}},
)
