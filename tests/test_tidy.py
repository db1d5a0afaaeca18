"""How our code reads (STYLE.md), as far as a machine can tell.

Method: each check runs over the tree, and over a made-up source that breaks the rule, which must
be caught. What is not kept yet stands in a ratchet below, with its reason; an entry that has
become true must be taken out, so the lists only shrink.
"""

from pathlib import Path

import pytest

from tools import mirror, tidy

ROOT = Path(__file__).resolve().parent.parent
TREE = mirror.Tree(ROOT)
PHASE_ROOMS = ("wire", "identity", "policy", "upstream", "limit", "stream", "usage", "ledger",
               "explain")

# Ratchets: place -> why it is not yet so.
UNTESTED: dict[str, str] = {
    "fastgw/config/build.py": "through config.load, tests/config",
}
DEAD: dict[str, str] = {}
NO_TEST_FOLDER: dict[str, str] = {}
NO_BENCH: dict[str, str] = {}


def report(lines):
    return "\n".join(map(str, lines))


def against(ratchet, found, meaning):
    """New finds fail, and so does an entry that no longer applies."""
    found = {str(path) for path in found}
    fresh, stale = sorted(found - set(ratchet)), sorted(set(ratchet) - found)
    assert not fresh, f"{meaning}:\n{report(fresh)}"
    assert not stale, f"true by now, take out of the ratchet:\n{report(stale)}"


@pytest.mark.parametrize("check", tidy.CHECKS, ids=lambda check: check.__name__)
def test_every_source_keeps(check):
    found = [line for path in tidy.sources(ROOT)
             for line in check(path, (ROOT / path).read_text())]

    assert not found, report(found)


def test_every_module_has_a_test_file():
    against(UNTESTED, TREE.untested(), "no test has its name or names it")


def test_no_file_is_dead():
    against(DEAD, TREE.dead(),
            "imported nowhere, tested nowhere (a stray .so: make clean)")


def test_every_phase_room_has_its_package_its_tests_and_its_bench():
    packages = [room for room in PHASE_ROOMS
                if not (ROOT / "fastgw" / room / "__init__.py").exists()]
    tests = [room for room in PHASE_ROOMS if not list((ROOT / "tests" / room).glob("test_*.py"))]
    benches = [room for room in PHASE_ROOMS
               if not (ROOT / "benchmarks" / f"bench_{room}.py").exists()]

    assert packages == []
    against(NO_TEST_FOLDER, tests, "phase rooms without tests")
    against(NO_BENCH, benches, "phase rooms without benchmarks/bench_<room>.py")


def python(body_lines):
    return "def grow():\n" + "    pass\n" * body_lines


def cython(body_lines):
    return ("cdef class A:\n    cdef int grow(self, int a,\n                  int b) except -1:\n"
            + "        pass\n\n" * body_lines + "    cdef int after(self)\n")


def c(body_lines):
    return ("static int\n" * 0 + "static int grow(int a,\n                int b)\n{\n"
            + "    a += b;\n" * body_lines + "}\n\nint other(void) { return 1; }\n")


@pytest.mark.parametrize("name, source, length", [
    ("a.py", python(59), 60), ("a.pyx", cython(29), 2 + 2 * 29 - 1), ("a.c", c(56), 60)])
def test_functions_are_measured(name, source, length):
    assert ("grow", length) in [(n, size) for n, _, size in tidy.functions(Path(name), source)]
    assert tidy.long_functions(Path(name), source) == []


@pytest.mark.parametrize("name, source", [
    ("a.py", python(60)), ("a.pyx", cython(31)), ("a.c", c(57))])
def test_a_function_too_long_is_caught(name, source):
    assert len(tidy.long_functions(Path(name), source)) == 1


@pytest.mark.parametrize("check, name, source", [
    (tidy.sizes, "a.c", "int a;\n" * 601),
    (tidy.sizes, "a.pyx", "x" * 100 + "\n"),
    (tidy.banned_words, "a.py", "class RequestHandler: pass\n"),
    (tidy.banned_words, "a.py", "def parse(data): pass\n"),
    (tidy.banned_words, "a.py", "def parse(self):\n    self.user_info = 1\n"),
    (tidy.banned_words, "util.py", ""),
    (tidy.banned_words, "a.pyx", "cdef class PoolManager:\n    pass\n"),
    (tidy.banned_words, "a.pyx", "cdef int parse_data(self) noexcept:\n    pass\n"),
    (tidy.banned_words, "a.h", "struct fgw_request_context {\n};\n"),
    (tidy.banned_words, "a.c", "int fgw_helper(void)\n{\n    return 1;\n}\n"),
    (tidy.marks, "a.c", "/* " + "TO" + "DO: later */\n"),
    (tidy.marks, "a.py", "x = 1  # " + "FIX" + "ME\n"),
    (tidy.cython_forms, "a.pyx", "from libc.stdint cimport *\n"),
    (tidy.cython_forms, "a.pyx", "cdef unsigned char[::1] view = b\n"),
    (tidy.cython_forms, "a.pyx", 'include "b.pxi"\n'),
    (tidy.cython_forms, "a.pxd", "cdef int f() except *\n"),
])
def test_a_made_up_violation_is_caught(check, name, source):
    assert len(check(Path(name), source)) == 1


@pytest.mark.parametrize("name, source", [
    ("a.py", "def data_received(self, chunk):\n    self.data_dir = peer.get_extra_info('x')\n"),
    ("a.pyx", "cdef class Pool:\n    cdef char *_at\n    cdef inline int f(self) noexcept\n"),
    ("a.c", "/* data, info */\nstatic const int table[] = {\n    1,\n};\n"),
])
def test_what_is_fine_passes(name, source):
    assert [line for check in tidy.CHECKS for line in check(Path(name), source)] == []


@pytest.fixture
def tree(tmp_path):
    """A tree of two modules, one kernel and their tests: nothing dead, nothing untested."""
    for name, text in {
        "fastgw/__init__.py": '"""Doc."""\n',
        "fastgw/limit/__init__.py": '"""Doc."""\n',
        "fastgw/limit/take.pyx": "from fastgw.native.bucket cimport fgw_bucket_take\n",
        "fastgw/native/__init__.py": "",
        "fastgw/native/bucket.pxd": 'cdef extern from "fgw_bucket.h" nogil:\n    pass\n',
        "csrc/fgw_bucket.h": "", "csrc/fgw_bucket.c": '#include "fgw_bucket.h"\n',
        "tests/limit/test_take.py": "from fastgw.limit import take\n",
        "tests/csrc/test_bucket.c": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_whole_tree_has_nothing_dead_and_nothing_untested(tree):
    assert mirror.Tree(tree).dead() == [] and mirror.Tree(tree).untested() == []


@pytest.mark.parametrize("name", [
    "fastgw/limit/lost.py", "csrc/fgw_lost.h", "csrc/fgw_lost.c", "fastgw/native/lost.pxd",
    "fastgw/limit/lost.cpython-311-x86_64-linux-gnu.so"])
def test_a_dead_file_is_caught(tree, name):
    (tree / name).write_text("")

    assert mirror.Tree(tree).dead() == [Path(name)]


@pytest.mark.parametrize("name, test, text", [
    ("fastgw/limit/part.pyx", "tests/limit/test_whole.py", "from fastgw.limit.part import x\n"),
    ("fastgw/limit/part.pyx", "tests/limit/test_whole.py", '"""Also limit/part."""\n'),
    ("csrc/fgw_bucket_part.c", "tests/csrc/test_bucket.c", ""),
    ("csrc/fgw_part.c", "tests/limit/test_whole.py", '"""Through it fgw_part."""\n')])
def test_a_module_that_a_test_of_its_room_names_is_tested(tree, name, test, text):
    (tree / name).write_text("")
    assert Path(name) in mirror.Tree(tree).untested() or "bucket" in name
    (tree / test).write_text(text)

    assert mirror.Tree(tree).untested() == []


@pytest.mark.parametrize("name", ["fastgw/limit/lost.pyx", "csrc/fgw_lost.c"])
def test_a_module_without_a_test_is_caught(tree, name):
    (tree / name).write_text("")

    assert mirror.Tree(tree).untested() == [Path(name)]
