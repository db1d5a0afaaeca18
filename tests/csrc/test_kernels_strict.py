"""Kernels keep the rules of csrc/: strict C, no state, no libc beyond memory, one prefix.

Method: every .c is compiled by each compiler at hand with the flags of the house and more, every
header alone and twice, and the symbols of the objects are read. Made-up kernels, one per rule,
must be caught.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools import kernels

CSRC = Path(__file__).resolve().parent.parent.parent / "csrc"


def test_every_kernel_keeps_the_rules(tmp_path):
    found = kernels.faults(CSRC, tmp_path)

    assert not found, "\n".join(found)


def made_up(tmp_path, text, header="int fgw_x(int a);\n"):
    csrc = tmp_path / "csrc"
    csrc.mkdir()
    (csrc / "fgw_x.h").write_text(header)
    (csrc / "fgw_x.c").write_text('#include "fgw_x.h"\n' + text)
    return kernels.faults(csrc, tmp_path)


def test_a_plain_kernel_passes(tmp_path):
    assert made_up(tmp_path, "int fgw_x(int a) { return a + 1; }\n") == []


@pytest.mark.parametrize("text, said", [
    ("int fgw_x(int a) { long b = a; return b * 2; }\n", "conversion"),
    ("int fgw_x(int a) { { int a = 2; return a; } }\n", "shadow"),
    ("int fgw_x(int a) { return 1; }\n", "unused"),
    ("int fgw_x(int a) { static int n; n += a; return n; }\n", "is state"),
    ("int other(int a);\nint other(int a) { return a; }\nint fgw_x(int a) { return other(a); }\n",
     "exports other"),
    ("void free(void *p);\nint fgw_x(int a) { free((void *)(long)a); return a; }\n", "calls free"),
    ("#include <time.h>\nint fgw_x(int a) { return (int)time(0) + a; }\n", "calls time"),
    ("#include <unistd.h>\nint fgw_x(int a) { return close(a); }\n", "includes unistd.h"),
])
def test_a_kernel_that_breaks_a_rule_is_caught(tmp_path, text, said):
    assert said in "\n".join(made_up(tmp_path, text))


@pytest.mark.parametrize("header", ["uint32_t fgw_x(int a);\n", "struct fgw_y { int b; };\n"])
def test_a_header_that_cannot_stand_alone_or_twice_is_caught(tmp_path, header):
    body = "#include <stdint.h>\n" + header + "int fgw_z(void);\nint fgw_z(void) { return 1; }\n"

    assert made_up(tmp_path, body, header) != []


def test_two_headers_that_give_one_name_two_meanings_are_caught(tmp_path):
    header = ("#ifndef FGW_X_H\n#define FGW_X_H\nstruct fgw_y { int b; };\nint fgw_x(int a);\n"
              "#endif\n")
    body = "int fgw_x(int a) { return a; }\n"
    assert made_up(tmp_path, body, header) == []
    other = header.replace("FGW_X", "FGW_Z").replace("int b", "long b")
    (tmp_path / "csrc/fgw_z.h").write_text(other)

    assert "redefinition" in "\n".join(kernels.faults(tmp_path / "csrc", tmp_path))


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_the_build_uses_the_same_strictness(tmp_path):
    setup = (CSRC.parent / "setup.py").read_text()

    assert '"-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"' in setup
    assert subprocess.run(["gcc", *kernels.flags(), "-E", "-x", "c", "/dev/null"],
                          capture_output=True).returncode == 0
