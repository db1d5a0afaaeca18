"""Ring: whole records only, in order, without a gap, whatever is killed; a close always has room.

Method: the kernel through ctypes (undefined behaviour traps). Wrapping is fed at every alignment,
a model in Python says what must come out; a C producer is killed with -9 at random instants.
"""

import collections
import ctypes
import os
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

from fastgw.ledger.records import Name, RequestId, head, split
from fastgw.ledger.ring import Ring as RingFile
from tests.csrc.ledger_native import HEADER, Mapping, program, seeded

SIZE = 16384
SLACK = 4096
CLOSE = 336


def name(size: int, mark: int = 0) -> bytes:
    """A NAME record of exactly ``size`` bytes."""
    return Name(9, mark, 0, "x" * (size - 64), RequestId(1, 0, mark)).pack()


def sizes_of(records: bytes) -> list[int]:
    return [len(raw) for raw in split(records)]


def test_a_record_comes_out_as_it_went_in_with_its_position():
    ring = Mapping()

    assert ring.post(name(72, 5)) and ring.post(name(104, 6))
    records = list(split(ring.drain()))

    assert [head(raw).sequence for raw in records] == [0, 72]
    assert records[1][16:] == name(104, 6)[16:]


@pytest.mark.parametrize("start", range(0, 400, 8))
def test_wraps_at_every_alignment(start):
    ring = Mapping()
    positions, expected = [], 0
    if start:
        assert ring.post(name(64 + start))
        expected = ring.producer.head
        ring.drain()

    for number in range(200):
        record = name(64 + number * 8 % 320, number)
        to_end = SIZE - expected % SIZE
        expected += to_end if to_end < len(record) else 0
        assert ring.post(record)
        (raw,) = split(ring.drain())
        positions.append((head(raw).sequence, expected))
        assert raw[16:] == record[16:]
        expected += len(record)

    assert all(got == want for got, want in positions)
    assert positions[-1][0] > SIZE


def test_random_traffic_is_fifo_and_bounded():
    draw = seeded("ring traffic")
    ring, waiting = Mapping(), collections.deque()

    for number in range(20_000):
        record = name(64 + 8 * draw.randrange(500), number)
        if ring.post(record):
            waiting.append(record)
        elif draw.random() < 0.5:
            ring.look()
            _, records, end = ring.copy(room=draw.choice([100, 5000, 1 << 15]))
            for raw in split(records):
                assert raw[16:] == waiting.popleft()[16:]
            assert ring.release(end) == 0

    for raw in split(ring.drain()):
        assert raw[16:] == waiting.popleft()[16:]
    assert not waiting


def test_a_reserved_close_always_fits_whatever_else_is_posted():
    draw = seeded("reservations")
    ring, owed = Mapping(), 0

    for number in range(10_000):
        if ring.reserve(CLOSE, 152):
            assert ring.post(name(152, number))
            owed += 1
        ring.post(name(64 + 8 * draw.randrange(400)))
        for _ in range(draw.randrange(3) if owed else 0):
            if owed:
                assert ring.post(name(CLOSE, number), reserved=CLOSE)
                owed -= 1
        assert ring.producer.reserved == owed * CLOSE
        if draw.random() < 0.3:
            ring.drain()


def test_all_reserved_closes_fit_into_a_ring_that_nobody_empties():
    for lead in range(0, SIZE, 248):
        ring = Mapping()
        for _ in range(lead // 248):
            assert ring.post(name(248))
            ring.drain()
        owed = 0
        while ring.reserve(CLOSE, 152):
            assert ring.post(name(152))
            owed += 1
        while ring.post(name(64)):
            pass

        assert owed > 10
        assert all(ring.post(name(CLOSE), reserved=CLOSE) for _ in range(owed))
        assert ring.look() <= SIZE


def test_a_full_ring_refuses_and_goes_on_when_room_is_given_back():
    ring = Mapping()
    while ring.post(name(1024)):
        pass

    assert not ring.post(name(1024)) and not ring.reserve(CLOSE)
    ring.drain()
    assert ring.post(name(1024))


def test_an_unpublished_claim_is_invisible_and_forgotten():
    ring = Mapping()
    ring.lib.fgw_ring_claim(ctypes.byref(ring.producer), 128, 0)

    assert ring.look() == 0
    assert ring.post(name(72, 9))
    assert sizes_of(ring.drain()) == [72]


@pytest.mark.parametrize(
    "field, value",
    [
        (0, 8),
        (0, 0xFFFFFFF8),
        (0, 72 + 8),
        (0, 73),
        (4, 9),
        (5, 0),
        (5, 4),
        (8, 1234),
        (58, 200),
    ],
)
def test_a_damaged_record_stops_the_reader_before_it(field, value):
    ring = Mapping()
    assert ring.post(name(72)) and ring.post(name(72)) and ring.post(name(72))
    width = {0: "I", 4: "B", 5: "B", 8: "Q", 58: "H"}[field]
    struct.pack_into(width, ring.memory, HEADER + 72 + field, value)
    ring.look()

    written, records, end = ring.copy()
    assert (sizes_of(records), end) == ([72], 72)
    assert ring.copy(start=end)[0] == -1


@pytest.mark.parametrize("head_word", [1, 7, SIZE + 8, 2**63, 2**64 - 8])
def test_an_impossible_head_is_not_believed(head_word):
    ring = Mapping()
    struct.pack_into("Q", ring.memory, 64, head_word)

    assert ring.look() == -1
    assert ring.open_consumer() == -1


@pytest.mark.parametrize("offset, value", [(0, 1), (8, 99), (12, 99), (24, 16385), (24, 1 << 40)])
def test_a_file_of_another_layout_is_not_opened(offset, value):
    ring = Mapping()
    struct.pack_into("Q" if offset in (0, 24) else "I", ring.memory, offset, value)

    assert ring.open_producer() == -1


def test_release_neither_goes_back_nor_beyond_head():
    ring = Mapping()
    assert ring.post(name(72))
    ring.look()

    assert ring.release(80) == -1
    assert ring.release(72) == 0
    assert ring.release(0) == -1


def test_nothing_is_torn_lost_or_doubled_when_the_producer_is_killed(tmp_path: Path):
    draw = seeded("kill -9")
    path = tmp_path / "ring-00-main"
    RingFile.create(path, 1 << 16, slot=0).close()
    ring, seen, rounds = RingFile.attach(path, producer=False), 0, 150

    def take() -> int:
        position, count = ring.tail, 0
        ring.look()
        records, end = ring.read(position)
        for raw in split(records):
            one = Name.unpack(raw)
            place = head(raw).sequence
            # The record says its own place, so that a gap or a copy would show.
            assert one.hash0 == place and place in (position, -(-position // 65536) * 65536)
            assert raw[64:].strip(bytes([place // 8 % 251])) == b""
            position, count = place + len(raw), count + 1
        ring.release(end)
        return count

    for _ in range(rounds):
        producer = subprocess.Popen([program("ring_kill.c"), path])
        until = time.monotonic() + 0.001 + draw.random() * 0.004
        while time.monotonic() < until:
            seen += take()
        os.kill(producer.pid, signal.SIGKILL)
        producer.wait()
        seen += take()

    assert seen > 100 * rounds
