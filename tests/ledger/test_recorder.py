"""Recorder: every record in the store exactly once, whatever is killed, locked or full.

Method: a forked recorder is killed with -9 at random instants under load and replaced; the store
is locked by another connection; the disk of the data directory is filled for real; a ring is
damaged. The books of `Traffic` are the oracle. Nothing waits for time: a test steps the recorder
itself.
"""

import errno
import os
import signal
import sqlite3
import struct
import threading
import time
from pathlib import Path

import pytest

from fastgw.config.model import DAY_NS, Retention
from fastgw.errors import LedgerError
from fastgw.ledger import committer
from fastgw.ledger.committer import Paths
from fastgw.ledger.database import StoreFailed
from fastgw.ledger.query import Ledger
from fastgw.ledger.recorder import Recorder, drain, run
from fastgw.ledger.records import (
    CLOSE,
    NAME_MODEL,
    PHASES_SIZE,
    UNITS,
    VERSION,
    Name,
    Open,
    RequestId,
    head,
)
from fastgw.ledger.ring import REFUSALS, Ring
from fastgw.ledger.span import Span
from fastgw.ledger.spill import Spill
from fastgw.ledger.store import Store
from tests.csrc.ledger_native import seeded
from tests.ledger.fabricate import T0, Traffic, close, dims, names, post_all, request, rings

pytestmark = pytest.mark.usefixtures("either_store")


class Quiet:
    """The recorder's log, kept."""

    def __init__(self):
        self.events: list[tuple[str, dict]] = []

    def __call__(self, event, fields):
        self.events.append((event, fields))


def paths(folders, **more) -> Paths:
    return Paths(*folders, **more)


def recorder(folders, **more) -> Recorder:
    return Recorder(paths(folders, **more), Quiet())


def assert_exactly_once(data_dir, traffics) -> None:
    with Ledger(data_dir) as ledger:
        assert ledger.verify() == []
        row = ledger.usage()[0]
        total = sum((traffic.books for traffic in traffics), start=type(traffics[0].books)())
        got = {
            name: row[field]
            for name, field in (
                ("requests", "requests"),
                ("denied", "denied"),
                ("attempts", "attempts"),
                ("input", "input_tokens"),
                ("output", "output_tokens"),
            )
        }
        assert got == {name: total[name] for name in got}
        assert ledger.open_attempts() == []


def test_a_pass_stores_everything_and_gives_the_room_back(folders):
    ring, traffic = rings(folders[1]), Traffic(1)
    post_all(ring, names() + [raw for _ in range(200) for raw in traffic.one()])
    one = recorder(folders)

    assert one.step() == 1 and one.step() == 0
    reader = Ring.attach(folders[1] / "ring-00-main", producer=False)
    assert reader.tail == reader.head == ring.head
    assert one.drained()
    assert_exactly_once(folders[0], [traffic])


def of_version(raw: bytes, version: int, *, first: bool) -> bytes:
    """A record as a build of ``version`` wrote it: CLOSE ended before its units, and at ``first``
    8 bytes earlier yet."""
    if raw[4] == CLOSE:
        raw = raw[: -UNITS.size]
        if first:
            raw = raw[: -PHASES_SIZE - 8] + raw[-PHASES_SIZE:]
        raw = struct.pack("<I", len(raw)) + raw[4:]
    return raw[:5] + bytes([version]) + raw[6:]


@pytest.mark.parametrize(("version", "first"), [(1, True), (1, False), (2, False)])
@pytest.mark.parametrize("spilled", [False, True])
def test_what_an_older_build_left_in_its_ring_or_spill_is_read(folders, version, first, spilled):
    """The upgrade: an old ring, to which the new build's worker goes on to post."""
    ring, traffic = rings(folders[1]), Traffic(1)
    old = names() + [raw for _ in range(50) for raw in traffic.one()]
    post_all(ring, [of_version(raw, version, first=first) for raw in old])
    path = folders[1] / "ring-00-main"
    ring.close()
    with path.open("r+b") as file:  # enum fgw_ring_file: magic, layout, record_version
        file.seek(12)
        assert file.read(4) == struct.pack("<I", VERSION)
        file.seek(12)
        file.write(struct.pack("<I", version))
    if spilled:
        locked = sqlite3.connect(folders[0] / "ledger.db", isolation_level=None)
        recorder(folders).close()
        locked.execute("BEGIN IMMEDIATE")
        one = recorder(folders)
        assert one.step() == 1 and one.counts.spilled == 1
        one.close()
        locked.close()
    ring = Ring.attach(path, producer=True)
    post_all(ring, [raw for _ in range(50) for raw in traffic.one()])
    one = recorder(folders)
    while one.step():
        pass
    assert one.drained() and one.counts.damaged == 0
    assert_exactly_once(folders[0], [traffic])


def test_new_rings_are_found_and_replaced_ones_read_to_their_end(folders):
    one = recorder(folders)
    assert one.step() == 0
    traffics = [Traffic(n, generation=n, worker=n) for n in (1, 2, 3)]
    first = rings(folders[1], 1)
    post_all(first, traffics[0].one())
    assert one.step() == 1

    post_all(first, traffics[0].one())
    (folders[1] / "ring-01-main").unlink()
    post_all(rings(folders[1], 1), traffics[1].one())
    refusals = Ring.create(folders[1] / "ring-02-refusals", 1 << 16, slot=2, lane=REFUSALS)
    post_all(refusals, traffics[2].one())
    # Those that are known first; who has nothing to read looks for new ones.
    assert one.step() == 1 and one.step() == 2 and one.step() == 0
    assert_exactly_once(folders[0], traffics)


@pytest.mark.parametrize("either_store", ["sqlite"], indirect=True)  # it lives 20 ms at most
def test_killed_at_random_instants_every_record_is_stored_exactly_once(folders):
    draw = seeded("kill the recorder")
    deaths, workers = 150, [Traffic(n, generation=1, worker=n) for n in range(2)]
    tubes = [rings(folders[1], n, size=1 << 16) for n in range(2)]
    waiting: list[list[bytes]] = [[], []]

    def post(more: bool = True) -> None:
        for traffic, ring, queue in zip(workers, tubes, waiting, strict=True):
            queue += traffic.one() if more and not queue else []
            while queue and ring.post_bytes(queue[0]):
                queue.pop(0)

    # On a machine that is busy elsewhere few requests fit between two deaths: then more deaths.
    while deaths > 0 or workers[0].sequence <= 150:
        child = os.fork()
        if child == 0:
            one = recorder(folders, interval_ms=1)
            while True:
                one.step()
        until = time.monotonic() + draw.random() * 0.02
        while time.monotonic() < until:
            post()
            if any(waiting):  # a full ring: the processor is the recorder's
                time.sleep(0.0002)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        deaths -= 1

    one = recorder(folders)
    while one.step() or any(waiting):
        post(more=False)
    assert_exactly_once(folders[0], workers)


def test_a_locked_store_spills_and_is_caught_up_in_order(folders):
    ring, traffic, one = rings(folders[1]), Traffic(3), recorder(folders)
    blocker = sqlite3.connect(folders[0] / "ledger.db", isolation_level=None)
    for locked in (False, True, True, False):
        if locked and not blocker.in_transaction:
            blocker.execute("BEGIN IMMEDIATE")
        elif not locked and blocker.in_transaction:
            blocker.execute("COMMIT")
        post_all(ring, [raw for _ in range(50) for raw in traffic.one()])
        assert one.step() == 1, "safe, if not in the store then in the spill"
        assert one._tails.lag() == 0
    assert one.counts.spilled >= 2
    until = time.monotonic() + 10
    while not one.drained() and time.monotonic() < until:
        one.step()

    assert one.counts.replayed == one.counts.spilled
    assert not list(folders[0].glob("spill-*"))
    assert_exactly_once(folders[0], [traffic])
    events = [event for event, _ in one._log.events]
    assert events.count("ledger failing") == 1 and "spill replayed" in events


def test_what_failed_once_is_not_said_for_ever(folders, monkeypatch):
    ring, traffic, one = rings(folders[1]), Traffic(8), recorder(folders)

    def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def refuses(*_):
        raise StoreFailed("disk is full")
    with monkeypatch.context() as bad:
        bad.setattr(Spill, "append", fails)
        bad.setattr(Store, "commit", refuses)
        post_all(ring, traffic.one())
        assert one.step() == 0 and one.failing and one.status()["failing"]
    until = time.monotonic() + 10
    # The store is open again before there is anything to spill.
    while one._committer.store is None and time.monotonic() < until:
        one._committer.work()
    one.step()
    assert one.drained() and not one.failing and one.status()["failing"] == ""


def test_spans_behind_one_that_could_not_be_put_aside_wait_for_it(folders, monkeypatch):
    """Else their acknowledgement would be that of the one before, which would be gone."""
    ring, one = rings(folders[1]), recorder(folders)
    first = Span(ring.ring_id, 0, 0, 0, 8, b"\1" * 8)  # no record
    second = Span(ring.ring_id, 0, 0, 8, 16, b"".join(Traffic(9).one()))
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(
        OSError(errno.ENOSPC, "No space left on device")))
    assert not one._committer.commit([first, second])
    assert one._committer.acked(ring.ring_id) == 0


def test_killed_while_spilling_and_replaying_nothing_is_lost_or_doubled(folders):
    draw = seeded("kill while spilling")
    ring, traffic = rings(folders[1], size=1 << 16), Traffic(4)
    recorder(folders).close()
    blocker = sqlite3.connect(folders[0] / "ledger.db", isolation_level=None, timeout=5)
    waiting: list[bytes] = []

    for _ in range(60):
        child = os.fork()
        if child == 0:
            one = recorder(folders, interval_ms=1)
            while True:
                one.step()
        locked = draw.random() < 0.7
        if locked:
            blocker.execute("BEGIN IMMEDIATE")
        until = time.monotonic() + 0.01 + draw.random() * 0.15 * locked
        while time.monotonic() < until:
            waiting += [] if waiting else traffic.one()
            while waiting and ring.post_bytes(waiting[0]):
                waiting.pop(0)
            time.sleep(0.0005)
        if locked and draw.random() < 0.5:
            blocker.execute("COMMIT")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if blocker.in_transaction:
            blocker.execute("COMMIT")

    one, until = recorder(folders), time.monotonic() + 20
    while (waiting or not one.drained()) and time.monotonic() < until:
        while waiting and ring.post_bytes(waiting[0]):
            waiting.pop(0)
        one.step()
    assert_exactly_once(folders[0], [traffic])


@pytest.mark.parametrize("either_store", ["sqlite"], indirect=True)  # on the disk that is full
def test_with_a_full_disk_the_rings_fill_and_nothing_is_lost(folders, tiny_disk):
    folders = (tiny_disk, folders[1])
    ring, traffic, one = rings(folders[1], size=1 << 16), Traffic(5), recorder(folders)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(600 << 10))
    waiting: list[bytes] = []

    full, until = False, time.monotonic() + 20
    while not full and time.monotonic() < until:
        waiting += [] if waiting else traffic.one()
        while waiting and ring.post_bytes(waiting[0]):
            waiting.pop(0)
        one.step()
        full = bool(waiting) and one.counts.spill_failures > 0 and one.step() == 0
    assert full and one.counts.store_failures
    ballast.unlink()
    until = time.monotonic() + 10
    while (waiting or not one.drained()) and time.monotonic() < until:
        while waiting and ring.post_bytes(waiting[0]):
            waiting.pop(0)
        one.step()
        time.sleep(0.01)

    assert_exactly_once(folders[0], [traffic])


def test_a_data_directory_has_one_recorder(folders):
    one = recorder(folders)
    with pytest.raises(LedgerError, match="already has a recorder"):
        recorder(folders)
    one.close()
    recorder(folders).close()


def test_what_cannot_be_a_ledger_stops_the_start(folders):
    (folders[0] / "ledger.db").write_bytes(b"something else" * 1000)
    with pytest.raises(LedgerError, match="damaged"):
        Recorder(committer.Paths(*folders), Quiet())
    with pytest.raises(LedgerError, match="cannot be written"):
        Recorder(Paths(folders[0] / "ledger.db" / "below", folders[1]), Quiet())


def test_a_damaged_record_is_said_kept_and_passed_over(folders):
    ring, one = rings(folders[1]), recorder(folders)
    post_all(ring, [Name(NAME_MODEL, n + 1, 0, "x" * 8).pack() for n in range(3)])
    with open(folders[1] / "ring-00-main", "r+b") as file:
        file.seek(4096 + 72 + 4)
        file.write(b"\x63")
    while one.step():
        pass
    post_all(ring, [Name(NAME_MODEL, 9, 0, "y" * 8).pack()])
    one.step()

    with Ledger(folders[0]) as ledger:
        assert [name[1] for name in ledger.names(NAME_MODEL)] == [1, 9]
    assert one.counts.damaged == 1 and len(list(folders[0].glob("damaged-*"))) == 1


def test_a_span_that_cannot_be_stored_is_put_aside_and_stops_nobody(folders):
    one, good, bad = recorder(folders), rings(folders[1], 1), rings(folders[1], 2)
    post_all(bad, [request(RequestId(1, 2, 1), 2**64 - 1).pack()])  # no clock says that
    post_all(good, [request(RequestId(1, 1, 1)).pack()])
    one.step()
    post_all(bad, [request(RequestId(1, 2, 2)).pack()])
    one.step()

    with Ledger(folders[0]) as ledger:
        found = [
            ledger.decision(f"00000001-{worker}-{n:010x}") for worker, n in (("01", 1), ("02", 2))
        ]
        assert all(found) and ledger.verify() == []
    assert one.drained() and one.counts.damaged == 1
    (kept,) = folders[0].glob("damaged-*.bin")
    assert head(kept.read_bytes()).id == RequestId(1, 2, 1)


def test_a_file_that_is_no_ring_is_said_once(folders):
    (folders[1] / "ring-07-main").write_bytes(struct.pack("<4Q", 1, 2, 3, 4) * 2000)
    one = recorder(folders)
    for number in range(3):
        (folders[1] / f"other-{number}").touch()
        one.step()

    assert [event for event, _ in one._log.events].count("ring damaged") == 1


def test_run_takes_the_rest_and_ends_when_told(folders):
    ring, traffic = rings(folders[1]), Traffic(6)
    stop, told = os.pipe()
    thread = threading.Thread(target=run, args=(paths(folders, interval_ms=5), stop, Quiet()))
    thread.start()
    for _ in range(200):
        post_all(ring, traffic.one())
    os.close(told)
    thread.join(20)
    os.close(stop)

    assert not thread.is_alive()
    assert_exactly_once(folders[0], [traffic])
    assert (folders[0] / "recorder.json").exists()


def test_old_batches_go_when_retention_says_so(folders):
    retention = Retention(DAY_NS, None, None, None)
    ring, one = rings(folders[1]), recorder(folders, retention=retention)
    wall = time.time_ns()
    post_all(ring, [request(RequestId(1, 0, 1), wall - 3 * 86400 * 10**9).pack()])
    one.step()
    post_all(ring, [request(RequestId(1, 0, 2), wall).pack()])
    while one.step() or one.counts.pruned == 0:
        pass

    with Ledger(folders[0]) as ledger:
        assert ledger.decision("00000001-00-0000000001") is None
        assert ledger.decision("00000001-00-0000000002") is not None
        assert ledger.usage()[0]["requests"] == 2


def test_drain_stores_what_an_instance_left_and_closes_its_attempts(folders):
    ring, supervisor = rings(folders[1]), rings(folders[1], 1)
    a, b = RequestId(1, 0, 1), RequestId(2, 1, 1)
    post_all(ring, [request(a).pack(), Open(a, T0, 1, dims(), 7, 100, 200).pack()])
    post_all(supervisor, [request(b).pack(), Open(b, T0, 1, dims()).pack()])
    log = Quiet()

    done = drain(paths(folders), live_generations={2}, log=log)
    assert (done.complete, done.lost) == (True, 1)
    again = drain(paths(folders), live_generations=set(), log=log)
    assert (again.complete, again.lost, again.records) == (True, 1, 1)
    assert drain(paths(folders), log=log).lost == 0
    with Ledger(folders[0]) as ledger:
        assert ledger.open_attempts() == [] and ledger.verify() == []
        (attempt,) = ledger.decision(str(a))["attempts"]
        assert attempt["fate"] == "worker lost"
        assert attempt["usage"]["interval"] == {
            "input_tokens": [0, 100],
            "output_tokens": [0, 200],
        }


def test_drain_with_the_store_down_keeps_everything_for_later(folders):
    ring, traffic = rings(folders[1]), Traffic(8)
    recorder(folders).close()
    post_all(ring, [raw for _ in range(20) for raw in traffic.one()])
    blocker = sqlite3.connect(folders[0] / "ledger.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    assert not drain(paths(folders), log=Quiet(), patience_s=0).complete
    blocker.execute("COMMIT")
    assert drain(paths(folders), log=Quiet()).complete
    assert_exactly_once(folders[0], [traffic])


def test_positions_say_where_each_record_stood(folders):
    ring, traffic, one = rings(folders[1], size=1 << 14), Traffic(9), recorder(folders)
    for _ in range(300):
        post_all(ring, traffic.one())
        one.step()

    with Ledger(folders[0]) as ledger:
        places = [(head(raw).sequence, len(raw)) for raw in ledger.records()]
    for (place, size), (following, _) in zip(places, places[1:], strict=False):
        lap = -(-(place + size) // (1 << 14)) * (1 << 14)
        assert following in (place + size, lap)


def test_a_store_that_is_down_for_an_hour_has_each_minute_as_if_it_had_not_been(folders):
    """An hour of the records' clocks; the recorder is killed and begins again meanwhile."""
    ring, one = rings(folders[1]), recorder(folders)
    blocker = sqlite3.connect(folders[0] / "ledger.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    sequence = 0
    for minute in range(60):
        for _ in range(1 + minute % 3):
            sequence += 1
            id, wall = RequestId(1, 0, sequence), T0 + minute * 60 * 10**9
            post_all(ring, [request(id, wall).pack(), Open(id, wall, dims=dims()).pack(),
                            close(id, wall).pack()])
        assert one.step() == 1 and one._tails.lag() == 0
        if minute % 20 == 19:
            one.close()
            one = recorder(folders)
    assert one.counts.commits == 0 and one.failing
    blocker.execute("COMMIT")
    until = time.monotonic() + 10
    while not one.drained() and time.monotonic() < until:
        one.step()

    with Ledger(folders[0]) as ledger:
        rows = ledger.usage(by=["minute"])
        assert [row["requests"] for row in rows] == [1 + minute % 3 for minute in range(60)]
        assert ledger.verify() == [] and ledger.open_attempts() == []
    one.close()


def test_what_a_killed_supervisor_left_open_is_closed_once_at_the_next_start(folders):
    """Twice: who starts, closes and is killed before it serves leaves nothing to close again."""
    ring = rings(folders[1])
    ids = [RequestId(1, 0, n) for n in range(1, 6)]
    post_all(ring, [raw for id in ids for raw in (
        request(id).pack(), Open(id, T0, 1, dims(), 7, 100, 200).pack())])
    post_all(ring, [close(ids[0]).pack()])
    assert [drain(paths(folders), log=Quiet()).lost for _ in range(3)] == [4, 0, 0]
    with Ledger(folders[0]) as ledger:
        assert ledger.verify() == [] and ledger.open_attempts() == []
        fates = [ledger.decision(str(id))["attempts"][0]["fate"] for id in ids]
        assert fates == ["delivered", *["worker lost"] * 4]
        assert ledger.usage()[0]["attempts"] == 5
