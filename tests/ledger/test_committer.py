"""The store's side of a recorder: age in small bites, and never in the way of commits.

Method: spans on paper, years given as wall clocks of their records; sums are asked for before,
while and after they move from minutes to hours, days and away.
"""

import dataclasses
import time
from functools import partialmethod

import pytest

from fastgw.config.model import DAY_NS, KEEP_ALL, Retention
from fastgw.errors import LedgerError
from fastgw.ledger import committer as committing
from fastgw.ledger.committer import Committer, Paths
from fastgw.ledger.database import StoreFailed
from fastgw.ledger.query import Ledger
from fastgw.ledger.records import Open, RequestId
from fastgw.ledger.schema import ROLLUPS
from fastgw.ledger.spill import Spill
from fastgw.ledger.store import Store
from tests.ledger.fabricate import close, dims, request
from tests.ledger.test_store import placed, span

MINUTE_NS = 60 * 10**9


def made(folder, retention=KEEP_ALL) -> Committer:
    paths = Paths(folder, folder / "rings", retention=retention)
    one = Committer(paths, Spill(folder), lambda event, fields: None)
    one.open(first=True)
    return one


def spans_of(ages_days: list[float], now_ns: int, worker: int = 0):
    """A span for each request, so old; each has 10 input tokens and one key of three."""
    at = 0
    for number, age in enumerate(ages_days, 1):
        id, wall = RequestId(1, worker, number), now_ns - int(age * DAY_NS)
        what = dims(f"k{number % 3}")
        records = placed(
            [request(id, wall, dims=what).pack(), Open(id, wall, dims=what).pack(),
             close(id, wall, dims=what).pack()], at)
        at += sum(map(len, records))
        yield span(records, ring=5 + worker)


def sums(folder) -> dict:
    with Ledger(folder) as ledger:
        assert ledger.verify() == []
        (row,) = ledger.usage()
        return {name: row[name] for name in ("requests", "attempts", "input_tokens")}


def tables(one: Committer) -> list[int]:
    assert one.store is not None
    return [one.store.database.row(f"SELECT count(*) FROM {name}")[0]
            for name in ("rollup", "rollup_hour", "rollup_day")]


def age_all(one: Committer) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        before = dataclasses.astuple(one.counts)
        one._age_at = 0.0
        one.work()
        if dataclasses.astuple(one.counts) == before:
            return
    raise AssertionError("it never ends")


def test_sums_move_from_minutes_to_hours_to_days_and_stay_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(committing.time, "time_ns", lambda: now_ns)
    now_ns = 20_000 * DAY_NS + 12 * 3600 * 10**9
    ages = [0.1, 3, 3.001, 8, 8.0005, 8.001, 50, 100, 100.2, 300, 300.01, 900]
    retention = Retention(None, 7 * DAY_NS, 90 * DAY_NS, None)
    one = made(tmp_path, retention)
    for each in spans_of(ages, now_ns):
        assert one.commit([each])
    before, fine = sums(tmp_path), tables(one)
    with Ledger(tmp_path) as ledger:
        by_day = ledger.usage(by=["day", "key"])
        by_hour = ledger.usage(now_ns - 90 * DAY_NS, by=["hour", "key"])

    age_all(one)

    assert sums(tmp_path) == before == {"requests": 12, "attempts": 12, "input_tokens": 120}
    minutes, hours, days = tables(one)
    assert fine == [12, 0, 0] and minutes == 3 and hours >= 2 and days >= 3
    for table, step in ROLLUPS:
        starts = one.store.database.rows(f"SELECT DISTINCT minute % {step} FROM {table}")
        assert starts == [(0,)], f"{table}: a row begins where its time does"
    with Ledger(tmp_path) as ledger:
        assert ledger.usage(by=["day", "key"]) == by_day
        assert ledger.usage(now_ns - 90 * DAY_NS, by=["hour", "key"]) == by_hour
        assert len(ledger.usage(by=["hour"])) <= 12
        oldest = ledger.usage(until_ns=now_ns - 90 * DAY_NS)[0]
        rest = ledger.usage(since_ns=now_ns - 90 * DAY_NS)[0]
        assert oldest["requests"] + rest["requests"] == 12, "neighbouring times add up"

    # Who comes late to an hour that has moved on is added to it.
    assert one.commit(list(spans_of([8], now_ns, worker=1)))
    age_all(one)
    assert sums(tmp_path)["requests"] == 13 and tables(one)[0] == 3
    one.close()


def test_days_go_at_last_and_the_invariant_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(committing.time, "time_ns", lambda: now_ns)
    now_ns = 20_000 * DAY_NS
    one = made(tmp_path, Retention(30 * DAY_NS, DAY_NS, 2 * DAY_NS, 400 * DAY_NS))
    for each in spans_of([600, 500, 20, 1.5], now_ns):
        assert one.commit([each])
    age_all(one)

    assert sums(tmp_path) == {"requests": 2, "attempts": 2, "input_tokens": 20}
    with Ledger(tmp_path) as ledger:
        assert ledger.totals()["requests"] == ledger.totals()["rollup_requests"] == 4
        assert ledger.decision(str(RequestId(1, 0, 1))) is None
        assert ledger.decision(str(RequestId(1, 0, 4))) is not None
    assert one.counts.pruned == 2
    one.close()


def test_age_bites_are_bounded_and_commits_go_on_between(tmp_path, monkeypatch):
    monkeypatch.setattr(committing.time, "time_ns", lambda: now_ns)
    now_ns = 20_000 * DAY_NS
    one = made(tmp_path, Retention(DAY_NS, DAY_NS, None, None))
    for each in spans_of([3 + number / 1440 for number in range(450)], now_ns):
        assert one.commit([each])
    assert one.store is not None
    bites = []
    while moved := one.store.age((now_ns // MINUTE_NS, 0, 0), 100):
        bites.append(moved)
        assert sums(tmp_path)["requests"] == 450
    assert len(bites) >= 5 and max(bites) <= 100

    one.work()
    assert one.counts.pruned == 200, "one bite a call"
    before = one.counts.pruned
    one.work()
    assert one.counts.pruned == before, "and the next one a moment later"
    one.close()


def test_a_clock_that_ran_ahead_does_not_stop_retention(tmp_path, monkeypatch):
    now = time.time_ns()
    one = made(tmp_path, Retention(decisions=5 * DAY_NS))
    ages = [20, -3000, -3000, 10, 9, -4000, 8, 1, -2000, 0]
    for number, each in enumerate(spans_of(ages, now)):
        assert one.commit([each]), number
    monkeypatch.setattr(Store, "prune", partialmethod(Store.prune, batches_max=2))
    age_all(one)
    with Ledger(tmp_path) as ledger:
        left = [round((now - wall_last) / DAY_NS) for _, wall_last, _ in ledger.batches()]
        assert ledger.verify() == []
    assert left == [1, -2000, 0], "what was stored behind what is kept is kept"
    one.close()


class Cursors:
    """An export that has delivered up to a batch, and moves no further."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    def marks(self) -> dict[str, int]:
        return {} if self.kept == {"paper": 7} else {"paper": 7}

    def stored(self, marks: dict[str, int]) -> None:
        self.kept |= marks


def test_a_cursor_that_was_not_stored_is_told_again(tmp_path, monkeypatch):
    one = made(tmp_path)
    one.exports = cursors = Cursors()
    assert one.store is not None
    with monkeypatch.context() as patch:

        def fails(_):
            raise StoreFailed("gone")

        patch.setattr(one.store, "exported", fails)
        one.work()
    assert one.store is None and cursors.kept == {}
    one._retry_at = 0.0
    one.work()
    assert cursors.kept == {"paper": 7}
    one.close()
    with Ledger(tmp_path) as ledger:
        assert ledger.exported("paper") == 7


def test_a_store_that_fails_in_a_bite_is_opened_again(tmp_path, monkeypatch):
    one = made(tmp_path, Retention(DAY_NS, None, None, None))
    assert one.store is not None
    with monkeypatch.context() as patch:

        def fails(*_, **more):
            raise StoreFailed("gone")

        patch.setattr(one.store, "prune", fails)
        one.work()
    assert one.store is None and "gone" in one.failing
    with pytest.raises(LedgerError, match="store is down"):
        one.close_orphans(())
    one._retry_at = 0.0
    one.work()
    assert one.store is not None and one.failing == ""
    one.close()
