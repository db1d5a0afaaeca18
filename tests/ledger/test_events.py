"""Attempts one by one, from a cursor on: all of them, each once, in the order stored.

Method: the books of `Traffic`, over both stores; cuts at every group; batches that retention took.
"""

import time
from dataclasses import replace

import orjson
import pytest

from fastgw.ledger.events import Events
from fastgw.ledger.lost import ended_mark
from fastgw.ledger.query import Ledger
from fastgw.ledger.records import CLOSE, NAME_QUOTE, UNBOUNDED, Close, Name, Open, RequestId
from fastgw.ledger.ring import SUPERVISOR
from fastgw.ledger.store import Store
from tests.ledger.fabricate import T0, close, dims, names
from tests.ledger.test_store import placed, span, traffic_records

pytestmark = pytest.mark.usefixtures("either_store")


def stored(folder, pieces: int = 7):
    traffic, records = traffic_records(41, 100)
    store = Store(folder)
    store.commit([span(placed(names()), ring=9)])
    size = -(-len(records) // pieces)
    for start in range(0, len(records), size):
        store.commit([span(records[start : start + size])])
    return store, traffic, records


def test_every_attempt_comes_once_whatever_the_group(tmp_path):
    store, traffic, records = stored(tmp_path)
    wanted = [f"{one.id}/{one.attempt}" for one in map(Close.unpack, (
        raw for raw in records if raw[4] == CLOSE))]
    with Ledger(tmp_path) as ledger:
        for at_once in (1, 30, 10_000):
            events, batch, found = Events(ledger), ledger.database.first, []
            while True:
                group = events.after(batch, at_once)
                if group.batch == batch:
                    break
                assert group.skipped == 0
                batch, found = group.batch, found + group.events
            assert [one["id"] for one in found] == wanted
        assert sum(one["input"] for one in found) == traffic.books["input"]
        assert {one["key"] for one in found} == {"k1", "k2"}
        assert found[0]["owner"] == {"team": "a"} and found[0]["model"] == "gpt-4o"
    store.close()


def test_a_cursor_is_kept_by_the_store(tmp_path):
    store, _, _ = stored(tmp_path)
    with Ledger(tmp_path) as ledger:
        events = Events(ledger)
        first = ledger.database.first
        assert events.cursor("kafka") == first
        store.exported({"kafka": first + 3, "webhook": first + 1})
        store.exported({"kafka": first + 5})
        assert (events.cursor("kafka"), events.cursor("webhook")) == (first + 5, first + 1)
        assert events.after(first + 8, 10).batch == first + 8, "nothing new"
    store.close()


def test_what_retention_took_is_counted(tmp_path):
    store, _, _ = stored(tmp_path)
    first = store.database.first
    assert store.prune(2**62, batches_max=4) == 4
    with Ledger(tmp_path) as ledger:
        group = Events(ledger).after(first + 2, 1)
        assert (group.skipped, group.batch) == (2, first + 5)
    store.close()


def test_a_name_that_is_late_is_waited_for_but_not_for_ever(tmp_path):
    store = Store(tmp_path)
    what = dims("nobody", model="late")
    old = close(RequestId(1, 0, 1), T0, dims=what)
    store.commit([span(placed([old.pack()]))])
    fresh = close(RequestId(1, 0, 2), time.time_ns(), dims=what)
    with Ledger(tmp_path) as ledger:
        events = Events(ledger)
        batch = ledger.database.first
        if T0 > time.time_ns():  # what was fabricated has not happened yet
            assert events.after(batch, 9).batch == batch
        store.commit([span(placed([fresh.pack()]), ring=6)])
        store.commit([span(placed(names(keys=("nobody",), models=("late",))), ring=9)])
        found = events.after(batch, 9).events
        assert [one["model"] for one in found] == ["late", "late"]
    store.close()


def test_times_and_what_is_not_known(tmp_path):
    store = Store(tmp_path)
    ends = [T0, T0 + 10, T0 + 20]
    store.commit([span(placed([
        Close(RequestId(1, 0, n + 1), wall, output_high=UNBOUNDED).pack()
        for n, wall in enumerate(ends)]))])
    with Ledger(tmp_path) as ledger:
        events = Events(ledger)
        found = list(events.between(T0 + 10, T0 + 20))
        assert [one["time_unix_nano"] for one in found] == [T0 + 10]
        assert found[0]["output_high"] is None and found[0]["cost_nano_usd"] is None
        assert len(list(events.between(0, None))) == 3
    store.close()


SAID = '{"prompt_tokens":31, "cost":0.00010,"total_tokens":12345678901234567890123}'


def quote(id: RequestId, text: str, place: int = 0, attempt: int = 1) -> bytes:
    return Name(NAME_QUOTE, attempt, place, text, id, T0).pack()


def exported(folder) -> list[dict]:
    with Ledger(folder) as ledger:
        return orjson.loads(orjson.dumps(list(Events(ledger).between(0, None))))


def test_the_providers_own_object_goes_on_letter_by_letter(tmp_path):
    one, other, third = (RequestId(1, 0, number) for number in (1, 2, 3))
    store = Store(tmp_path)
    store.commit([span(placed([
        quote(one, SAID), close(one, attempt=1, final=0).pack(),
        quote(one, '{"a":1}', 0, 2), quote(one, '{"b":2}', 1, 2), close(one, attempt=2).pack(),
        close(other).pack(), quote(third, '{"long": "' + "x" * 20), close(third).pack()]))])
    with Ledger(tmp_path) as ledger:
        events = list(Events(ledger).between(0, None))
    assert [orjson.dumps(event["provider_usage"]).decode() for event in events] == [
        f"[{SAID}]", '[{"a":1},{"b":2}]', "[]", '["{\\"long\\": \\"' + "x" * 20 + '"]']
    store.close()


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_quote_in_another_batch_than_its_close_is_found(tmp_path, cut):
    before, id = RequestId(1, 0, 1), RequestId(1, 0, 2)
    records = placed([close(before).pack(), quote(id, '{"in":1}'), quote(id, '{"out":2}', 1),
                      close(id).pack(), close(RequestId(1, 0, 3)).pack()])
    store = Store(tmp_path)
    for part in (records[:cut], records[cut:]):
        store.commit([span(part)])
    assert [event["provider_usage"] for event in exported(tmp_path)] == [
        [], [{"in": 1}, {"out": 2}], []]
    store.close()


def test_what_a_killed_worker_had_quoted_stands_in_the_close_of_the_sweep(tmp_path):
    ids = [RequestId(1, 0, number) for number in range(1, 4)]
    store = Store(tmp_path)
    store.commit([span(placed([*(Open(id, T0, dims=dims()).pack() for id in ids),
                               quote(ids[1], '{"in":1}')]))])
    store.commit([replace(span(placed([ended_mark(1, 0, T0)]), ring=8), slot=SUPERVISOR)])
    found = exported(tmp_path)
    assert [event["fate"] for event in found] == ["worker lost"] * 3
    assert [event["provider_usage"] for event in found] == [[], [{"in": 1}], []]
    store.close()


def test_how_a_number_was_found_that_nobody_told(tmp_path):
    id = RequestId(1, 0, 1)
    store = Store(tmp_path)
    store.commit([span(placed([
        close(id, input_basis=5, output_basis=2 | 8 | 1 << 4).pack(),
        close(RequestId(1, 0, 2)).pack()]))])
    assert [event["estimates"] for event in exported(tmp_path)] == [
        {"input_tokens": {"by": "learned"},
         "output_tokens": {"by": "ratio", "writing": "code", "sampled": True}}, {}]
    store.close()
