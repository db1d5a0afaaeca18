"""Caps in the store: exactly once, over kills, replays and lost workers; alerts once a window.

Method: the books of `Capped` are the oracle; a store is closed and opened at random, the same
spans are offered again, a commit is broken in its middle; what is open counts at what it holds.
"""

import sqlite3

import pytest

from fastgw.ledger.committer import Paths
from fastgw.ledger.drawn import GIVEN_UP, SENT, Alert, CapRule
from fastgw.ledger.journal import name_hash
from fastgw.ledger.lost import ended_mark
from fastgw.ledger.query import CapRow, Ledger
from fastgw.ledger.recorder import Recorder, drain
from fastgw.ledger.records import (
    GRANT_ALL,
    NAME_ADMIN,
    NAME_LIMIT,
    Grant,
    Held,
    Name,
    Open,
    Request,
    RequestId,
    Tokens,
)
from fastgw.ledger.ring import SUPERVISOR, Ring
from fastgw.ledger.span import Span
from fastgw.ledger.store import Store
from tests.csrc.ledger_native import seeded
from tests.ledger.caps import HOUR, WINDOW_END, Capped, identity, name, packed, trace
from tests.ledger.fabricate import T0, close, dims

pytestmark = pytest.mark.usefixtures("either_store")

RULE = name_hash("team month")


class Rings:
    """Two rings on paper: a worker's and the supervisor's."""

    def __init__(self) -> None:
        self.ends = {5: 0, 6: 0}

    def span(self, ring: int, records: list[bytes]) -> Span:
        first, made = self.ends[ring], []
        for raw in records:
            made.append(raw[:8] + self.ends[ring].to_bytes(8, "little") + raw[16:])
            self.ends[ring] += len(raw)
        slot = 0 if ring == 5 else SUPERVISOR
        return Span(ring, slot, 0, first, self.ends[ring], b"".join(made))


def words(tmp_path, now_ns: int = T0) -> dict[tuple[int, int], int]:
    with Ledger(tmp_path) as ledger:
        return {row.identity: row.used for row in ledger.caps(now_ns)}


def test_caps_are_exact_over_kills_replays_and_broken_commits(tmp_path, monkeypatch):
    draw = seeded("caps stored")
    worker, rings, store = Capped(draw.randrange(2**32)), Rings(), Store(tmp_path)
    earlier: list[Span] = []
    for _ in range(150):
        records = [raw for _ in range(draw.randrange(1, 12)) for raw in worker.step()]
        spans = [rings.span(5, records)]
        if draw.random() < 0.3:
            spans.insert(0, rings.span(6, [worker.grant(draw.randrange(5), 300)]))
        if draw.random() < 0.2:
            with monkeypatch.context() as patch:
                patch.setattr(Store, "_write_attempts", _breaks)
                with pytest.raises(sqlite3.OperationalError):
                    store.commit(spans)
        if draw.random() < 0.3:
            store.close()  # killed, and its successor is offered old spans again
            store = Store(tmp_path)
            spans = [*earlier, *spans]
        store.commit(spans)
        earlier = spans[-2:]

    held = worker.held()
    expected = {identity(cap): worker.settled[cap] + held[cap] for cap in range(5)}
    assert words(tmp_path) == expected


def _breaks(self) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def begin(rings: Rings, sequence: int, held: int = 500, unit: str = "tokens") -> Span:
    id = RequestId(7, 0, sequence)
    return rings.span(5, [
        name(1), Request(id, T0, dims(), limits=[trace(1, unit)]).pack(),
        Open(id, T0, 1, dims(), held=[(*identity(1), held)]).pack(),
    ])


def end(rings: Rings, sequence: int, output: int) -> Span:
    id = RequestId(7, 0, sequence)
    return rings.span(5, [close(id, tokens=Tokens(output=output)).pack()])


def test_what_is_open_counts_at_what_it_holds(tmp_path):
    rings, store = Rings(), Store(tmp_path)
    store.commit([begin(rings, 1), begin(rings, 2)])
    assert words(tmp_path) == {identity(1): 1000}

    store.commit([end(rings, 1, 60)])

    assert words(tmp_path) == {identity(1): 560}


@pytest.mark.parametrize("together", [False, True], ids=["a pass later", "in one pass"])
def test_what_is_open_counts_at_what_it_has_drawn_also_after_a_restart(tmp_path, together):
    rings, store = Rings(), Store(tmp_path)
    drawn = [Held(RequestId(7, 0, 1), T0, held=[(*identity(1), held)]).pack()
             for held in (1524, 2548)]
    spans = [begin(rings, 1), rings.span(5, drawn[:1]), rings.span(5, drawn[1:])]
    for some in [spans] if together else [[span] for span in spans]:
        store.commit(some)
    assert words(tmp_path) == {identity(1): 2548}

    store.close()
    store = Store(tmp_path)
    store.commit(spans)  # offered again
    store.commit([begin(rings, 2)])
    assert words(tmp_path) == {identity(1): 3048}
    store.commit([rings.span(6, [ended_mark(7, 0, T0)])])

    assert words(tmp_path) == {identity(1): 3048}


@pytest.mark.parametrize("progress", [False, True])
def test_what_the_sweep_has_settled_is_what_is_charged(tmp_path, progress):
    rings = Rings()
    store = Store(tmp_path, [CapRule(RULE, 1, progress=progress)])
    store.commit([begin(rings, 1)])
    swept = Held(RequestId(7, 0, 1), T0, held=[(*identity(1), 77)], settled=True).pack()
    lost = close(RequestId(7, 0, 1), fate=7).pack()
    store.commit([rings.span(6, [swept, lost, ended_mark(7, 0, T0)])])

    assert words(tmp_path) == {identity(1): 77}


@pytest.mark.parametrize("progress", [False, True])
def test_who_is_closed_as_lost_is_charged_its_ceiling_or_its_progress(tmp_path, progress):
    rings = Rings()
    store = Store(tmp_path, [CapRule(RULE, 1, progress=progress)])
    store.commit([begin(rings, 1)])
    store.commit([rings.span(6, [ended_mark(7, 0, T0)])])

    assert words(tmp_path) == {identity(1): 0 if progress else 500}


def test_a_late_close_of_the_sweep_is_counted_once(tmp_path):
    rings, store = Rings(), Store(tmp_path)
    store.commit([begin(rings, 1), end(rings, 1, 60)])
    lost = close(RequestId(7, 0, 1), fate=7).pack()
    stored = store.commit([rings.span(6, [lost, ended_mark(7, 0, T0)])])

    assert stored.late == 1 and words(tmp_path) == {identity(1): 60}


def test_a_window_that_is_over_is_not_rebuilt_and_goes_a_day_later(tmp_path):
    rings, store = Rings(), Store(tmp_path)
    store.commit([begin(rings, 1), end(rings, 1, 60)])
    with Ledger(tmp_path) as ledger:
        assert ledger.caps(T0) == [CapRow(identity(1), 1, 60, 1000, WINDOW_END)]
        assert ledger.caps(WINDOW_END) == []

    assert store.drawn.prune(WINDOW_END + 23 * HOUR) == 0
    assert store.drawn.prune(WINDOW_END + 25 * HOUR) == 1


def test_what_a_spill_replays_is_counted_once(tmp_path):
    folder = tmp_path / "rings"
    folder.mkdir()
    ring = Ring.create(folder / "ring-00-main", 1 << 16, slot=0)
    recorder = Recorder(Paths(tmp_path, folder), lambda event, fields: None)
    ring.post_bytes(name(1))
    one = RequestId(7, 0, 1)
    ring.post_bytes(Request(one, T0, dims(), limits=[trace(1, "tokens")]).pack())
    ring.post_bytes(Open(one, T0, 1, dims(), held=[(*identity(1), 500)]).pack())
    recorder.step()
    blocker = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    ring.post_bytes(close(one, tokens=Tokens(output=60)).pack())
    assert recorder.step() == 1 and recorder.counts.spilled == 1
    blocker.close()
    recorder.close()  # killed before it could replay

    found = drain(Paths(tmp_path, folder), log=lambda event, fields: None)

    assert found.complete and words(tmp_path) == {identity(1): 60}


# ---------------------------------------------------------------------- grants


def test_grants_are_listed_with_who_gave_them(tmp_path):
    rings, store = Rings(), Store(tmp_path)
    store.commit([begin(rings, 1), end(rings, 1, 60)])
    given = Grant(T0, identity(1), RULE, name_hash("uid 0"), GRANT_ALL, 60, 0, 1, 3)
    texts = [Name(NAME_ADMIN, name_hash("uid 0"), 0, "uid 0").pack(),
             Name(NAME_LIMIT, RULE, 0, "team month").pack()]
    span = rings.span(6, [*texts, given.pack()])
    store.commit([span])
    store.commit([span])

    with Ledger(tmp_path) as ledger:
        assert ledger.grants() == ledger.grants(identity(1)) == [{
            "time": "2027-01-15T08:00:00.000Z", "name": "team month", "key": ["a"],
            "unit": "tokens", "admin": "uid 0", "amount": None, "before": 60, "after": 0,
        }]
        assert ledger.grants(identity(2)) == []
    assert words(tmp_path) == {identity(1): 0}


# ---------------------------------------------------------------------- alerts

ALERTS = [CapRule(RULE, 1, alert_at=(0.5, 0.8))]


def fractions(alerts: list[Alert]) -> list[float]:
    return [alert.fraction for alert in alerts]


def test_each_fraction_is_told_once_over_restarts_and_grants(tmp_path):
    rings, store = Rings(), Store(tmp_path, ALERTS, alerts_wanted=True)
    for sequence in range(1, 5):
        store.commit([begin(rings, sequence)])

    assert store.commit([end(rings, 1, 499)]).alerts == []
    (half,) = store.commit([end(rings, 2, 1)]).alerts
    assert (half.fraction, half.used, half.limit) == (0.5, 500, 1000)
    assert (half.name, half.key) == ("team month", ["a"])
    store.close()
    store = Store(tmp_path, ALERTS, alerts_wanted=True)
    assert store.commit([end(rings, 3, 1)]).alerts == []
    reset = Grant(T0, identity(1), RULE, 0, GRANT_ALL, 501, 0, 1, 3)
    store.commit([rings.span(6, [reset.pack()])])
    assert fractions(store.commit([end(rings, 4, 900)]).alerts) == [0.8]
    with Ledger(tmp_path) as ledger:
        assert ledger.alerts() == [("?" + f"{RULE:016x}", 0.5, 0, 1),
                                   ("?" + f"{RULE:016x}", 0.8, 0, 1)]


def test_several_fractions_may_be_passed_at_once_and_each_key_has_its_own(tmp_path):
    rings, store = Rings(), Store(tmp_path, ALERTS)
    other = RequestId(7, 0, 9)
    store.commit([begin(rings, 1), rings.span(5, [
        Request(other, T0, dims(), limits=[trace(2, "tokens")]).pack(),
        Open(other, T0, 1, dims(), held=[(*identity(2), 500)]).pack(),
    ])])

    alerts = store.commit([end(rings, 1, 1000), end(rings, 9, 600)]).alerts

    assert sorted((alert.identity, alert.fraction) for alert in alerts) == sorted([
        (packed(identity(1)), 0.5), (packed(identity(1)), 0.8), (packed(identity(2)), 0.5)])


def test_a_broken_commit_tells_of_nothing(tmp_path, monkeypatch):
    rings, store = Rings(), Store(tmp_path, ALERTS)
    store.commit([begin(rings, 1)])
    span = end(rings, 1, 600)
    with monkeypatch.context() as patch:
        # The last statement before the commit: alerts were set off already.
        patch.setattr(type(store.drawn), "kept", _breaks)
        patch.setattr(type(store.drawn), "write", _writes_and_breaks(type(store.drawn).write))
        with pytest.raises(sqlite3.OperationalError):
            store.commit([span])

    assert fractions(store.commit([span]).alerts) == [0.5]


def _writes_and_breaks(write):
    def broken(self) -> None:
        write(self)
        _breaks(self)

    return broken


class Outbox:
    """Takes ``room`` alerts at a time; told what became of them by the test."""

    def __init__(self, room: int) -> None:
        self.room, self.taken, self._done = room, [], []

    def put(self, alert: Alert) -> bool:
        if alert in self.taken:
            return True
        if len(self.taken) >= self.room:
            return False
        self.taken.append(alert)
        return True

    def finish(self, state: int) -> None:
        self._done = [(alert, state) for alert in self.taken]
        self.taken = []

    def done(self) -> list[tuple[Alert, int]]:
        done, self._done = self._done, []
        return done


def test_alerts_wait_in_the_store_until_somebody_was_told(tmp_path):
    rings = Rings()
    store = Store(tmp_path, ALERTS, alerts_wanted=True)
    store.commit([begin(rings, 1), end(rings, 1, 1000)])
    store.close()
    (tmp_path / "rings").mkdir()
    outbox, lines = Outbox(room=1), []
    recorder = Recorder(Paths(tmp_path, tmp_path / "rings", rules=tuple(ALERTS),
                              alerts_wanted=True),
                        lambda event, fields: lines.append(event), outbox)

    recorder.step()
    assert fractions(outbox.taken) == [0.5]  # the bounded outbox took one
    outbox.finish(SENT)
    recorder.step()
    assert fractions(outbox.taken) == [0.8]
    outbox.finish(GIVEN_UP)
    recorder.step()
    recorder.close()

    with Ledger(tmp_path) as ledger:
        assert [row[1:] for row in ledger.alerts()] == [(0.5, SENT, 1), (0.8, GIVEN_UP, 1)]
    assert outbox.taken == [] and "cap alert" not in lines  # they were logged when set off


def test_an_alert_is_logged_with_its_key(tmp_path):
    (tmp_path / "rings").mkdir()
    ring = Ring.create(tmp_path / "rings" / "ring-00-main", 1 << 16, slot=0)
    lines = []
    recorder = Recorder(Paths(tmp_path, tmp_path / "rings", rules=tuple(ALERTS)),
                        lambda event, fields: lines.append((event, fields)))
    rings = Rings()
    for span in (begin(rings, 1), end(rings, 1, 700)):
        for raw in (raw for raw in _split(span)):
            ring.post_bytes(raw)
    recorder.step()
    recorder.close()

    ((event, fields),) = [line for line in lines if line[0] == "cap alert"]
    assert fields["limit"] == "team month" and fields["key"] == ["a"]
    assert (fields["fraction"], fields["used"], fields["of"]) == (0.5, 700, 1000)


def _split(span: Span) -> list[bytes]:
    from fastgw.ledger.records import split

    return list(split(span.records))
