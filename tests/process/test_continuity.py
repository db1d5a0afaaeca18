"""Limits over a restart: a new segment gets back what files know, a kept one keeps its own words.

Method: caps are stored by a real store, buckets taken in a real segment; the segment is removed as
a boot would, or kept; what it says afterwards is looked up by identity.
"""

import time

import pytest

from fastgw.clock import now_ns
from fastgw.config.model import Config
from fastgw.ledger.records import Open, Request, RequestId, Tokens
from fastgw.ledger.span import Span
from fastgw.ledger.store import Store
from fastgw.limit import peek
from fastgw.limit.adjust import Adjust
from fastgw.log import Log
from fastgw.process import continuity
from fastgw.process.shared import Shared
from tests.ledger.caps import HOUR, identity, trace
from tests.ledger.fabricate import close, dims
from tests.limit.fixtures import ask, limits, pace

LOG = Log(level="error")
BUCKET = (77, 7)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "shm").mkdir()
    (tmp_path / "data").mkdir()
    return tmp_path


def open_shared(home) -> Shared:
    config = Config(
        file="", providers=(), data_dir=str(home / "data"), shm_dir=str(home / "shm")
    )
    return Shared.open(config, home / "data", 1)


def restored(home, log: Log = LOG) -> Shared:
    shared = open_shared(home)
    continuity.restore(shared.segment, shared.folder, home / "data", log)
    return shared


def store_caps(home, *, over: bool = False) -> None:
    """Cap 1: 60 used and closed, 500 held by an attempt that is open."""
    wall = time.time_ns() - 48 * HOUR * over
    records, at = [], 0
    for sequence, closed in ((1, True), (2, False)):
        id = RequestId(7, 0, sequence)
        one = trace(1, "tokens", wall)
        one.reset_ns = HOUR
        made = [Request(id, wall, dims(), limits=[one]).pack(),
                Open(id, wall, 1, dims(), held=[(*identity(1), 500)]).pack()]
        made += [close(id, wall, tokens=Tokens(output=60)).pack()] if closed else []
        for raw in made:
            records.append(raw[:8] + at.to_bytes(8, "little") + raw[16:])
            at += len(raw)
    store = Store(home / "data")
    store.commit([Span(5, 0, 0, 0, at, b"".join(records))])
    store.close()


def spend(shared: Shared, times: int) -> None:
    made = limits(shared.segment, pace(100))
    for _ in range(times):
        trial = ask(made, [(0, BUCKET, True)], now_ns())
        trial.settle({"requests": 1}, now_ns())
        trial.release()


def used(shared: Shared, key: tuple[int, int]) -> int | None:
    entry = peek.find(shared.segment, key)
    if entry is None:
        return None
    return peek.level(shared.segment, entry, 100, 86400 * 10**9, now_ns()).used


def lose(shared: Shared) -> None:
    """As a boot does it: the whole of tmpfs."""
    for path in list(shared.folder.iterdir()):
        path.unlink()


def test_a_new_segment_has_caps_and_slow_buckets_again(home):
    store_caps(home)
    first = restored(home)
    spend(first, 40)
    continuity.save(first.segment, home / "data", LOG)
    lose(first)

    again = restored(home)

    assert used(again, identity(1)) == 560
    assert used(again, BUCKET) == 40
    assert peek.find(again.segment, identity(1)).unit == 1


def test_a_kept_segment_knows_better_than_any_file(home):
    store_caps(home)
    first = restored(home)
    spend(first, 40)
    continuity.save(first.segment, home / "data", LOG)
    spend(first, 2)
    Adjust(first.segment).add(identity(1), 1000)

    again = restored(home)

    assert again.segment.reason == "kept"
    assert used(again, identity(1)) == 1560 and used(again, BUCKET) == 42


def test_a_start_that_failed_half_way_is_made_up_for(home):
    store_caps(home)
    open_shared(home)  # and no further

    again = restored(home)

    assert again.segment.reason == "kept" and used(again, identity(1)) == 560


def test_windows_that_are_over_stay_over(home):
    store_caps(home, over=True)

    assert used(restored(home), identity(1)) is None


def test_what_cannot_be_read_is_said_and_stops_nothing(home, capfd):
    store_caps(home)
    (home / "data" / continuity.SNAPSHOT).write_bytes(b"FGWSNAP2 cut")
    log = Log(level="error")

    assert used(restored(home, log), identity(1)) == 560
    assert "snapshot of limits cannot be read" in capfd.readouterr().err
    lose(open_shared(home))
    (home / "data" / "ledger.db").write_bytes(b"no database" * 1000)
    assert used(restored(home, log), identity(1)) is None
    assert "caps cannot be rebuilt" in capfd.readouterr().err


def test_a_snapshot_is_this_user_s_alone(home):
    shared = restored(home)
    spend(shared, 1)
    continuity.save(shared.segment, home / "data", LOG)

    assert (home / "data" / continuity.SNAPSHOT).stat().st_mode & 0o777 == 0o600
