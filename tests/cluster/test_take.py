"""Phase LIMIT with slices: what a worker takes, asks for and says, in a real segment.

Method: the test is the lessee: it grants by hand and says whether the store answers. Time is an
integer of the test.
"""

import os

import pytest

from fastgw.cluster.wallets import DEGRADED, DRY, HELD, LOST, WANTED, Wallets
from fastgw.limit import peek
from fastgw.limit.limits import Holds, Limits
from fastgw.limit.trial import Trial
from fastgw.shm.segment import Segment

S = 10**9
NOW, WALL = 1000 * S, 1_790_000_000 * S
KEY = (0xFEED, 0xBEEF)
TAKEN, REFUSED, NEVER, UNDONE = 1, 2, 3, 4
IS_DEGRADED, WAITS, RANG, IS_LOST = 1, 2, 4, 8


class Node:
    def __init__(self, tmp_path, *specs, bell=-1):
        self.segment = Segment.create(tmp_path / "segment", workers=1, entries=256)
        self.limits = Limits(specs, Holds(self.segment, 0), WALL, bell)
        self.wallets = Wallets(self.segment)
        self.answers(HELD)

    def answers(self, state, *, until_ns=NOW + 9 * S):
        self.wallets.say(state=state, nodes=2, until_ns=until_ns)
        self.wallets.beat(NOW)

    def ask(self, amount=1, *, now=NOW, wall=WALL, demands=((0, KEY, True),), **more):
        trial = Trial(self.limits)
        amounts = {"tokens": amount, "requests": 1, "cost": amount}
        trial.take(demands, amounts, now, wall_ns=wall, **more)
        return trial

    def entry(self):
        [(entry, need)] = self.wallets.demands()
        return entry, need


def spec(algorithm="cap", unit="tokens", capacity=1000, loss="closed", **more):
    return {"unit": unit, "algorithm": algorithm, "capacity": capacity, "cluster": True,
            "period_ns": 0 if algorithm == "cap" else 60 * S, "on_store_loss": loss,
            "window": "total" if algorithm == "cap" else "", **more}


def only(trial):
    [trace] = trial.traces
    return trace.verdict, trace.flags


@pytest.mark.parametrize("algorithm", ["cap", "token_bucket", "fixed_window", "sliding_window"])
def test_a_slice_is_asked_for_once_and_spent_to_its_last_unit(tmp_path, algorithm):
    node = Node(tmp_path, spec(algorithm))
    assert only(node.ask(100)) == (REFUSED, WAITS | RANG)
    assert only(node.ask(100)) == (REFUSED, WAITS)
    entry, need = node.entry()
    assert need == 100
    node.wallets.grant(entry, 250, spec=0, window=node.wallets.read(entry).window)
    assert [only(node.ask(100))[0] for _ in range(3)] == [TAKEN, TAKEN, REFUSED]
    assert node.entry() == (entry, 50)
    seen = node.wallets.read(entry)
    assert (seen.granted, seen.spent, seen.flags) == (250, 200, WANTED)


def test_nothing_is_taken_once_the_lease_is_over_whatever_is_left(tmp_path):
    node = Node(tmp_path, spec())
    node.ask(1)
    entry, _ = node.entry()
    node.wallets.grant(entry, 500, spec=0)
    node.answers(HELD, until_ns=NOW)
    assert only(node.ask(1)) == (REFUSED, WAITS | RANG)
    node.answers(HELD)
    assert only(node.ask(1, now=NOW + 9 * S - 1))[0] == TAKEN
    assert only(node.ask(1, now=NOW + 9 * S))[0] == REFUSED


def test_a_settled_request_gives_back_to_the_slice_and_debt_is_seen(tmp_path):
    node = Node(tmp_path, spec("token_bucket"))
    node.ask(1)
    entry, _ = node.entry()
    node.wallets.grant(entry, 300, spec=0)
    trial = node.ask(200)
    trial.settle({"tokens": 50}, NOW)
    assert node.wallets.read(entry).left == 250
    trial = node.ask(10)
    trial.settle({"tokens": 400}, NOW)
    assert node.wallets.read(entry).left == -150
    trace = node.ask(1).traces[0]
    assert (trace.verdict, trace.used) == (REFUSED, 1150)


def test_more_is_asked_for_before_the_slice_is_spent(tmp_path):
    node = Node(tmp_path, spec())
    node.ask(1)
    entry, _ = node.entry()
    node.wallets.grant(entry, 100, spec=0, low=4)
    assert only(node.ask(80)) == (TAKEN, 0)
    assert only(node.ask(5)) == (TAKEN, RANG)
    assert only(node.ask(5)) == (TAKEN, 0)
    assert node.entry() == (entry, 1)


def test_a_dry_fleet_refuses_at_once_and_says_when(tmp_path):
    node = Node(tmp_path, spec("token_bucket", capacity=600))
    node.ask(1)
    entry, _ = node.entry()
    node.wallets.grant(entry, 10, spec=0, flags=DRY | WANTED)
    trace = node.ask(40).traces[0]
    assert (trace.verdict, trace.flags, trace.wait_ns) == (REFUSED, 0, 3 * S)
    assert node.wallets.demands() == []
    node.wallets.release(entry, DRY)
    assert only(node.ask(40)) == (REFUSED, RANG)


def test_more_than_the_capacity_is_never_asked_for(tmp_path):
    node = Node(tmp_path, spec())
    assert only(node.ask(1001))[0] == NEVER
    assert node.wallets.demands() == []


@pytest.mark.parametrize(("loss", "expected"), [
    ("closed", (REFUSED, RANG | IS_DEGRADED | IS_LOST)),
    ("local_share", (REFUSED, RANG | WAITS)),
    ("open", (TAKEN, IS_DEGRADED | RANG)),
])
def test_without_a_store_and_a_slice_the_mode_decides(tmp_path, loss, expected):
    node = Node(tmp_path, spec(loss=loss))
    node.answers(LOST)
    assert only(node.ask(10)) == expected
    node.answers(HELD)
    node.wallets.beat(0)  # a lessee that does not live is a store that is lost
    assert only(node.ask(10))[1] & ~RANG == expected[1] & ~RANG


def test_a_slice_is_spent_also_without_a_store(tmp_path):
    node = Node(tmp_path, spec())
    node.ask(1)
    entry, _ = node.entry()
    node.wallets.grant(entry, 20, spec=0)
    node.answers(LOST)
    assert [only(node.ask(10)) for _ in range(3)] == [
        (TAKEN, 0), (TAKEN, RANG), (REFUSED, IS_DEGRADED | IS_LOST)]


def test_what_a_node_granted_itself_needs_no_lease_and_is_marked(tmp_path):
    node = Node(tmp_path, spec(loss="local_share"))
    node.answers(LOST, until_ns=0)
    node.ask(10)
    entry, _ = node.entry()
    node.wallets.grant(entry, 10, spec=0, flags=DEGRADED)
    assert only(node.ask(10)) == (TAKEN, IS_DEGRADED)


def test_windows_are_entries_of_their_own_and_tell_their_number(tmp_path):
    node = Node(tmp_path, spec("fixed_window"))
    for at in (0, 60):
        node.ask(1, wall=WALL + at * S)
    entries = [entry for entry, _ in node.wallets.demands()]
    number = WALL // (60 * S)
    seen = [node.wallets.read(entry) for entry in entries]
    assert [each.window for each in seen] == [(number + at) % (1 << 22) for at in (0, 1)]
    assert seen[0].key != seen[1].key
    start = number * 60 * S
    assert Wallets.neighbour(seen[0].key, start, 60 * S) == seen[1].key
    assert seen[0].key == peek.windowed(KEY, start)


def test_a_calendar_cap_tells_its_quarter_of_an_hour(tmp_path):
    node = Node(tmp_path, spec(window="day", time_zone="Asia/Kolkata"))
    node.ask(1)
    entry, _ = node.entry()
    low = node.wallets.read(entry).window
    assert (WALL // (900 * S) - low) % (1 << 22) < 97  # within a day before


def test_all_or_none_holds_over_clustered_and_local_limits(tmp_path):
    local = {"unit": "requests", "algorithm": "token_bucket", "capacity": 5, "period_ns": 60 * S}
    node = Node(tmp_path, spec(), local)
    both = ((0, KEY, True), (1, (5, 6), True))
    trial = node.ask(10, demands=both)
    assert [trace.verdict for trace in trial.traces] == [REFUSED, UNDONE]
    entry, _ = node.entry()
    node.wallets.grant(entry, 100, spec=0)
    for _ in range(5):
        assert [t.verdict for t in node.ask(10, demands=both).traces] == [TAKEN, TAKEN]
    assert [t.verdict for t in node.ask(10, demands=both).traces] == [UNDONE, REFUSED]
    assert node.wallets.read(entry).left == 50


def test_a_shadow_never_waits(tmp_path):
    node = Node(tmp_path, spec(enforced=False))
    assert node.ask(10).traces[0].verdict == REFUSED
    assert node.entry()[1] == 10


def test_room_is_all_of_a_cap_until_the_fleet_is_dry_and_draws_ask_for_more(tmp_path):
    node = Node(tmp_path, spec())
    trial = node.ask(10)
    assert trial.room(NOW, WALL)["tokens"] == 1000
    entry, _ = node.entry()
    node.wallets.grant(entry, 30, spec=0)
    trial = node.ask(10)
    assert trial.room(NOW, WALL)["tokens"] == 1000
    assert trial.draw({"tokens": 20}, NOW) and trial.held == [30]
    assert not trial.draw({"tokens": 20}, NOW)
    assert node.entry() == (entry, 20)
    node.wallets.grant(entry, 45, spec=0, flags=DRY)
    assert trial.room(NOW, WALL)["tokens"] == 15
    assert trial.draw({"tokens": 15}, NOW)


def test_the_bell_rings_only_where_a_demand_was_posted(tmp_path):
    bell = os.eventfd(0, os.EFD_NONBLOCK)
    node = Node(tmp_path, spec(), bell=bell)
    node.ask(1)
    assert os.eventfd_read(bell) == 1
    node.ask(1)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(bell)
    os.close(bell)


def test_concurrency_stays_on_its_node(tmp_path):
    node = Node(tmp_path, spec("concurrency", "slots", 1) | {"period_ns": 0})
    assert only(node.ask()) == (TAKEN, 0)
    assert only(node.ask())[0] == REFUSED
    assert node.wallets.demands() == []
