"""Goal: what workers counted is what they posted, cut by cut; one lost, doubled or changed CLOSE
shows.

Method: a worker in this process, whose ring the test reads as the recorder does, unchanged or as
a mutant would leave it.
"""

import pytest

from fastgw.ledger.balance import Balance, Taken
from fastgw.ledger.query import CLOSED
from fastgw.ledger.records import CLOSE, Close, split, unpack_record
from fastgw.ledger.span import Span
from tests.worker import chat, provider, request, response

TWO = {"providers": [provider("one"), provider("two")], "models": [
    {"id": "gpt-4o", "candidates": [{"provider": "one", "model": "m"}],
     "fallback": [{"provider": "two", "model": "m"}]}]}


class Passes:
    """The recorder's passes over one worker's ring."""

    def __init__(self, one):
        self.one, self.balance, self.ring = one, Balance(one.segment), one._readers[0]

    def __call__(self, change=lambda raws: raws, tick=True):
        if tick:
            self.one.tick()
        self.balance.look()
        if self.ring.look():
            first = self.ring.tail
            raw, end = self.ring.read(first)
            records = b"".join(change(list(split(raw))))
            self.balance.passed([Span(self.ring.ring_id, 0, self.ring.lane, first, end, records)])
            self.ring.release(end)
        return self.balance.difference


def ask(one, *answers):
    client = one.connect()
    client.feed(request(chat()))
    for answer in answers:
        one.upstream.feed(answer)
    return client


def closes(raws):
    return [at for at, raw in enumerate(raws) if raw[4] == CLOSE]


@pytest.fixture
def begun(worker):
    """A worker of which a first cut was seen: from here on it is compared."""
    one = worker(**TWO)
    passes = Passes(one)
    ask(one, response())
    assert passes() == 0 and passes() == 0
    return one, passes


def test_it_agrees_whatever_becomes_of_requests(begun):
    one, passes = begun
    before = passes.balance.compared
    for _ in range(3):
        ask(one, response())
        ask(one, response(b"{}", status=503), response())
        ask(one, response(b"{}", status=503), response(b"{}", status=503))
        ask(one).lose()
        ask(one, response()[:-4]).lose()
        ask(one, response()[:-4])
        one.upstream.lose()
        one.connect().feed(request(chat(), key="nobody"))
        assert passes() == 0
    assert passes.balance.compared > before


def lost(raws):
    del raws[closes(raws)[0]]
    return raws


def doubled(raws):
    at = closes(raws)[0]
    return [*raws[:at], raws[at], *raws[at:]]


def changed(raws):
    at = closes(raws)[0]
    close = unpack_record(raws[at])
    assert isinstance(close, Close)
    close.tokens.output += 1
    packed = bytearray(close.pack())
    packed[8:16] = raws[at][8:16]
    return [*raws[:at], bytes(packed), *raws[at + 1:]]


@pytest.mark.parametrize("mutant, by", [(lost, 51), (doubled, 51), (changed, 1)])
def test_a_mutant_shows_and_stays(begun, mutant, by):
    """An attempt of 31 + 19 tokens, without a price: 1 + 50 tokens, and a cost that is unknown."""
    one, passes = begun
    ask(one, response())
    found = passes(mutant)
    assert found in (by, by + 1)
    ask(one, response())
    assert passes() == found


def test_a_cut_in_the_middle_of_what_is_read(begun):
    one, passes = begun
    ask(one, response())
    one.tick()
    ask(one, response())
    before = passes.balance.compared
    assert passes(tick=False) == 0 and passes.balance.compared == before + 1
    assert passes() == 0


def test_a_cut_that_was_passed_by_is_not_compared(begun):
    one, passes = begun
    ask(one, response())
    one.tick()
    ring, balance = passes.ring, passes.balance
    ring.look()
    first = ring.tail
    raw, end = ring.read(first)
    balance.passed([Span(ring.ring_id, 0, ring.lane, first, end, raw)])  # (without a look before)
    ring.release(end)
    ask(one, response())
    assert passes(tick=False) == 0
    assert passes() == 0


def test_a_gap_begins_anew(begun):
    """A damaged ring is skipped: nothing is known of what stood there."""
    one, passes = begun
    ask(one, response())
    passes.ring.look()
    raw, end = passes.ring.read(passes.ring.tail)
    passes.ring.release(end)
    ask(one, response())
    assert passes() == 0 and passes() == 0
    ask(one, response())
    assert passes(lost) > 0


def test_what_a_store_took_is_summed_apart_from_its_roll_ups(begun):
    one, passes = begun
    ask(one, response())
    passes.ring.look()
    raw, end = passes.ring.read(passes.ring.tail)
    passes.ring.release(end)
    taken = Taken()
    taken.begin()
    taken.add(raw)
    assert taken.words() is None  # nobody compares in the middle
    taken.end(False)
    assert taken.words() == (0,) * len(CLOSED)
    taken.begin()
    taken.add(raw)
    taken.add(raw)
    taken.end(True)
    told = dict(zip(CLOSED, taken.words(), strict=True))
    assert {name: number for name, number in told.items() if number} == {
        "attempts": 2, "input": 62, "output": 38, "cost_unknown": 2}
