"""Goal: every exchange ends once, settled and recorded, whatever ended it.

Method: clients that leave and defects of our own, played to a worker.
"""

from fastgw.ledger.records import FATE_CUT_BY_CLIENT, Close, Refused, Request
from fastgw.shm.counters import total
from tests.worker import Loop, chat, request, response


def fates(one):
    return [close.fate for close in one.records() if isinstance(close, Close)]


def test_a_client_that_leaves_while_we_connect_leaves_nothing_behind(worker, monkeypatch):
    one = worker()
    with monkeypatch.context() as still:
        still.setattr(Loop, "run", lambda self: None)
        client = one.connect()
        client.feed(request(chat()))
        client.lose()
    one.loop.run()

    assert one.loop.opened == [] and one.journey.active == 0
    assert fates(one) == [FATE_CUT_BY_CLIENT] and one.segment.live_holds(0)[0] == 0


def test_a_defect_of_ours_fails_one_exchange_and_not_the_worker(worker, monkeypatch):
    one = worker()
    with monkeypatch.context() as broken:
        broken.setattr(Loop, "create_task", lambda self, coroutine: coroutine.close() or 1 / 0)
        client = one.connect()
        client.feed(request(chat()))
    answer = client.answer()
    assert (answer.status, answer.code, answer.fields["connection"]) == (500, "FGW-991", "close")
    assert one.journey.active == 0 and one.segment.live_holds(0)[0] == 0

    assert one.ask(request(chat()), response())[1].status == 200


def test_of_a_flood_each_refusal_is_recorded_or_counted(worker):
    """Without a key 100 a second are recorded in full; the rest is counted, once each."""
    one = worker()
    client, flood = one.connect(), 300
    for _ in range(flood):
        client.feed(request(chat(), key="nobody"))
        assert client.answer().status == 401
    one.tick()

    found = one.records()
    recorded = sum(isinstance(record, Request) for record in found)
    counted = sum(record.count for record in found if isinstance(record, Refused))
    totals = total(one.segment)
    assert recorded + counted == flood == totals.counters["denied"] == totals.codes[302]
    assert 100 <= recorded < flood and counted == totals.counters["refusals_sampled_out"]
