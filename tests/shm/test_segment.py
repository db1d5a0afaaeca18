"""Segment: made once, kept over a restart, and never misread.

Method: files in a private folder; a real tmpfs of 1 MiB where we may mount one. What the kernels
make of damaged bytes is in tests/csrc/test_segment.py.
"""

import gc
import os
import subprocess

import pytest

from fastgw.errors import ShmError
from fastgw.shm import segment as module
from fastgw.shm.place import start_time
from fastgw.shm.segment import Segment

SMALL = dict(workers=2, entries=64, holds_per_worker=8)
HEADER = 4096


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fastgw-1" / "segment"


def spoil(path, at, raw):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(raw)


def test_a_new_segment_is_private_whole_and_empty(path):
    segment = Segment.create(path, **SMALL)

    assert segment.reason == "new" and segment.replaced is None and not segment.readonly
    assert (segment.workers, segment.holds_per_worker, segment.groups) == (2, 8, 8)
    seen = os.stat(path)
    assert seen.st_mode & 0o777 == 0o600 and seen.st_size == segment.size
    assert seen.st_blocks * 512 >= segment.size, "its pages are allocated"
    assert os.stat(path.parent).st_mode & 0o777 == 0o700
    assert segment.live_holds(1) == (0, 0) and segment.generation == 0
    assert os.listdir(path.parent) == ["segment"]


def test_a_segment_of_this_boot_and_these_sizes_is_kept(path):
    first = Segment.create(path, **SMALL)
    first.claim(1, 4242, 17, 3)
    assert first.adopt(os.getpid(), start_time(os.getpid())) == 1

    second = Segment.create(path, **SMALL)

    assert second.reason == "kept" and second.made_ns == first.made_ns
    assert second.worker(1)[:4] == (4242, module.STARTING, 3, 17)
    assert second.adopt(1, 1) == 2 and first.generation == 2


@pytest.mark.parametrize("at, raw, reason", [
    (0, b"\0", "not a segment, or never finished"),
    (8, b"\x63", "of another layout"),
    (20, b"\x01", "header damaged"),
    (100, b"\x01", "header damaged"),
])
def test_a_segment_that_is_of_no_use_is_made_anew_and_says_why(path, at, raw, reason):
    Segment.create(path, **SMALL).claim(1, 4242, 17, 3)
    spoil(path, at, raw)
    with pytest.raises(ShmError, match=reason):
        Segment.attach(path)

    anew = Segment.create(path, **SMALL)

    assert anew.reason == reason and anew.replaced is None and anew.worker(1).pid == 0


@pytest.mark.parametrize("size", [0, 100, HEADER, -1])
def test_a_segment_cut_short_is_made_anew(path, size):
    whole = Segment.create(path, **SMALL).size
    os.truncate(path, size if size >= 0 else whole - 1)
    with pytest.raises(ShmError, match="cut short"):
        Segment.attach(path)

    assert Segment.create(path, **SMALL).reason == "cut short"


def test_a_segment_of_another_boot_is_made_anew(path):
    Segment.create(path, boot=b"the boot before.", **SMALL)
    Segment.attach(path)  # a reader takes any boot's

    anew = Segment.create(path, **SMALL)

    assert anew.reason == "of another boot" and anew.boot != b"the boot before."


def test_a_segment_of_other_sizes_is_replaced_and_handed_over(path):
    older = Segment.create(path, **SMALL)
    older.claim(0, 9, 9, 9)

    newer = Segment.create(path, **{**SMALL, "workers": 3})

    assert newer.reason == "of other sizes" and newer.replaced.worker(0).pid == 9
    assert newer.worker(0).pid == 0 and newer.workers == 3


def test_all_mappings_see_one_memory(path):
    maker = Segment.create(path, **SMALL)
    by_fd, by_path = Segment.attach(maker.fd), Segment.attach(path)
    reader = Segment.attach(path, readonly=True)

    by_fd.claim(0, 7, 8, 9)
    by_path.set_state(0, module.READY)
    by_path.set_policy(0, 2**63)
    maker.turn(0, 55)

    assert reader.worker(0) == (7, module.READY, 9, 8, 55, 1, 2**63)
    assert by_fd.path is None and by_path.path == str(path)


def test_a_child_sees_what_its_parent_maps(path):
    segment = Segment.create(path, **SMALL)
    pid = os.fork()
    if pid == 0:
        segment.turn(1, 77)
        os._exit(0)
    os.waitpid(pid, 0)

    assert segment.worker(1).heartbeat_ns == 77


def test_a_reader_cannot_write(path):
    Segment.create(path, **SMALL)
    reader = Segment.attach(path, readonly=True)

    for write in (lambda: reader.turn(0, 1), lambda: reader.claim(0, 1, 1, 1),
                  lambda: reader.set_state(0, 1), lambda: reader.adopt(1, 1),
                  lambda: reader.set_policy(0, 1), lambda: reader.reset_gauges(0)):
        with pytest.raises(ShmError, match="read-only"):
            write()


def test_workers_that_do_not_exist_are_index_errors(path):
    segment = Segment.create(path, **SMALL)
    for worker in (-1, 4, 2**40):
        for use in (segment.worker, segment.live_holds, segment.reset_gauges):
            with pytest.raises(IndexError):
                use(worker)


def test_no_gateway_is_one_clear_line(path):
    with pytest.raises(ShmError, match="No such file or directory: no gateway runs here"):
        Segment.attach(path)


@pytest.mark.parametrize("sizes", [
    dict(workers=0), dict(workers=999), dict(workers=1, holds_per_worker=0),
    dict(workers=1, holds_per_worker=10**6)])
def test_impossible_sizes_are_errors(path, sizes):
    with pytest.raises(ShmError, match="no segment for"):
        Segment.create(path, **sizes)


def test_what_is_open_to_others_is_not_used(path):
    Segment.create(path, **SMALL)
    os.chmod(path, 0o660)
    with pytest.raises(ShmError, match="open to other users"):
        Segment.attach(path)

    assert Segment.create(path, **SMALL).reason == "open to other users"
    os.chmod(path.parent, 0o755)
    with pytest.raises(ShmError, match="0700"):
        Segment.create(path, **SMALL)


def test_a_link_in_its_place_is_not_followed(path, tmp_path):
    path.parent.mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ShmError, match="remove it"):
        Segment.create(path, **SMALL)
    assert not (tmp_path / "elsewhere").exists()


def test_the_descriptor_goes_with_the_segment(path):
    segment = Segment.create(path, **SMALL)
    fd = segment.fd
    os.fstat(fd)
    assert not os.get_inheritable(fd)
    del segment
    gc.collect()

    with pytest.raises(OSError):
        os.fstat(fd)


@pytest.fixture
def tiny(tmp_path):
    """A tmpfs of 1 MiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "fastgw-test", place],
                           capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mount.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_tmpfs_is_one_clear_line_and_leaves_nothing(tiny):
    path = tiny / "fastgw-1" / "segment"

    with pytest.raises(ShmError, match="no room for 8 MiB of shared memory.*shm_dir"):
        Segment.create(path, workers=2, entries=32768, holds_per_worker=4096)

    assert os.listdir(path.parent) == []
    segment = Segment.create(path, **SMALL)
    assert segment.reason == "new"
    del segment
    gc.collect()
