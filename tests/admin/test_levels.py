"""Live buckets with their names: what a word is worth now.

Method: buckets are taken in a segment of the test; names are written into a ledger by a recorder,
capacities into policy.json. One bucket has no name, one limit has been edited since.
"""

import orjson
import pytest

from fastgw.admin.levels import live_limits
from fastgw.clock import now_ns, wall_ns
from fastgw.config.model import Config
from fastgw.errors import ShmError
from fastgw.ledger.recorder import Paths, drain
from fastgw.ledger.records import NAME_BUCKET, Name
from fastgw.ledger.schema import open_writer, signed
from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.limit.windows import bounds
from fastgw.process.directory import Directory, read_instance
from fastgw.process.shared import Shared
from fastgw.shm.segment import Segment

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


CAP, SLOT, OVER = (44, 4), (55, 5), (66, 6)


def cap_spec(**more) -> dict:
    return {"name": "team", "unit": "cost", "algorithm": "cap", "capacity": 1000, "period_ns": 0,
            "enforced": True, "window": "day", "time_zone": "Europe/Berlin", **more}


def test_caps_and_slots_tell_what_is_held_and_when_their_window_ends(place):
    shared_segment = Segment.attach(read_instance(place)["segment"])
    slots = {"name": "slots", "unit": "slots", "algorithm": "concurrency", "capacity": 5,
             "period_ns": 0, "enforced": True}
    limits = Limits([{**cap_spec(), "window": "", "rule": 1}, {**slots, "rule": 2}],
                    Holds(shared_segment, 0))
    done = Trial(limits, (1, 0, 2), 1)
    assert done.take([(0, CAP, True), (0, OVER, True)], {"cost": 300}, now_ns())
    done.settle({"cost": 120}, now_ns())
    done.release()
    running = Trial(limits, (1, 0, 3), 1)
    assert running.take([(0, CAP, True), (1, SLOT, True)], {"cost": 50}, now_ns())
    start, end = bounds("day", "Europe/Berlin", wall_ns())
    store_names(place, [(CAP, cap_spec(), ["a"]), (OVER, cap_spec(), ["b"]),
                        (SLOT, slots, ["alice"])], over=start)

    rows = {row["name"]: row for row in live_limits(place) if row["name"] in ("team", "slots")}

    left_ms = (end - wall_ns()) // 1_000_000
    assert rows["team"]["key"] == "a"  # the other's window is over
    assert (rows["team"]["used"], rows["team"]["held"], rows["team"]["limit"]) == (170, 50, 1000)
    assert left_ms <= rows["team"]["reset_ms"] < left_ms + 5000
    assert (rows["slots"]["used"], rows["slots"]["held"], rows["slots"]["limit"]) == (1, 1, 5)
    assert rows["slots"]["reset_ms"] == 0


def store_names(place, words, over: int) -> None:
    connection = open_writer(place)
    for identity, spec, key in words:
        text = orjson.dumps({**spec, "key": key, "limit": spec["capacity"]})
        connection.execute("INSERT INTO name VALUES (?, ?, ?, ?)",
                           (NAME_BUCKET, *map(signed, identity), text))
    packed = b"".join(word.to_bytes(8, "little") for word in OVER)
    connection.execute("INSERT INTO cap VALUES (?, 1, 4, 120, 1000, ?)", (packed, over))
    connection.close()
