"""Caps: what records say of them is what plain books say, however they are cut into passes.

Method: made-up traffic (`Capped`) keeps its own books; the records are given in runs of random
length; sums of all passes are compared, cap by cap.
"""

from collections import Counter

import pytest

from fastgw.ledger import caps as module
from fastgw.ledger.caps import Caps
from fastgw.ledger.records import (
    FATE_WORKER_LOST,
    Close,
    Held,
    Open,
    Request,
    RequestId,
    Tokens,
)
from tests.csrc.ledger_native import seeded
from tests.ledger.caps import HOUR, WINDOW_END, Capped, identity, packed, trace
from tests.ledger.fabricate import T0, pace

ID = RequestId(1, 0, 1)


def drain(caps: Caps, total: Counter) -> None:
    for cap in caps.changed():
        total[cap.identity] += cap.used
    caps.kept()


def test_sums_are_those_of_the_books_however_records_are_cut():
    draw = seeded("caps in passes")
    worker, total = Capped(draw.randrange(2**32)), Counter()
    caps = Caps(lambda identity: None, some=False)
    for _ in range(400):
        records = [raw for _ in range(draw.randrange(1, 9)) for raw in worker.step()]
        at = draw.randrange(len(records) + 1)
        for run in (records[:at], records[at:]):
            caps.add(b"".join(run))
            if draw.random() < 0.5:
                drain(caps, total)
        if draw.random() < 0.05:
            caps.add(worker.grant(draw.randrange(5), draw.randrange(5000)))
    drain(caps, total)

    assert {cap: total[packed(identity(cap))] for cap in range(5)} == dict(worker.settled)
    assert caps.held() == {packed(identity(cap)): n for cap, n in worker.held().items()}


def lost(unit: str, *, progress: bool) -> int:
    """What a cap is charged for an attempt that held 500 and was seen to use 12 + 30 tokens."""
    rule = trace(1, unit).rule
    rules = {(rule, trace(1, unit).unit)} if progress else ()
    caps = Caps(lambda identity: None, frozenset(rules), some=False)
    caps.add(Request(ID, T0, limits=[trace(1, unit)]).pack())
    caps.add(Open(ID, T0, held=[(*identity(1), 500)]).pack())
    tokens = Tokens(input=12, output=30)
    caps.add(Close(ID, T0, fate=FATE_WORKER_LOST, tokens=tokens, flags=0).pack())
    (cap,) = caps.changed()
    return cap.used


def test_a_lost_worker_s_attempt_is_charged_as_its_cap_says():
    assert lost("tokens", progress=False) == 500
    assert lost("tokens", progress=True) == 42
    assert lost("output_tokens", progress=True) == 30
    assert lost("requests", progress=True) == 1


@pytest.mark.parametrize("progress", [False, True])
def test_what_was_drawn_or_swept_stands_in_place_of_what_was_held_at_first(progress):
    def one(*after: bytes) -> Caps:
        rules = {(trace(1, "tokens").rule, trace(1, "tokens").unit)} if progress else ()
        caps = Caps(lambda identity: None, frozenset(rules), some=False)
        caps.add(Request(ID, T0, limits=[trace(1, "tokens"), trace(2, "tokens")]).pack())
        caps.add(Open(ID, T0, held=[(*identity(1), 500), (*identity(2), 500)]).pack())
        for raw in after:
            caps.add(raw)
        return caps

    drawn = Held(ID, T0, held=[(*identity(1), 1524), (*identity(3), 7)]).pack()
    swept = Held(ID, T0, held=[(*identity(1), 1400)], settled=True).pack()
    lost = Close(ID, T0, fate=FATE_WORKER_LOST, tokens=Tokens(output=30), flags=0).pack()
    other = Held(RequestId(1, 0, 2), T0, held=[(*identity(1), 9)]).pack()
    assert one(drawn, other).held() == {packed(identity(1)): 1524, packed(identity(2)): 500}
    charged = {cap.identity: cap.used for cap in one(drawn, swept, lost).changed()}
    assert charged == {packed(identity(1)): 1400, packed(identity(2)): 30 if progress else 500}
    (one_cap, _) = one(drawn, Close(ID, T0, tokens=Tokens(output=30)).pack()).changed()
    assert one_cap.used == 30


def test_only_caps_that_were_taken_count():
    caps = Caps(lambda identity: None, some=False)
    caps.add(Request(ID, T0, limits=[
        pace(), trace(1, "tokens", verdict=2), trace(2, "tokens", enforced=0)]).pack())
    caps.add(Open(ID, T0, held=[(*pace().identity, 1), (*identity(1), 9), (*identity(2), 9)])
             .pack())

    assert [cap.identity for cap in caps.changed()] == [packed(identity(2))]
    assert caps.held() == {packed(identity(2)): 9}


def test_an_open_whose_request_was_seen_by_an_earlier_recorder_is_looked_up_once():
    asked = []

    def find(wanted: bytes):
        asked.append(wanted)
        return (5, 1, 1000, WINDOW_END) if wanted == packed(identity(1)) else None

    caps = Caps(find)
    for sequence in range(3):
        caps.add(Open(RequestId(1, 0, sequence), T0,
                      held=[(*pace().identity, 1), (*identity(1), 9)]).pack())

    assert asked == [packed(pace().identity), packed(identity(1))]
    assert caps.held() == {packed(identity(1)): 27}


def test_the_window_s_end_is_exact_although_the_clock_was_read_a_little_earlier():
    late_ns = 7 * 60 * 10**9  # a body that took seven minutes
    for wall_ns in (T0, T0 + 1, T0 + 59 * 60 * 10**9):
        caps = Caps(lambda identity: None, some=False)
        one = trace(1, "tokens")
        one.reset_ns = WINDOW_END - wall_ns - late_ns if wall_ns < T0 + HOUR // 2 else 10
        caps.add(Request(ID, wall_ns, limits=[one]).pack())
        assert caps.changed()[0].window_end_ns == WINDOW_END
    total = Caps(lambda identity: None, some=False)
    one.reset_ns = 0
    total.add(Request(ID, T0, limits=[one]).pack())
    assert total.changed()[0].window_end_ns == 0


@pytest.mark.parametrize("known_max", [0, 3])
def test_forgetting_what_is_known_loses_nothing(monkeypatch, known_max):
    monkeypatch.setattr(module, "KNOWN_MAX", known_max)
    draw = seeded("forgetful caps")
    worker, total, rows = Capped(draw.randrange(2**32)), Counter(), {}
    caps = Caps(rows.get, some=False)
    for _ in range(300):
        caps.add(b"".join(worker.step()))
        for cap in caps.changed():
            rows[cap.identity] = (cap.rule, cap.unit, cap.limit, cap.window_end_ns)
        drain(caps, total)

    assert {cap: total[packed(identity(cap))] for cap in range(5)} == dict(worker.settled)
