"""What is built: from every change what it reaches, and nothing more; and what is shipped.

Method: a small tree with our own setup.py is built and changed; the wheel and the sdist of the
real tree are opened, and the wheel is imported from a place of its own.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("FASTGW_")}


def setup(cwd, *words):
    done = subprocess.run([sys.executable, "setup.py", *words], cwd=cwd, env=ENVIRONMENT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two modules: `one` stands on the kernel `one`; `two` on the kernel `two` through a pxd."""
    root = tmp_path_factory.mktemp("small")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    for room in ("csrc", "fastgw/native"):
        (root / room).mkdir(parents=True)
    for package in ("fastgw", "fastgw/native"):
        (root / package / "__init__.py").write_text("")
    for name in ("one", "two"):
        function = f"fgw_{name}"
        (root / f"csrc/{function}.h").write_text(f"int {function}(void);\n")
        (root / f"csrc/{function}.c").write_text(
            f'#include "{function}.h"\nint {function}(void) {{ return 1; }}\n')
        (root / f"fastgw/native/{name}.pxd").write_text(
            f'cdef extern from "{function}.h" nogil:\n    int {function}() noexcept\n')
        (root / f"fastgw/{name}.pyx").write_text(
            f"from fastgw.native.{name} cimport {function}\n\n\ndef read():\n"
            f"    return {function}()\n")
    build(root)
    return root


def build(root):
    """The names of the modules that were rebuilt."""
    said = setup(root, "build_clib", "build_ext", "--inplace")
    return set(re.findall(r"building '(fastgw\.\w+)' extension", said))


def read(root, name):
    code = f"import fastgw.{name} as m; print(m.read())"
    return int(subprocess.check_output([sys.executable, "-c", code], cwd=root,
                                       env={**ENVIRONMENT, "PYTHONPATH": str(root)}))


def test_a_second_build_does_nothing(small):
    assert build(small) == set()


def test_a_changed_kernel_is_compiled_and_linked_into_the_modules_that_use_it(small):
    kernel = small / "csrc/fgw_two.c"
    kernel.write_text(kernel.read_text().replace("return 1", "return 2"))

    assert build(small) == {"fastgw.two"}
    assert (read(small, "one"), read(small, "two")) == (1, 2)


def test_a_changed_header_rebuilds_the_modules_that_use_it(small):
    (small / "csrc/fgw_one.h").touch()

    assert build(small) == {"fastgw.one"}


def test_a_changed_declaration_rebuilds_the_modules_that_use_it(small):
    (small / "fastgw/native/one.pxd").touch()

    assert build(small) == {"fastgw.one"}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    into = tmp_path_factory.mktemp("shipped")
    setup(ROOT, "-q", "bdist_wheel", "-d", str(into))
    setup(ROOT, "-q", "sdist", "-d", str(into))
    return into


def test_the_wheel_holds_every_module_and_no_source_and_works(shipped):
    wheel = zipfile.ZipFile(next(shipped.glob("*.whl")))
    wheel.extractall(shipped / "site")
    held = set(wheel.namelist())
    modules = sorted(str(path.relative_to(ROOT).with_suffix("")) for path in
                     (ROOT / "fastgw").rglob("*.pyx"))
    kept = {str(path.relative_to(ROOT)) for suffix in ("py", "pyi", "gz", "yaml") for path in
            (ROOT / "fastgw").rglob(f"*.{suffix}")} | {"fastgw/py.typed"}
    load = "import sys, importlib\nfor name in sys.argv[1:]:\n" \
           "    print(importlib.import_module(name).__file__)"

    done = subprocess.run([sys.executable, "-c", load, *(m.replace("/", ".") for m in modules)],
                          env={**ENVIRONMENT, "PYTHONPATH": str(shipped / "site")},
                          cwd=shipped, capture_output=True, text=True)

    assert kept <= held
    assert [name for name in held if re.search(r"\.(c|h|pyx|pxd)$", name)] == []
    assert done.returncode == 0, done.stderr
    assert all(str(shipped) in line for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == len(modules)


def test_the_sdist_holds_what_a_build_needs(shipped):
    held = {name.partition("/")[2] for name in
            tarfile.open(next(shipped.glob("*.tar.gz"))).getnames()}
    needed = {str(path.relative_to(ROOT)) for room in ("csrc", "fastgw") for path in
              (ROOT / room).rglob("*") if path.suffix in (".c", ".h", ".py", ".pyx", ".pxd")}

    assert needed | {"setup.py", "pyproject.toml", "README.md", "LICENSE"} <= held
