"""Reasons not to start: one clear line, exit code 2, and nothing lost or left behind.

Method: whole instances with the echo port; a full tmpfs is a real one of its own mount namespace.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ECHO = Path(__file__).with_name("echo.py")
ROOT = Path(__file__).parents[2]


def refusal(instance) -> str:
    assert instance.wait_exit() == 2, instance.log
    said = instance.log
    assert said.count("\n") == 1 and said.startswith("fastgw: "), said
    return said


def test_a_port_in_use(start):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        said = refusal(start(port=port))

    assert f"cannot listen on 127.0.0.1:{port}: the port is already in use" in said


def test_a_directory_that_another_instance_uses(start):
    first = start().wait_ready()

    said = refusal(start())

    assert f"is already used by pid {first.process.pid}" in said
    assert first.ask()["slot"] in (0, 1)


def test_a_directory_that_cannot_be_written(start, tmp_path):
    (tmp_path / "file").write_text("")

    said = refusal(start(data_dir=str(tmp_path / "file")))

    assert f"data_dir {tmp_path}/file cannot be written" in said


def test_a_ledger_that_is_none(start, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.db").write_bytes(b"no database" * 1000)

    said = refusal(start())

    assert "ledger" in said
    assert (tmp_path / "data" / "ledger.db").read_bytes() == b"no database" * 1000


def in_tmpfs(folder: Path, size: str, arguments: dict) -> subprocess.CompletedProcess:
    """An instance that sees a tmpfs of ``size`` in ``folder``."""
    mount = f'mount -t tmpfs -o size={size} tmpfs "{folder}" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, str(ECHO),
         json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    return done


def test_a_tmpfs_without_room(tmp_path):
    (tmp_path / "shm").mkdir()
    for size in ("1m", "6m", "9m"):  # too small for the segment, for the first, for all rings
        done = in_tmpfs(tmp_path / "shm", size, {
            "data_dir": str(tmp_path / "data"), "shm_dir": str(tmp_path / "shm"),
        })

        assert done.returncode == 2, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "no room" in done.stderr and str(tmp_path / "shm") in done.stderr


def test_a_full_disk(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "shm").mkdir()
    done = in_tmpfs(tmp_path / "data", "4k", {
        "data_dir": str(tmp_path / "data" / "below"), "shm_dir": str(tmp_path / "shm"),
    })

    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "No space left on device" in done.stderr


def test_starts_again_where_a_start_was_refused(start, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.db").write_bytes(b"no database" * 1000)
    refusal(start())
    (tmp_path / "data" / "ledger.db").unlink()

    instance = start().wait_ready()

    assert instance.ask()["generation"] >= 1
