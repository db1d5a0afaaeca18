"""Ring files: appear whole, refuse what is none, say one clear line when the tmpfs is full.

Method: real files; the kernel's own rules are in tests/csrc/test_ring.py.
"""

import os
import stat

import pytest

from fastgw.errors import ShmError
from fastgw.ledger.records import Name, head, split
from fastgw.ledger.ring import REFUSALS, SUPERVISOR, Ring
from tests.ledger.fabricate import post_all

SIZE = 1 << 15


def name(text: str) -> bytes:
    return Name(2, 1, 0, text).pack()


def test_a_new_ring_is_private_allocated_and_knows_its_place(tmp_path):
    path = tmp_path / "ring-00-refusals"
    ring = Ring.create(path, SIZE, slot=3, lane=REFUSALS)

    there = os.stat(path)
    assert stat.S_IMODE(there.st_mode) == 0o600
    assert there.st_blocks * 512 >= SIZE
    assert (ring.slot, ring.lane, ring.size, ring.head, ring.tail) == (3, REFUSALS, SIZE, 0, 0)
    assert len(ring.boot) == 16 and ring.ring_id != 0
    assert os.listdir(tmp_path) == ["ring-00-refusals"]


def test_two_rings_are_never_the_same(tmp_path):
    ids = {Ring.create(tmp_path / f"ring-{n}", SIZE, slot=n).ring_id for n in range(20)}

    assert len(ids) == 20


def test_positions_go_on_when_a_producer_is_replaced(tmp_path):
    path = tmp_path / "ring-00-main"
    first = Ring.open(path, SIZE, slot=0)
    post_all(first, [name("a")])
    assert first.reserve(336) and first.reserved == 336
    first.close()

    second = Ring.open(path, SIZE, slot=0)
    post_all(second, [name("b")])
    reader = Ring.attach(path, producer=False)
    records, end = reader.read(0)

    assert second.reserved == 0
    assert [head(raw).sequence for raw in split(records)] == [0, 72] and end == 144


def test_open_makes_a_ring_anew_when_its_size_changed_and_it_is_drained(tmp_path):
    path = tmp_path / "ring-00-main"
    old = Ring.open(path, SIZE, slot=0)
    post_all(old, [name("a")])

    with pytest.raises(ShmError, match="not drained"):
        Ring.open(path, 2 * SIZE, slot=0)
    reader = Ring.attach(path, producer=False)
    reader.look()
    reader.release(reader.head)
    assert Ring.open(path, 2 * SIZE, slot=0).ring_id != old.ring_id


@pytest.mark.parametrize("size", [0, 4096, 20_000, (1 << 15) + 8])
def test_a_size_that_is_none_is_refused_and_leaves_no_file(tmp_path, size):
    with pytest.raises(ShmError):
        Ring.create(tmp_path / "ring-00-main", size, slot=0)
    assert os.listdir(tmp_path) == []


def test_what_is_no_ring_is_not_attached(tmp_path):
    path = tmp_path / "ring-00-main"
    for content in (b"", b"x" * 100, b"x" * (SIZE + 4096)):
        path.write_bytes(content)
        with pytest.raises(ShmError):
            Ring.attach(path, producer=False)
    with pytest.raises(ShmError):
        Ring.attach(tmp_path / "none", producer=True)


def test_a_ring_attaches_by_descriptor(tmp_path):
    Ring.create(tmp_path / "ring-00-main", SIZE, slot=9).close()
    with open(tmp_path / "ring-00-main", "r+b") as file:
        ring = Ring.attach(file.fileno(), producer=True)

    assert ring.slot == 9 and ring.post_bytes(name("a"))


def test_post_takes_whole_records_only(tmp_path):
    ring = Ring.create(tmp_path / "ring-00-main", SIZE, slot=SUPERVISOR)

    for wrong in (b"", name("a")[:-8], name("a") + bytes(8), bytes(40)):
        with pytest.raises(ValueError):
            ring.post_bytes(wrong)
    assert ring.head == 0


def test_reading_in_bites_gives_each_record_once(tmp_path):
    ring = Ring.create(tmp_path / "ring-00-main", SIZE, slot=0)
    reader = Ring.attach(tmp_path / "ring-00-main", producer=False)
    sent, got, position = [], [], 0
    for number in range(1000):
        sent.append(name("x" * (number % 97)))
        assert ring.post_bytes(sent[-1])
        reader.look()
        records, position = reader.read(position, 300)
        got += split(records)
        reader.release(position)
    while reader.look():
        records, position = reader.read(position, 300)
        got += split(records)
        reader.release(position)

    assert [raw[16:] for raw in got] == [raw[16:] for raw in sent]


def test_a_closed_ring_says_so(tmp_path):
    ring = Ring.create(tmp_path / "ring-00-main", SIZE, slot=0)
    ring.close()

    for use in (
        lambda: ring.post_bytes(name("a")),
        ring.look,
        lambda: ring.ring_id,
        ring.counters,
    ):
        with pytest.raises(ShmError, match="closed"):
            use()


def test_a_full_tmpfs_is_one_clear_line_at_the_start(tiny_disk):
    with pytest.raises(ShmError, match="has no room for a ring of 4194304 bytes"):
        Ring.create(tiny_disk / "ring-00-main", 4 << 20, slot=0)
    assert os.listdir(tiny_disk) == []
