"""A data directory, a folder of rings, and a disk so small that it can be filled."""

import os
import subprocess
from pathlib import Path

import pytest


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
