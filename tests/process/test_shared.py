"""Shared memory: what a dead worker held comes back, whoever finds it and however often.

Method: requests are driven through `fastgw.limit.trial`, and simply left where a worker dies. What
the supervisor's ring holds is read as a recorder would.
"""

import dataclasses
import os

import orjson
import pytest

from fastgw.clock import now_ns
from fastgw.config.model import Bounds, Config
from fastgw.errors import ShmError
from fastgw.ledger.records import FATE_WORKER_LOST, split, unpack_record
from fastgw.ledger.ring import Ring
from fastgw.limit import peek
from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.log import Log
from fastgw.process import shared as module
from fastgw.process.shared import Shared, open_ring, previous_folder, ring_path

BUCKET = (7, 9)
SPEC = {
    "name": "pace", "unit": "requests", "algorithm": "token_bucket", "capacity": 10,
    "period_ns": 86_400 * 10**9, "rule": 1, "enforced": True,
}
LOG = Log(level="error")


@pytest.fixture
def config(tmp_path):
    (tmp_path / "shm").mkdir()
    (tmp_path / "data").mkdir()
    return Config(
        file="", providers=(), data_dir=str(tmp_path / "data"), shm_dir=str(tmp_path / "shm")
    )


@pytest.fixture
def opened(config, tmp_path):
    return Shared.open(config, tmp_path / "data", 2)


def leave_attempt(shared: Shared, slot: int, generation: int, *, closing: int = 0) -> None:
    """A request of a worker that dies while its attempt is open."""
    shared.claim(slot, generation)
    limits = Limits([SPEC], Holds(shared.segment, slot))
    trial = Trial(limits, (generation, slot, 1), 1)
    assert trial.take([(0, BUCKET, True)], {"requests": 1}, now_ns())
    trial.open(1, input_estimate=5, input_high=20, output_high=64, wall_ns=1)
    trial.sent(100)
    trial.progress(output_tokens=7, events=7, bytes_out=70)
    if closing:
        trial.close(closing)


def posted(shared: Shared) -> list:
    ring = Ring.attach(ring_path(shared.folder, "supervisor"), producer=False)
    ring.look()
    records, _ = ring.read(ring.tail)
    ring.close()
    return [unpack_record(raw) for raw in split(records)]


def used(shared: Shared) -> int:
    entry = peek.find(shared.segment, BUCKET)
    return peek.level(shared.segment, entry, 10, SPEC["period_ns"], now_ns()).used


def test_a_sweep_settles_what_was_held_and_closes_what_was_open(opened):
    leave_attempt(opened, 1, 33)
    assert opened.segment.live_holds(1) == (1, 1)

    assert opened.sweep(1, LOG)

    assert opened.segment.live_holds(1) == (0, 0)
    assert used(opened) == 1  # it was sent, so it is spent
    close, mark = posted(opened)
    assert (str(close.id), close.attempt, close.fate) == ("00000021-01-0000000001", 1, 7)
    assert (close.output_low, close.output_high) == (7, 64)
    assert (mark.id.generation, mark.id.worker, mark.attempt) == (33, 1, 0)


def test_a_swept_slot_is_not_swept_again(opened):
    leave_attempt(opened, 0, 1)
    opened.sweep(0, LOG)
    told = len(posted(opened))

    assert opened.sweep(0, LOG) and opened.sweep(1, LOG)

    assert len(posted(opened)) == told


def test_a_full_ring_leaves_the_rest_for_the_next_sweep(opened, monkeypatch):
    leave_attempt(opened, 0, 1)
    own, opened.ring = opened.ring, FullRing()
    assert not opened.sweep(0, LOG)
    assert opened.segment.live_holds(0) == (1, 1)

    opened.ring = own

    assert opened.sweep(0, LOG)
    assert [record.attempt for record in posted(opened)] == [1, 0]


class FullRing:
    def post_bytes(self, record: bytes) -> bool:
        return False


def test_the_mark_is_posted_later_where_only_it_found_no_room(opened):
    opened.claim(0, 5)
    own, opened.ring = opened.ring, FullRing()
    assert not opened.sweep(0, LOG)

    opened.ring = own

    assert opened.sweep(0, LOG)
    assert [record.id.generation for record in posted(opened)] == [5]


def test_a_new_start_recovers_what_the_last_one_left(opened, config, tmp_path):
    leave_attempt(opened, 1, 33)
    again = Shared.open(config, tmp_path / "data", 2)

    assert again.segment.reason == "kept"
    assert again.recover(LOG)

    assert again.segment.live_holds(1) == (0, 0)
    assert [record.fate for record in posted(again)] == [FATE_WORKER_LOST] * 2
    assert used(again) == 1


def test_limits_and_records_survive_another_number_of_workers(opened, config, tmp_path):
    leave_attempt(opened, 1, 33)
    fewer = Shared.open(config, tmp_path / "data", 1)

    assert fewer.recover(LOG)

    assert used(fewer) == 1
    assert len(posted(fewer)) == 2
    assert ring_path(fewer.folder, 1).exists()  # it may hold records
    fewer.forget_old_rings()
    names = sorted(path.name for path in fewer.folder.glob("ring-*"))
    assert names == ["ring-00-main", "ring-00-refusals", "ring-supervisor"]


def test_a_damaged_ring_is_put_aside(tmp_path):
    path = tmp_path / "ring-00-main"
    path.write_bytes(b"damage" * 10_000)

    ring = open_ring(path, 1 << 16, 0)

    assert ring.size == 1 << 16
    kept = [each for each in os.listdir(tmp_path) if each.startswith("damaged-ring-00-main-")]
    assert (tmp_path / kept[0]).read_bytes() == b"damage" * 10_000
    ring.close()


def test_a_ring_of_another_size_is_kept_because_it_may_hold_records(tmp_path):
    path = tmp_path / "ring-00-main"
    open_ring(path, 1 << 16, 0).close()

    assert open_ring(path, 1 << 18, 0).size == 1 << 16


def test_limits_survive_another_number_of_buckets(opened, config, tmp_path):
    leave_attempt(opened, 1, 33)
    larger = dataclasses.replace(config, limits=Bounds(buckets=50_000))

    again = Shared.open(larger, tmp_path / "data", 2)
    assert again.recover(LOG)

    assert (opened.segment.groups, again.segment.groups) == (3641, 5556), "9 a group"
    assert used(again) == 1


def test_memory_of_a_deleted_instance_is_freed_but_not_while_it_runs(
    opened, config, tmp_path
):
    opened.claim(0, 1)  # this very process is its worker
    os.rmdir(tmp_path / "data")
    other = dataclasses.replace(config, data_dir=str(tmp_path / "other"))
    (tmp_path / "other").mkdir()

    Shared.open(other, tmp_path / "other", 1)
    assert opened.folder.exists()
    opened.segment.claim(0, 1 << 22, 1, 1)  # a process that never was
    Shared.open(other, tmp_path / "other", 1)

    assert not opened.folder.exists()


def test_memory_of_a_deleted_instance_is_kept_while_records_wait_in_it(opened, config, tmp_path):
    leave_attempt(opened, 1, 33)
    opened.sweep(1, LOG)
    os.rmdir(tmp_path / "data")
    (tmp_path / "other").mkdir()

    Shared.open(config, tmp_path / "other", 1)

    assert len(posted(opened)) == 2


def test_the_earlier_place_is_known_but_never_that_of_a_copy(opened, config, tmp_path):
    told = orjson.dumps(opened.describe())
    (tmp_path / "data" / "instance.json").write_bytes(told)
    assert previous_folder(tmp_path / "data", opened.folder) is None
    assert previous_folder(tmp_path / "data", tmp_path / "new") == opened.folder  # another shm_dir

    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "instance.json").write_bytes(told)
    assert previous_folder(tmp_path / "copy", tmp_path / "new") is None

    os.rename(tmp_path / "data", tmp_path / "moved")
    assert previous_folder(tmp_path / "moved", tmp_path / "new") == opened.folder


def test_no_room_is_one_clear_error(config, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAIN_RING_MIN", 1 << 50)

    with pytest.raises(ShmError) as refusal:
        Shared.open(config, tmp_path / "data", 2)
    assert str(tmp_path / "shm") in str(refusal.value)




@pytest.mark.parametrize("workers, mib", [(1, 16), (2, 16), (3, 8), (4, 8), (8, 4), (64, 2)])
def test_the_rings_of_few_workers_are_large_and_all_together_are_small(workers, mib):
    assert module.ring_bytes(workers) == mib << 20
