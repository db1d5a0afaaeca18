"""Refusals: recorded in full up to a pace, counted exactly beyond it, also over kill -9.

Method: the kernel through ctypes with time as an integer; a C program that counts and flushes is
killed at random instants, and its successor goes on with the same file.
"""

import ctypes
import os
import signal
import struct
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from fastgw.ledger.records import Dims, Refused, Request, RequestId, split
from fastgw.ledger.ring import Ring as RingFile
from tests.csrc.ledger_native import Mapping, library, program, seeded

SECOND = 10**9
ROWS, ROW_BYTES = 48, 72


def refused(rule: int = 1, account: int = 7, code: int = 801, number: int = 1) -> bytes:
    return Request(
        RequestId(1, 0, number),
        5,
        Dims(account=account),
        verdict=1,
        status=429,
        code=code,
        rule=rule,
    ).pack()


class Counts:
    def __init__(self):
        self.ring = Mapping()
        self.lib = self.ring.lib
        self.table = ctypes.c_void_p(self.lib.fgw_ring_refusals(ctypes.byref(self.ring.producer)))

    def add(self, record: bytes) -> int:
        return self.lib.fgw_refusals_add(self.table, record)

    def sample(self, record: bytes) -> int:
        return self.lib.fgw_refusals_sample(self.table, record)

    def flush(self) -> int:
        return self.lib.fgw_refusals_flush(
            self.table, ctypes.byref(self.ring.producer), ctypes.c_uint64(99)
        )

    def raw(self, row: int) -> bytes:
        return ctypes.string_at(self.table.value + ROW_BYTES * row, ROW_BYTES)

    def write(self, row: int, counters: bytes) -> None:
        """counted, posted, pending, position"""
        ctypes.memmove(self.table.value + ROW_BYTES * row + 24, counters, len(counters))

    def told(self) -> Counter:
        told: Counter = Counter()
        for raw in split(self.ring.drain()):
            one = Refused.unpack(raw)
            told[one.rule, one.account, one.code] += one.count
        return told


def take(pacer, account: int, now_ns: int) -> int:
    return library().fgw_pacer_take(pacer, ctypes.c_uint64(account), ctypes.c_uint64(now_ns))


@pytest.mark.parametrize("account, allowed", [(7, 1000), (0, 100)])
def test_a_second_has_its_share_in_full_and_the_next_one_again(account, allowed):
    pacer = ctypes.create_string_buffer(1024 * 24)

    first = sum(take(pacer, account, 5 * SECOND + number) for number in range(3000))
    assert first == allowed
    assert sum(take(pacer, account, 6 * SECOND) for _ in range(3000)) == allowed


def test_a_flood_without_a_key_takes_nothing_from_a_key():
    pacer = ctypes.create_string_buffer(1024 * 24)
    for _ in range(5000):
        take(pacer, 0, SECOND)

    assert sum(take(pacer, 7, SECOND) for _ in range(1000)) == 1000


def test_counts_are_exact_by_rule_code_and_key():
    draw = seeded("counts")
    counts, expected, told = Counts(), Counter(), Counter()

    for number in range(20_000):
        key = (draw.randrange(4), draw.randrange(3), draw.choice([301, 801]))
        expected[key] += 1
        assert counts.add(refused(key[0], key[1], key[2], number)) == 0
        if draw.random() < 0.01:
            assert counts.flush() == 0
            told += counts.told()
    counts.flush()
    told += counts.told()

    assert told == expected


def test_one_sample_of_a_sort_is_marked_between_two_flushes():
    counts = Counts()

    assert [counts.sample(refused()) for _ in range(3)] == [1, 0, 0]
    assert counts.sample(refused(rule=2)) == 1
    counts.flush()
    assert counts.sample(refused()) == 1


def test_a_full_table_merges_and_keeps_the_total():
    counts = Counts()
    merged = sum(counts.add(refused(rule=rule)) for rule in range(1000))
    counts.flush()
    told = counts.told()

    assert merged == 1000 - (ROWS - 1)
    assert told[0, 0, 0] == merged and sum(told.values()) == 1000


def test_rows_are_free_again_when_nothing_came_since_the_last_flush():
    counts = Counts()
    for rule in range(ROWS - 1):
        counts.add(refused(rule=rule))
    counts.flush()
    assert counts.add(refused(rule=5000)) == 1

    counts.flush()
    counts.flush()
    assert counts.add(refused(rule=6000)) == 0


def test_counts_wait_when_the_ring_is_full():
    counts = Counts()
    filler = refused()
    while counts.ring.post(filler):
        pass
    for _ in range(10):
        counts.add(refused(rule=3))

    assert counts.flush() == 1
    counts.ring.drain()
    assert counts.flush() == 0
    assert counts.told() == {(3, 7, 801): 10}


def test_every_count_is_told_exactly_once_when_workers_are_killed(tmp_path: Path):
    draw = seeded("kill -9")
    path, page = tmp_path / "ring-00-refusals", tmp_path / "counted"
    RingFile.create(path, 1 << 16, slot=0, lane=1).close()
    page.write_bytes(bytes(4096))
    ring, told, deaths = RingFile.attach(path, producer=False), 0, 100

    def read() -> int:
        ring.look()
        records, end = ring.read(ring.tail)
        ring.release(end)
        return sum(Refused.unpack(raw).count for raw in split(records))

    for _ in range(deaths):
        worker = subprocess.Popen([program("refusals_kill.c"), path, page])
        until = time.monotonic() + 0.001 + draw.random() * 0.004
        while time.monotonic() < until:
            told += read()
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        told += read()

    lib, memory = Mapping.over(path)
    table = ctypes.c_void_p(lib.fgw_ring_refusals(ctypes.byref(memory.producer)))
    lib.fgw_refusals_recover(table, ctypes.byref(memory.producer))
    lib.fgw_refusals_flush(table, ctypes.byref(memory.producer), ctypes.c_uint64(1))
    told += read()
    begun, ended = struct.unpack_from("QQ", page.read_bytes())

    # A worker killed inside one count leaves it begun, counted or not: one a death at most.
    assert ended > 100 * deaths
    assert ended <= told <= begun and begun - ended <= deaths


@pytest.mark.parametrize(
    "instant, told_again",
    [
        ("before publishing", True),
        ("after publishing", False),
        ("after noting it", False),
    ],
)
def test_a_kill_around_the_publication_neither_doubles_nor_loses(instant, told_again):
    """The three states that a kill can leave, put in place: a random kill hits them too rarely."""
    counts = Counts()
    for number in range(10):
        counts.add(refused(rule=3, number=number))
    if instant != "before publishing":
        counts.flush()
        assert counts.told() == {(3, 7, 801): 10}
    row = next(at for at in range(ROWS) if struct.unpack_from("<H", counts.raw(at), 20)[0])
    head = counts.ring.producer.head
    position = head if instant == "before publishing" else head - 72
    posted = 10 if instant == "after noting it" else 0
    counts.write(row, struct.pack("<4Q", 10, posted, 10, position))

    counts.lib.fgw_refusals_recover(counts.table, ctypes.byref(counts.ring.producer))
    counts.flush()
    assert counts.told() == ({(3, 7, 801): 10} if told_again else {})
    counts.add(refused(rule=3))
    counts.flush()
    assert counts.told() == {(3, 7, 801): 1}
