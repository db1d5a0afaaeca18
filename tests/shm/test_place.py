"""Where a segment lies: the same for all who mean one gateway, and nobody else's.

Method: folders in a temporary directory, this process and a dead one.
"""

import os

import pytest

from fastgw.errors import ShmError
from fastgw.shm.place import boot_id, make_folder, segment_path, start_time


def test_one_gateway_has_one_place_however_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    places = {segment_path("/dev/shm", name)
              for name in (tmp_path / "data", "data", "./data/", tmp_path / "link")}

    assert len(places) == 1
    assert segment_path("/dev/shm", tmp_path / "other") not in places
    assert str(places.pop()).startswith("/dev/shm/fastgw-")


def test_a_folder_is_private_or_refused(tmp_path):
    path = tmp_path / "fastgw-1" / "segment"
    make_folder(path)
    make_folder(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700

    path.parent.chmod(0o750)
    with pytest.raises(ShmError, match="0700"):
        make_folder(path)


def test_a_file_a_link_or_nothing_in_its_place_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)

    for name in ("file", "link", "gone/deeper"):
        with pytest.raises(ShmError):
            make_folder(tmp_path / name / "segment")


def test_a_boot_is_sixteen_bytes_that_stay():
    assert len(boot_id()) == 16 and boot_id() == boot_id() != bytes(16)


def test_a_process_is_named_by_pid_and_start():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert start_time(pid) >= start_time(os.getpid()) > 0
    os.waitpid(pid, 0)

    assert start_time(pid) == 0
