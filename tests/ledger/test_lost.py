"""Attempts of workers that ended: one close each, by whoever knows most.

Method: spans of a worker's ring and of the supervisor's, stored in the orders in which a recorder
can see them.
"""

from dataclasses import replace

import pytest

from fastgw.ledger.journal import name_hash
from fastgw.ledger.lost import ended_mark, lost_close
from fastgw.ledger.query import Ledger
from fastgw.ledger.records import (
    FATE_WORKER_LOST,
    NAME_MODEL,
    UNBOUNDED,
    Close,
    Held,
    Name,
    Open,
    RequestId,
    Tokens,
    unpack_record,
)
from fastgw.ledger.ring import SUPERVISOR
from fastgw.ledger.span import Span
from fastgw.ledger.store import Store
from tests.ledger.fabricate import T0, close, dims

pytestmark = pytest.mark.usefixtures("either_store")

SEEN, OTHER = RequestId(3, 1, 1), RequestId(3, 1, 2)
LATER = T0 + 10**9


def opened(id: RequestId, attempt: int = 1, output_high: int = 512) -> bytes:
    return Open(id, T0, attempt, dims(), 7, 4096, output_high).pack()


def swept(id: RequestId, output: int = 0, **more) -> bytes:
    """What a sweep knows: the progress, no dims."""
    return Close(
        id, LATER, fate=FATE_WORKER_LOST, output_low=output, code=992, provenance=3, **more
    ).pack()


class Stored:
    def __init__(self, folder):
        self.folder, self.store, self.next = folder, Store(folder), {}

    def spans(self, *parts: tuple[int, list[bytes]]) -> list[Span]:
        made = []
        for ring, records in parts:
            position = self.next.get(ring, 0)
            made.append(
                Span(
                    ring,
                    SUPERVISOR if ring == 99 else 0,
                    0,
                    position,
                    position + 8 * len(records) or 8,
                    b"".join(records),
                )
            )
            self.next[ring] = made[-1].next
        return made

    def commit(self, *parts: tuple[int, list[bytes]]):
        return self.store.commit(self.spans(*parts))

    def closes(self) -> list[Close]:
        with Ledger(self.folder) as ledger:
            assert ledger.verify() == []
            records = [unpack_record(raw) for raw in ledger.records()]
        return [one for one in records if isinstance(one, Close)]


def test_a_sweeps_close_gets_dims_and_ceilings_from_its_open(tmp_path):
    stored = Stored(tmp_path)
    stored.commit((1, [opened(SEEN)]))
    result = stored.commit((99, [swept(SEEN, output=40)]))

    (one,) = stored.closes()
    assert one.dims == dims() and one.started_ns == T0
    assert (one.input_high, one.output_low, one.output_high) == (4096, 40, 512)
    assert (result.lost, result.late) == (1, 0)


def test_the_mark_closes_what_the_sweep_did_not_know(tmp_path):
    stored = Stored(tmp_path)
    stored.commit((1, [opened(SEEN), opened(OTHER, 2, UNBOUNDED)]))
    stored.commit((99, [swept(SEEN, output=40), ended_mark(3, 1, LATER)]))

    first, second = stored.closes()
    assert first.output_low == 40
    assert (second.id, second.attempt, second.fate) == (OTHER, 2, FATE_WORKER_LOST)
    assert (second.input_low, second.input_high, second.output_high) == (0, 4096, UNBOUNDED)
    assert second.cost_nano_usd is None and second.code == 992
    assert stored.store.open_workers() == []


@pytest.mark.parametrize("together", [False, True])
def test_a_close_by_the_mark_spans_what_was_drawn_too(tmp_path, together):
    stored = Stored(tmp_path)
    drawn = Held(SEEN, T0, 1, 1536, [(1, 2, 3)]).pack()
    mark = (99, [ended_mark(3, 1, LATER)])
    if together:
        stored.commit((1, [opened(SEEN), drawn]), mark)
    else:
        stored.commit((1, [opened(SEEN)]))
        stored.commit((1, [drawn]), mark)

    (one,) = stored.closes()
    assert (one.fate, one.output_high) == (FATE_WORKER_LOST, 1536)


def test_open_and_sweep_seen_in_one_pass_in_any_order(tmp_path):
    stored = Stored(tmp_path)
    stored.commit(
        (99, [swept(SEEN, output=7), ended_mark(3, 1, LATER)]), (1, [opened(SEEN), opened(OTHER)])
    )

    assert [(one.id, one.output_low) for one in stored.closes()] == [(SEEN, 7), (OTHER, 0)]


def test_a_close_of_the_worker_itself_stands(tmp_path):
    stored = Stored(tmp_path)
    stored.commit((1, [opened(SEEN), close(SEEN).pack(), opened(OTHER)]))
    result = stored.commit(
        (1, [close(OTHER).pack()]),
        (
            99,
            [
                swept(SEEN),
                swept(OTHER),
                ended_mark(3, 1, LATER),
                ended_mark(3, 1, LATER),
            ],
        ),
    )

    assert {one.fate for one in stored.closes()} == {1}
    assert len(stored.closes()) == 2 and result.late == 2


def test_two_closes_of_one_sweep_count_once(tmp_path):
    stored = Stored(tmp_path)
    stored.commit((1, [opened(SEEN)]))
    stored.commit((99, [swept(SEEN, output=1), swept(SEEN, output=2)]))
    stored.commit((99, [swept(SEEN, output=3)]))

    assert [one.output_low for one in stored.closes()] == [1]


def test_only_the_worker_that_ended_is_closed(tmp_path):
    stored = Stored(tmp_path)
    mine, same_slot, same_birth = RequestId(3, 1, 1), RequestId(4, 1, 1), RequestId(3, 2, 1)
    stored.commit((1, [opened(mine), opened(same_slot)]), (2, [opened(same_birth)]))
    stored.commit((99, [ended_mark(3, 1, LATER)]))

    assert [one.id for one in stored.closes()] == [mine]
    assert sorted(stored.store.open_workers()) == [(3, 2), (4, 1)]


def test_what_the_sweep_knows_better_is_kept(tmp_path):
    stored = Stored(tmp_path)
    stored.commit((1, [opened(SEEN)]))
    stored.commit((99, [swept(SEEN, output=9, output_high=100, dims=dims("k2"), started_ns=5)]))

    (one,) = stored.closes()
    assert (one.output_high, one.dims, one.started_ns) == (100, dims("k2"), 5)


def test_a_lost_close_spans_all_that_may_have_been_spent():
    one = lost_close(Open(SEEN, T0, 1, dims(), 7, 100, 200), LATER)

    assert (one.input_low, one.input_high, one.output_low, one.output_high) == (0, 100, 0, 200)
    assert one.wall_ns == LATER and one.final == 1


def test_what_was_counted_of_it_has_a_cost(tmp_path):
    model = name_hash("gpt-4o")
    asked = []

    def cost(one: Close, name: str):
        asked.append((name, one.dims.upstream_model, one.tokens.output))
        return (one.tokens.input * 3 + one.tokens.output * 7, 5) if name == "gpt-4o" else None

    stored = Stored(tmp_path)
    stored.store.close()
    stored.store = Store(tmp_path, costs=cost)
    named = replace(dims(), upstream_model=model)
    other = replace(dims(), upstream_model=name_hash("house"))
    nobody = RequestId(3, 1, 3)
    opens = [Open(id, T0, 1, of, 7, 4096, 512).pack() for id, of in
             ((SEEN, named), (OTHER, other), (nobody, named))]
    names = [Name(NAME_MODEL, name_hash(text), 0, text).pack() for text in ("gpt-4o", "house")]
    told = [
        Close(id, LATER, fate=FATE_WORKER_LOST, tokens=Tokens(input=11, output=40),
              output_low=40, code=992, provenance=3).pack() for id in (SEEN, OTHER)
    ]
    # In one pass with the names, and in a later one.
    stored.commit((1, [*names, *opens]), (99, told[:1]))
    stored.commit((99, [told[1], swept(nobody)]))

    first, second, third = stored.closes()
    assert (first.cost_nano_usd, first.price_version) == (11 * 3 + 40 * 7, 5)
    assert (second.cost_nano_usd, second.price_version) == (None, 0)  # no price: no cost, not 0
    assert third.cost_nano_usd is None  # nothing is known of it, so nobody asks
    assert asked == [("gpt-4o", model, 40), ("house", other.upstream_model, 40)]
