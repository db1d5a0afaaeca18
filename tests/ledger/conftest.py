"""A data directory, a folder of rings, and a disk so small that it can be filled."""

import inspect
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from fastgw.config.model import Secret
from fastgw.ledger import query
from fastgw.ledger.committer import Paths
from fastgw.ledger.query import Ledger
from fastgw.ledger.store import Store
from fastgw.ledger.stores import open_writing
from tests.ledger.server import PostgresServer


@pytest.fixture(scope="session")
def postgres():
    """A server for all tests; each has a database of its own."""
    server = PostgresServer()
    yield server
    server.end()


def pytest_generate_tests(metafunc):
    """Who locks or reads the file of SQLite itself is about SQLite alone."""
    asked = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "either_store" in metafunc.fixturenames and "either_store" not in asked:
        own = "sqlite3.connect" in inspect.getsource(metafunc.function)
        stores = ["sqlite"] if own else ["sqlite", "postgres"]
        metafunc.parametrize("either_store", stores, indirect=True)


@pytest.fixture
def either_store(request, monkeypatch):
    """`Store(folder)`, `Ledger(folder)` and `Paths(folder, …)` of the test's module mean one
    store, then the other."""
    if request.param == "sqlite":
        yield
        return
    server = request.getfixturevalue("postgres")
    url = Secret(server.database())
    opened = []

    class PostgresStore(Store):
        def __init__(self, folder, *rest, **more):
            super().__init__(open_writing(folder, url), *rest, **more)
            opened.append(self)

    class PostgresLedger(Ledger):
        def __init__(self, folder):
            super().__init__(folder)
            opened.append(self)

    paths = partial(Paths, store=url)
    for module in (request.module, query):
        for name, made in (
            ("Store", PostgresStore), ("Ledger", PostgresLedger), ("Paths", paths)
        ):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, made)
    yield
    for one in opened:
        one.close()
    server.drop(url.reveal())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """(data_dir, ring_dir)"""
    made = tmp_path / "data", tmp_path / "shm"
    for folder in made:
        folder.mkdir()
    return made


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A tmpfs of 1 MiB, mounted; needs root."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("cannot mount a tmpfs here (needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
