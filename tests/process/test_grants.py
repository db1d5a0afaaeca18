"""Grants: the word is changed, the record says by whom, and a full ring stops it before.

Method: a segment and rings of the test; the order is carried out in this process, what was posted
is read back from the supervisor's ring.
"""

import pytest

from fastgw.clock import now_ns
from fastgw.config.model import Config
from fastgw.errors import ShmError
from fastgw.ledger.journal import name_hash
from fastgw.ledger.records import GRANT_ALL, Grant, Name, split, unpack_record
from fastgw.ledger.ring import Ring
from fastgw.limit import peek
from fastgw.log import Log
from fastgw.process.grants import Grants
from fastgw.process.orders import OrderError
from fastgw.process.shared import Shared
from tests.limit.fixtures import ask, cap, limits

KEY = (0xAB, 0xCD)
ORDER = {"id": f"{0xAB:016x}{0xCD:016x}", "name": "team", "key": "a", "unit": "cost",
         "algorithm": "cap", "limit": 1000, "period_ns": 0, "by": "command line"}


@pytest.fixture
def shared(tmp_path):
    (tmp_path / "shm").mkdir()
    (tmp_path / "data").mkdir()
    config = Config(
        file="", providers=(), data_dir=str(tmp_path / "data"), shm_dir=str(tmp_path / "shm")
    )
    made = Shared.open(config, tmp_path / "data", 1)
    trial = ask(limits(made.segment, cap(1000)), [(0, KEY, True)], cost=300)
    trial.settle({"cost": 300}, now_ns())
    trial.release()
    return made


def posted(shared: Shared) -> list:
    ring = Ring.attach(shared.ring.path, producer=False)
    ring.look()
    records, _ = ring.read(ring.tail)
    return [unpack_record(raw) for raw in split(records)]


def test_a_grant_changes_the_word_and_is_recorded_with_who_gave_it(shared):
    grants = Grants(shared, Log(level="error"))

    given = grants.carry_out({**ORDER, "amount": 120}, "user root")

    assert given == {"before": 300, "after": 180}
    assert peek.find(shared.segment, KEY).raw == 180
    who, limit, grant = posted(shared)
    assert isinstance(who, Name) and who.text == "user root, command line"
    assert isinstance(limit, Name) and limit.text == "team"
    assert isinstance(grant, Grant) and grant.identity == KEY
    assert (grant.amount, grant.before, grant.after) == (120, 300, 180)
    assert (grant.admin, grant.rule) == (who.hash0, name_hash("team"))
    assert (grant.unit, grant.algorithm) == (4, 3)


def test_a_reset_takes_all_that_is_not_held(shared):
    Grants(shared, Log(level="error")).carry_out({**ORDER, "amount": None}, "user root")

    assert posted(shared)[-1].amount == GRANT_ALL
    assert peek.find(shared.segment, KEY).raw == 0


def test_what_cannot_be_recorded_is_not_done(shared):
    record = Name(1, 1, 0, "x" * 3000).pack()
    while shared.ring_room > 16 << 10:
        shared.post(record)

    with pytest.raises(OrderError, match="no room"):
        Grants(shared, Log(level="error")).carry_out({**ORDER, "amount": None}, "user root")
    assert peek.find(shared.segment, KEY).raw == 300


def test_a_word_that_is_not_there_is_an_error_and_no_record(shared):
    with pytest.raises(ShmError, match="not in use"):
        Grants(shared, Log(level="error")).carry_out(
            {**ORDER, "id": "0" * 31 + "1", "amount": 1}, "user root")
    assert shared.ring.head == shared.ring.tail
