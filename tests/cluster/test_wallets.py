"""Wallets: grants and demands in a real segment.

Method: a lessee's view and a worker's view of one segment; workers' turns are beaten by hand.
"""

import pytest

from fastgw.cluster.wallets import DEGRADED, DRY, HELD, LOST, UNKNOWN, WANTED, Wallets
from fastgw.errors import ShmError
from fastgw.shm import segment as segments
from fastgw.shm.segment import Segment

KEY = (0xABCDEF, 0x123456)


@pytest.fixture
def segment(tmp_path):
    return Segment.create(tmp_path / "segment", workers=2, entries=4096)


def test_a_demand_is_posted_once_and_taken_once(segment):
    wallets = Wallets(segment)
    assert wallets.ask(KEY, 1, 7, 500, window=99)
    assert not wallets.ask(KEY, 1, 7, 500)  # somebody has asked already
    [(entry, need)] = wallets.demands()
    assert need == 500 and wallets.demands() == [] and wallets.all() == [entry]
    seen = wallets.read(entry)
    assert seen == (KEY, 1, 0, 0, 7, 99, 0, WANTED) and seen.left == 0


def test_what_is_granted_is_read_back_and_may_be_asked_for_again(segment):
    wallets = Wallets(segment)
    wallets.ask(KEY, 0, 3, 1)
    [(entry, _)] = wallets.demands()
    assert wallets.grant(entry, 10**15, spec=3, window=5, low=6, flags=DRY | DEGRADED)
    assert wallets.read(entry) == (KEY, 0, 10**15, 0, 3, 5, 6, DRY | DEGRADED)
    assert wallets.ask(KEY, 0, 3, 1, window=5)
    assert wallets.read(entry).flags == WANTED | DRY | DEGRADED
    wallets.release(entry, DRY)
    assert wallets.read(entry) == (KEY, 0, 10**15, 0, 3, 5, 6, DRY | DEGRADED)


def test_a_full_board_sets_no_flag_so_that_the_next_request_asks_again(segment):
    wallets = Wallets(segment)
    keys = [(key * 0x9E3779B97F4A7C15 % 2**64, key) for key in range(1, 258)]
    posted = [wallets.ask(key, 0, 0, 1) for key in keys]
    assert posted == [True] * 256 + [False]
    assert len(wallets.demands()) == 256
    assert wallets.ask(keys[-1], 0, 0, 1)


def test_a_need_is_never_lost_for_its_size(segment):
    wallets = Wallets(segment)
    wallets.ask(KEY, 0, 0, 1 << 60)
    wallets.ask((5, 5), 0, 0, 0)
    assert sorted(need for _, need in wallets.demands()) == [1, (1 << 36) - 1]


def test_the_board_tells_the_store_and_the_epoch(segment):
    wallets = Wallets(segment)
    assert wallets.said() == (UNKNOWN, 0, 0, 0) and wallets.epoch == ""
    wallets.say(state=HELD, nodes=3, until_ns=77)
    wallets.beat(55)
    wallets.epoch = "e" * 32
    other = Wallets(Segment.attach(segment.path, readonly=True))
    assert other.said() == (HELD, 3, 77, 55) and other.epoch == "e" * 32
    wallets.epoch = ""
    wallets.say(state=LOST, nodes=3, until_ns=77)
    assert other.said().state == LOST and other.epoch == ""
    with pytest.raises(ShmError):
        other.say(state=HELD, nodes=1, until_ns=1)


def test_nothing_but_a_wallet_is_read_as_one(segment):
    wallets = Wallets(segment)
    assert wallets.read(0) is None and wallets.read(1 << 40) is None
    assert not wallets.grant(1 << 40, 5, spec=0)
    wallets.release(1 << 40)


def test_workers_went_on_when_each_has_turned_or_gone(segment):
    wallets = Wallets(segment)
    assert wallets.went_on(wallets.turns())  # nobody runs
    for slot in (0, 1):
        segment.claim(slot, 100 + slot, 1, 5 + slot)
    before = wallets.turns()
    segment.turn(0, 1)
    assert not wallets.went_on(before)
    segment.turn(1, 1)
    assert wallets.went_on(before)
    before = wallets.turns()
    segment.turn(0, 2)
    segment.set_state(1, segments.DEAD)
    assert wallets.went_on(before)
