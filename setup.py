"""Builds the C kernels once, strictly, and one extension per Cython module on top of them."""

import os
import platform
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("FASTGW_DEBUG") == "1"
OPTIMISE = ["-O0", "-g"] if DEBUG else ["-O2", "-g1"]
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
CPU = ["-mcx16"] if platform.machine() == "x86_64" else []
HEADERS = glob("csrc/*.h")

# The kernels are pure functions without globals, so an archive costs no state: each extension
# links only the objects it names, and only csrc/ is held to STRICT (generated C cannot be).
KERNELS = ("fgw", {
    "sources": sorted(glob("csrc/*.c")),
    "include_dirs": ["csrc"],
    "cflags": ["-std=c11", "-fPIC", "-fvisibility=hidden", *CPU, *OPTIMISE, *STRICT],
    "obj_deps": {"": HEADERS},
})


def extension(source: Path) -> Extension:
    return Extension(
        ".".join(source.with_suffix("").parts),
        [str(source)],
        include_dirs=["csrc"],
        depends=HEADERS + sorted(glob("csrc/*.c")),
        libraries=["fgw"],
        extra_compile_args=["-std=c11", "-fvisibility=hidden", *CPU, *OPTIMISE],
    )


setup(
    libraries=[KERNELS],
    ext_modules=cythonize(
        [extension(source) for source in sorted(Path("fastgw").rglob("*.pyx"))],
        build_dir="build/cython-debug" if DEBUG else "build/cython",
        nthreads=0,
        annotate=DEBUG,
        compiler_directives={
            "language_level": "3str",
            "wraparound": False,
            "auto_pickle": False,
            "autotestdict": False,
            "linetrace": DEBUG,
        },
    ),
)
