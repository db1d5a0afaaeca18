"""Tails: what the supervisor's sweep says is never seen before what the dead worker wrote.

Method: the recorder's reading is stopped between its looks and its reads, where a record of the
worker and then one of the sweep are posted.
"""

from fastgw.ledger.lost import ended_mark
from fastgw.ledger.records import Name, Open, RequestId, unpack_record
from fastgw.ledger.ring import SUPERVISOR, Ring
from fastgw.ledger.tails import Tails
from tests.ledger.fabricate import T0, post_all, rings

ID = RequestId(1, 0, 1)


def tails(folder, positions=None) -> Tails:
    return Tails(folder, lambda ring: (positions or {}).get(ring, 0), lambda path, why: None)


def test_the_supervisor_is_looked_at_first(tmp_path):
    worker = rings(tmp_path)
    supervisor = Ring.create(tmp_path / "ring-supervisor", 1 << 15, slot=SUPERVISOR)
    post_all(worker, [Name(2, 1, 0, "a").pack()])
    post_all(supervisor, [Name(2, 2, 0, "b").pack()])
    one = tails(tmp_path)
    looks, look = [], one._look

    def look_and_post(tail):
        looks.append(tail.ring.slot)
        ready = look(tail)
        if len(looks) == 1:
            post_all(worker, [Open(ID, T0).pack()])
            post_all(supervisor, [ended_mark(1, 0, T0)])
        return ready

    one._look = look_and_post
    spans = {span.slot: span for span in one.take()}
    assert looks == [SUPERVISOR, 0]
    assert len(spans[SUPERVISOR].records) == 72, "the mark was posted after the look"
    assert isinstance(unpack_record(spans[0].records[72:]), Open)


def test_a_ring_starts_where_the_store_is(tmp_path):
    worker = rings(tmp_path)
    post_all(worker, [Name(2, n, 0, "a").pack() for n in range(3)])
    one = tails(tmp_path, {worker.ring_id: 144})

    (span,) = one.take()
    assert (span.first, span.next) == (144, 216)
    reader = Ring.attach(tmp_path / "ring-00-main", producer=False)
    assert reader.tail == 144
    assert one.lag() == 72
    one.safe([span])
    assert one.lag() == 0 and len(one) == 1
    one.close()


def test_a_position_beyond_the_ring_is_not_believed(tmp_path):
    worker = rings(tmp_path)
    post_all(worker, [Name(2, 1, 0, "a").pack()])
    one = tails(tmp_path, {worker.ring_id: 1 << 40})

    assert one.take() == []
    post_all(worker, [Name(2, 1, 0, "a").pack()])
    assert [(span.first, span.next) for span in one.take()] == [(72, 144)]


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path):
    one = tails(tmp_path / "later")
    assert one.take() == []
    post_all(rings(tmp_path / "later"), [Name(2, 1, 0, "a").pack()])

    assert len(one.take()) == 1


def test_new_rings_are_found_however_busy_the_old_ones_are(tmp_path):
    worker = rings(tmp_path)
    one = tails(tmp_path)
    one.take()
    post_all(rings(tmp_path, 1), [Name(2, 1, 0, "a").pack()])

    found = []
    for _ in range(8):
        post_all(worker, [Name(2, 1, 0, "a").pack()])
        spans = one.take()
        one.safe(spans)
        found.append({span.slot for span in spans})
    assert found == [{0}] * 7 + [{0, 1}]


def test_who_the_supervisor_speaks_of_is_looked_for_first(tmp_path):
    supervisor = Ring.create(tmp_path / "ring-supervisor", 1 << 15, slot=SUPERVISOR)
    one = tails(tmp_path)
    assert one.take() == []
    post_all(rings(tmp_path), [Open(ID, T0).pack()])
    post_all(supervisor, [ended_mark(1, 0, T0)])

    spans = one.take()
    assert {span.slot for span in spans} == {0, SUPERVISOR}, "the OPEN that the mark closes"
