"""The layers of DESIGN section 3 hold, in every import and cimport of the package.

Method: the real tree must be clean, and made-up sources that break the table, one per way of
breaking it, must each be caught: a check that cannot fail protects nothing.
"""

from pathlib import Path

import pytest

from tools.imports import Import, imports
from tools.layers import LEVEL, all_violations, violations

ROOT = Path(__file__).resolve().parent.parent


def test_the_package_imports_downward_only():
    assert all_violations(ROOT) == []


@pytest.mark.parametrize("path, text", [
    ("fastgw/wire/http1.py", "from fastgw.limit import bucket\n"),
    ("fastgw/wire/http1.py", "import os, fastgw.journey\n"),
    ("fastgw/wire/http1.py", "def late():\n    from fastgw import process\n"),
    ("fastgw/wire/http1.py", "from fastgw import Gateway\n"),
    ("fastgw/wire/http1.pyx", "from fastgw.limit.bucket cimport Bucket\n"),
    ("fastgw/wire/http1.pxd", "cimport fastgw.limit.bucket as b\n"),
    ("fastgw/wire/http1.pyx", "from ..limit cimport bucket\n"),
    ("fastgw/wire/http1.pyx", "from fastgw cimport journey\n"),
    ("fastgw/wire/http1.pyx", "from fastgw.limit cimport (\n    bucket,\n    hold,\n)\n"),
    ("fastgw/dialect/openai.py", "from fastgw.usage import merge\n"),
    ("fastgw/process/worker.py", "import fastgw\n"),
    ("fastgw/process/worker.py", "from fastgw.admin import api\n"),
    ("fastgw/journey.pyx", "from fastgw.process.worker import Worker\n"),
    ("fastgw/journey.pyx", "from fastgw.listener.downstream cimport Downstream\n"),
    ("fastgw/attempts.pyx", "from fastgw.journey cimport Journey\n"),
])
def test_an_upward_import_is_caught(path, text):
    assert violations(Path(path), text) != []


@pytest.mark.parametrize("path, text", [
    ("fastgw/limit/take.pyx", "from fastgw.ledger.ring cimport Ring\n"),
    ("fastgw/explain/report.py", "from fastgw import policy\n"),
    ("fastgw/usage/merge.py", "from ..stream import sse\n"),
    ("fastgw/errors.py", "from fastgw.config import load\n"),
])
def test_a_sibling_import_is_caught(path, text):
    assert "sibling" in violations(Path(path), text)[0]


def test_a_room_without_a_place_in_the_table_is_caught():
    assert violations(Path("fastgw/misc/thing.py"), "") != []
    assert violations(Path("fastgw/wire/http1.py"), "import fastgw.misc.thing\n") != []


def test_only_native_reaches_c():
    text = 'cdef extern from "fgw_bucket.h" nogil:\n    pass\n'

    assert violations(Path("fastgw/limit/bucket.pxd"), text) != []
    assert violations(Path("fastgw/native/bucket.pxd"), text) == []


@pytest.mark.parametrize("path, text", [
    ("fastgw/limit/take.pyx", "from fastgw.native.bucket cimport fgw_bucket_take\n"),
    ("fastgw/limit/take.pyx", "from fastgw.limit.hold cimport Hold\nfrom . import hold\n"),
    ("fastgw/limit/take.pyx", '"""Text.\n\nfrom fastgw.ledger import ring\n"""\n'),
    ("fastgw/limit/take.pyx", "# from fastgw.ledger import ring\nimport uvloop\n"),
    ("fastgw/listener/connection.pyx", "from fastgw.journey cimport Journey\n"),
    ("fastgw/admin/api.py", "from fastgw import __version__\nfrom fastgw.process import run\n"),
    ("fastgw/wire/head.py", "from fastgw import __version__, errors\n"),
])
def test_a_downward_import_passes(path, text):
    assert violations(Path(path), text) == []


def test_every_file_of_the_package_is_read_and_every_room_has_a_layer():
    rooms = {path.name for path in (ROOT / "fastgw").iterdir() if (path / "__init__.py").exists()}

    assert rooms <= set(LEVEL)


def test_cython_imports_are_read_with_their_lines():
    text = "cimport cython\n\nfrom fastgw.limit cimport (\n    bucket,  # why\n    hold as h)\n"

    assert imports(Path("fastgw/wire/x.pyx"), text) == [
        Import(1, "cython"), Import(3, "fastgw.limit", "bucket"),
        Import(3, "fastgw.limit", "hold")]
