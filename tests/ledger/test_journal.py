"""Journal: what a worker writes, and what happens when there is no room.

Method: records built in Python go through the very methods of the hot path (`post`); the rings are
read back as the recorder would.
"""

import pytest

from fastgw.ledger.journal import Journal, name_hash
from fastgw.ledger.records import (
    NAME_MODEL,
    NAME_RULE,
    Close,
    Open,
    Refused,
    Request,
    RequestId,
    split,
    unpack_record,
)
from fastgw.ledger.ring import REFUSALS, Ring
from tests.ledger.fabricate import T0, close, dims, request

SECOND = 10**9
FULL, DROPPED, ROOM = -1, 0, 1


class Worker:
    """A journal and both ends of its rings."""

    def __init__(self, folder, on_full="reject", size=1 << 14):
        self.paths = folder / "ring-00-main", folder / "ring-00-refusals"
        self.readers = []
        self.journal = Journal(
            Ring.open(self.paths[0], size, slot=0),
            Ring.open(self.paths[1], 1 << 18, slot=0, lane=REFUSALS),
            generation=1,
            worker=0,
            on_full=on_full,
        )
        self.readers = [Ring.attach(path, producer=False) for path in self.paths]

    def read(self, lane=0):
        reader = self.readers[lane]
        reader.look()
        records, end = reader.read(reader.tail)
        reader.release(end)
        return [unpack_record(raw) for raw in split(records)]


def id(number: int) -> RequestId:
    return RequestId(1, 0, number)


def refused(number: int, key: str = "k1", code: int = 801) -> bytes:
    what = dims(key) if key else dims("")
    return request(id(number), dims=what, verdict=1, status=429, code=code).pack()


def test_a_request_is_recorded_with_its_rules_and_limits(tmp_path):
    worker = Worker(tmp_path)
    sent = request(id(1), status=0, phase_us=tuple(range(13)))

    room = worker.journal.post(sent.pack())
    opened = worker.journal.post(Open(id(1), T0, held=[(1, 2, 3)] * 8).pack(), room)
    assert worker.journal.post(close(id(1)).pack(), opened) == ROOM

    got = worker.read()
    assert [type(one) for one in got] == [Request, Open, Close]
    assert got[0] == unpack_record(sent.pack()) and len(got[1].held) == 8
    assert worker.journal.main.reserved == 0


def test_nothing_of_what_stood_in_the_ring_before_is_posted(tmp_path):
    """Where a record is written in the ring itself, old bytes lie below it."""
    worker = Worker(tmp_path)
    reader = worker.readers[0]
    for number in range(200):  # several laps of ones
        worker.journal.post_name(NAME_RULE, f"{number:03}" + "\xff" * 100)
        worker.read()
    sent = request(id(1))
    room = worker.journal.post(sent.pack())
    worker.journal.give_up(room)
    worker.journal.post_name(NAME_MODEL, "gpt-4o-mini")
    reader.look()
    posted, named = split(reader.read(reader.tail)[0])

    def unplaced(raw: bytes) -> bytes:
        return raw[:8] + bytes(8) + raw[16:40]

    assert unplaced(posted) == unplaced(sent.pack()) and posted[40:] == sent.pack()[40:]
    assert named[64:] == b"gpt-4o-mini" + bytes(5) and named[16:32] == bytes(16)


def test_a_full_ring_refuses_requests_but_never_loses_a_close(tmp_path):
    worker, admitted, number = Worker(tmp_path), [], 0
    while True:
        number += 1
        room = worker.journal.post(request(id(number)).pack())
        if room == FULL:
            break
        assert worker.journal.post(Open(id(number), T0).pack(), room) == ROOM
        admitted.append(number)

    assert len(admitted) > 5
    assert worker.journal.counters()["refused_open"] == 1
    assert all(worker.journal.post(close(id(one)).pack(), ROOM) == ROOM for one in admitted)
    closes = [one.id.sequence for one in worker.read() if isinstance(one, Close)]
    assert closes == admitted
    assert worker.journal.post(request(id(number)).pack()) == ROOM


def test_an_admitted_request_without_an_attempt_gives_its_room_back(tmp_path):
    worker = Worker(tmp_path)
    for number in range(1000):
        room = worker.journal.post(request(id(number + 1)).pack())
        assert room == ROOM
        worker.journal.give_up(room)
        worker.read()

    assert worker.journal.main.reserved == 0


def test_a_second_attempt_sets_its_own_room_aside(tmp_path):
    worker = Worker(tmp_path)
    room = worker.journal.post(request(id(1)).pack())
    for number in (1, 2):
        opened = worker.journal.post(Open(id(1), T0, number).pack(), room)
        room = DROPPED
        assert opened == ROOM and worker.journal.main.reserved == len(close(id(1)).pack())
        worker.journal.post(close(id(1), attempt=number).pack(), opened)

    assert [one.attempt for one in worker.read() if isinstance(one, Close)] == [1, 2]


def test_drop_lets_requests_pass_and_counts_what_is_missing(tmp_path):
    worker = Worker(tmp_path, on_full="drop")
    while worker.journal.post(request(id(1)).pack()) == ROOM:
        pass
    while worker.journal.main.post_bytes(request(id(1)).pack()):
        pass

    opened = worker.journal.post(Open(id(2), T0).pack(), DROPPED)
    assert opened == DROPPED
    assert worker.journal.post(close(id(2)).pack(), opened) == DROPPED
    counts = worker.journal.counters()
    assert (counts["dropped_open"], counts["dropped_close"], counts["refused_open"]) == (1, 1, 0)
    worker.read()
    assert worker.journal.post(close(id(3)).pack(), DROPPED) == ROOM


def test_a_name_is_posted_once_in_a_space(tmp_path):
    worker = Worker(tmp_path)
    for _ in range(3):
        assert worker.journal.post_name(NAME_MODEL, "gpt-4o") == name_hash("gpt-4o")
    worker.journal.post_name(NAME_RULE, "gpt-4o")

    assert [(one.space, one.text) for one in worker.read()] == [
        (NAME_MODEL, "gpt-4o"),
        (NAME_RULE, "gpt-4o"),
    ]


def test_forgotten_names_are_posted_again_and_all_are_posted_at_least_once(tmp_path):
    worker, seen = Worker(tmp_path, size=1 << 20), set()
    for number in range(20_000):
        worker.journal.post_name(NAME_MODEL, f"model {number}")
        if number % 1000 == 999:
            seen |= {one.text for one in worker.read()}

    assert len(seen) == 20_000


def test_a_name_without_room_is_posted_with_its_next_use(tmp_path):
    worker = Worker(tmp_path)
    while worker.journal.main.post_bytes(request(id(1)).pack()):
        pass
    while (
        worker.journal.post_name(NAME_RULE, "x" * 8)
        and worker.journal.counters()["dropped_name"] == 0
    ):
        worker.journal.main.post_bytes(Close(id(1), T0).pack())
    worker.journal.post_name(NAME_MODEL, "gpt-4o")
    worker.read()

    worker.journal.post_name(NAME_MODEL, "gpt-4o")
    assert [one.text for one in worker.read()] == ["gpt-4o"]


def test_a_long_name_is_cut_and_keeps_its_hash(tmp_path):
    worker = Worker(tmp_path)
    text = "é" * 5000

    assert worker.journal.post_name(NAME_MODEL, text) == name_hash(text)
    (one,) = worker.read()
    assert len(one.text.encode()) == 3968 and one.hash0 == name_hash(text)


def test_the_hash_of_nothing_is_zero_and_of_a_text_never_changes():
    assert name_hash("") == 0
    # SipHash-2-4 under FGW_NAME_KEY: stored in ledgers, so it must never change.
    assert name_hash("gpt-4o") == name_hash(b"gpt-4o") != name_hash("gpt-4")


@pytest.mark.parametrize("key, pace", [("k1", 1000), ("", 100)])
def test_a_flood_of_refusals_is_counted_to_the_last_one(tmp_path, key, pace):
    worker, flood = Worker(tmp_path), 7000
    full = counted = samples = 0

    for number in range(flood):
        now = 5 * SECOND + number * 100_000  # 0.7 s, within one second of the pace
        worker.journal.post(refused(number + 1, key), now_ns=now)
        if number % 500 == 499:
            worker.journal.flush_now(now)
            for one in worker.read(1):
                if isinstance(one, Refused):
                    counted += one.count
                elif one.sampled:
                    samples += 1
                else:
                    full += 1

    assert full == pace and 1 <= samples <= 14
    assert full + samples + counted == flood == worker.journal.counters()["refusals"]


def test_refusals_without_room_are_counted_not_lost(tmp_path):
    worker = Worker(tmp_path)
    for number in range(3000):
        worker.journal.post(refused(number + 1), now_ns=(number // 900 + 1) * SECOND)
    first = worker.read(1)
    worker.journal.flush_now(10 * SECOND)
    counts = sum(one.count for one in worker.read(1))

    assert len(first) < 3000 and len(first) + counts == 3000


def test_counts_survive_the_worker(tmp_path):
    worker = Worker(tmp_path)
    for number in range(2500):
        worker.journal.post(refused(number + 1), now_ns=SECOND)
    written = len(worker.read(1))
    del worker.journal

    again = Worker(tmp_path)
    again.journal.flush_now(2 * SECOND)
    (told,) = again.read(1)
    assert written + told.count == 2500


def test_a_journal_wants_two_rings_it_can_write_and_a_known_rule(tmp_path):
    ring = Ring.create(tmp_path / "a", 1 << 14, slot=0)
    reader = Ring.attach(tmp_path / "a", producer=False)

    with pytest.raises(ValueError):
        Journal(reader, ring, generation=1, worker=0)
    with pytest.raises(ValueError):
        Journal(ring, ring, generation=1, worker=0, on_full="maybe")
