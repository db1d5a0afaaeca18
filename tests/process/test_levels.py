"""Live buckets with their names: what a word is worth now.

Method: buckets are taken in a segment of the test; names are written into a ledger by a recorder,
capacities into policy.json. One bucket has no name, one limit has been edited since.
"""

import time

import orjson
import pytest

from fastgw.clock import now_ns
from fastgw.config.model import Config
from fastgw.errors import ShmError
from fastgw.ledger.committer import Paths
from fastgw.ledger.recorder import drain
from fastgw.ledger.records import NAME_BUCKET, Name
from fastgw.limit import peek
from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.limit.windows import bounds
from fastgw.policy.limits import LimitSpec
from fastgw.process.directory import Directory
from fastgw.process.levels import live_limits
from fastgw.process.shared import Shared

DAY_NS = 86_400 * 10**9
NAMED, EDITED, LOST = (11, 1), (2**64 - 5, 2**63 + 7), (33, 3)


def spec(name: str, capacity: int) -> dict:
    return {"name": name, "unit": "requests", "algorithm": "token_bucket", "capacity": capacity,
            "period_ns": DAY_NS, "enforced": True}


def name_of(identity: tuple[int, int], name: str, key: list, capacity: int) -> bytes:
    text = orjson.dumps({**spec(name, capacity), "key": key, "limit": capacity})
    return Name(NAME_BUCKET, *identity, text.decode()).pack()


@pytest.fixture
def place(tmp_path):
    (tmp_path / "shm").mkdir()
    config = Config(
        file="", providers=(), data_dir=str(tmp_path / "data"), shm_dir=str(tmp_path / "shm")
    )
    directory = Directory.open(tmp_path / "data")
    shared = Shared.open(config, directory.path, 1)
    limits = Limits([{**spec("any", 10), "rule": 1}], Holds(shared.segment, 0))
    for identity in (NAMED, EDITED, EDITED, LOST):
        trial = Trial(limits, (1, 0, 1), 1)
        assert trial.take([(0, identity, True)], {"requests": 1}, now_ns())
        trial.settle({"requests": 1}, now_ns())
        trial.release()
    shared.ring.post_bytes(name_of(NAMED, "pace", ["alice", "gpt-4o"], 10))
    shared.ring.post_bytes(name_of(EDITED, "daily", ["bob"], 10))
    drain(Paths(directory.path, shared.folder))
    directory.write_document("instance.json", shared.describe())
    directory.write_document("policy.json", {"limits": [spec("pace", 10), spec("daily", 20)]})
    yield directory.path
    directory.close()


def test_tells_used_and_limit_by_name_and_key(place):
    rows = [(row["name"], row["key"], row["used"], row["limit"]) for row in live_limits(place)]

    assert rows == [
        ("?0000000000000021", "", None, None),  # its name was lost
        ("daily", "bob", 4, 20),  # the share spent survives the edit: 2 of 10 is 4 of 20
        ("pace", "alice, gpt-4o", 1, 10),
    ]


def test_finds_by_name_and_by_a_part_of_the_key(place):
    assert [row["name"] for row in live_limits(place, name="daily")] == ["daily"]
    for key in ("alice", "gpt-4o", "alice, gpt-4o"):
        assert [row["name"] for row in live_limits(place, key=key)] == ["pace"]
    assert live_limits(place, key="ali") == live_limits(place, name="pace", key="bob") == []


def test_says_where_nothing_ever_ran(tmp_path):
    with pytest.raises(ShmError, match="no instance ever ran"):
        live_limits(tmp_path)


KINDS = [
    LimitSpec("month", "cost", "cap", 250_000_000, 0, True, "month", "Asia/Tokyo"),
    LimitSpec("ever", "tokens", "cap", 1000, 0, True, "total"),
    LimitSpec("fixed", "tokens", "fixed_window", 1000, 400 * DAY_NS, True),
    LimitSpec("sliding", "requests", "sliding_window", 1000, 400 * DAY_NS, True),
    LimitSpec("slots", "slots", "concurrency", 20, 0, True),
]


@pytest.fixture
def kinds(tmp_path):
    """One running request draws from a limit of every kind; a month that is over lingers."""
    (tmp_path / "shm").mkdir()
    config = Config(
        file="", providers=(), data_dir=str(tmp_path / "data"), shm_dir=str(tmp_path / "shm")
    )
    directory = Directory.open(tmp_path / "data")
    shared = Shared.open(config, directory.path, 1)
    wall = time.time_ns()
    begins, ends = bounds("month", "Asia/Tokyo", wall)
    amounts = {"requests": 1, "tokens": 30, "cost": 1_500_000, "slots": 1}

    def take(at, numbers):
        limits = Limits([spec.wish() for spec in KINDS], Holds(shared.segment, 0), at)
        trial = Trial(limits, (1, 0, 1), 1)
        assert trial.take([(i, (50 + i, 1), True) for i in numbers], amounts, now_ns(),
                          wall_ns=at, ceiling=amounts)
        return trial

    def name(i, word, month_ends=0):
        text = KINDS[i].bucket_text(b'["a"]', True, month_ends).decode()
        shared.ring.post_bytes(Name(NAME_BUCKET, *word, text).pack())

    past = take(begins - 1, [0])
    past.settle(amounts, now_ns())
    past.release()
    name(0, peek.windowed((50, 1), bounds("month", "Asia/Tokyo", begins - 1)[0]), begins)
    running = take(wall, range(5))
    name(0, peek.windowed((50, 1), begins), ends)
    for i in range(1, 5):
        name(i, (50 + i, 1))
    drain(Paths(directory.path, shared.folder))
    directory.write_document("instance.json", shared.describe())
    yield directory.path, ends - wall
    del running
    directory.close()


def test_every_kind_of_limit_is_shown_as_what_it_is(kinds):
    place, left_ns = kinds
    rows = {row["name"]: row for row in live_limits(place)}

    assert {name: (row["used"], row["held"], row["limit"]) for name, row in rows.items()} == {
        "month": (1_500_000, 1_500_000, 250_000_000),
        "ever": (30, 30, 1000),
        "fixed": (30, 30, 1000),
        "sliding": (1, 1, 1000),
        "slots": (1, 1, 20),
    }
    assert 0 <= left_ns // 10**6 - rows["month"]["reset_ms"] < 120_000
    assert rows["fixed"]["reset_ms"] > 0 and rows["sliding"]["reset_ms"] > 0
    assert rows["ever"]["reset_ms"] == rows["slots"]["reset_ms"] == 0
    assert (rows["month"]["window"], rows["month"]["time_zone"]) == ("month", "Asia/Tokyo")
