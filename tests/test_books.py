"""Goal: whatever becomes of requests, each limit has counted each of them once, as the ledger has.

Method: random sequences of arrivals, failed connections, refusals, breaks, streams, aborts and
ticks on one worker, with a queue, failover to a dearer candidate and a cap of each unit. While
they run no cap holds more than its limit unless a provider has billed beyond its own; when all is
quiet nothing is held, and each cap's word is the sum of what the records say. Seeds are printed.
"""

from collections import Counter

import orjson
import pytest

from fastgw.ledger.caps import Caps
from fastgw.ledger.records import Close, split, unpack_record
from fastgw.limit import peek
from tests.csrc.ledger_native import seeded
from tests.worker import (
    DONE,
    chat,
    chunked,
    delta,
    event,
    policy,
    provider,
    request,
    response,
    stream_head,
)

UNITS = ("requests", "input_tokens", "output_tokens", "tokens", "cost")
NUMBERED = ("requests", "tokens", "input_tokens", "output_tokens", "cost")
ROOM = {"requests": 60, "input_tokens": 300_000, "output_tokens": 2_500, "tokens": 300_000,
        "cost": 2}
MODELS = [{"id": "m", "candidates": [{"provider": "one", "model": "gpt-4o-mini"}],
           "fallback": [{"provider": "two", "model": "gpt-4o"},
                        {"provider": "three", "model": "unpriced"}]}]


def limits(draw):
    actions = [{"type": "usage-cap", "config": {
        "name": f"cap {unit}", "unit": unit, "limit": ROOM[unit], "window": "day",
        "unbounded": draw.choice(["allow", "deny"]), "bucket_key": ["key.id"]}}
        for unit in draw.sample(UNITS, draw.randrange(1, 5))]
    actions += [
        {"type": "concurrency-limit", "config": {
            "name": "slots", "limit": draw.randrange(1, 6), "bucket_key": ["key.id"],
            "queue": {"max": 4, "timeout": draw.choice(["1ms", "60s"])}}},
        {"type": "rate-limit", "config": {
            "name": "pace", "unit": "tokens", "capacity": 10**6, "per": "1h"}},
    ]
    return policy({"actions": actions})


class Play:
    """One run of it: clients, what the providers do, and the books."""

    def __init__(self, one, draw):
        self.one, self.draw = one, draw
        self.clients, self.busy, self.overrun = [], {}, False
        self.caps, self.total = Caps(lambda identity: None, some=False), Counter()

    def read(self):
        """Every record into the sums."""
        for ring in self.one._readers:
            if ring.look():
                raw, end = ring.read(ring.tail)
                ring.release(end)
                self.caps.add(raw)
                for one in split(raw):
                    record = unpack_record(one)
                    if isinstance(record, Close):
                        self.overrun |= record.overrun_tokens > 0
        for cap in self.caps.changed():
            self.total[cap.words()] += cap.used
        self.caps.kept()

    def arrive(self):
        if self.draw.random() < 0.3:
            self.one.loop.fault = [OSError()] * self.draw.randrange(4)
        client = self.one.connect()
        more = {"max_tokens": self.draw.choice([1, 50, 400])} if self.draw.random() < 0.8 else {}
        more |= {"stream": True} if self.draw.random() < 0.5 else {}
        client.feed(request(chat(model="m", n=self.draw.choice([1, 1, 2]), **more)))
        self.clients.append(client)

    def answer(self):
        """One connection to a provider goes on, or not."""
        ends = [end for end in self.one.loop.opened if not end.transport.closed]
        asked = [end for end in ends if getattr(end, "asked", None) or end.transport.sent]
        if not asked:
            return
        end = self.draw.choice(asked)
        got = end.taken()
        if got:
            end.asked = orjson.loads(got.partition(b"\r\n\r\n")[2])
            end.begun = False
        if not end.asked:
            return
        limit = end.asked.get("max_tokens") or end.asked.get("max_completion_tokens") or 90
        many = limit * end.asked.get("n", 1)
        used = self.draw.choice([1, many, many, many + 7]) if self.draw.random() < 0.9 else 5000
        usage = {"prompt_tokens": 20, "completion_tokens": used, "total_tokens": 20 + used}
        if end.asked.get("stream"):
            self.stream(end, usage)
        else:
            self.whole(end, usage)

    def whole(self, end, usage):
        what, end.asked = self.draw.randrange(8), None
        if what == 0:
            end.lose()
        elif what == 1:
            end.feed(response(b"{}", status=self.draw.choice([400, 429, 500, 503])))
        elif what == 2:
            end.feed(response(b'{"choices":[]}'))  # says nothing of what it used
        elif what == 3:
            end.feed(b"no HTTP at all\r\n\r\n")
        else:
            end.feed(response(orjson.dumps({"choices": [], "usage": usage})))

    def stream(self, end, usage):
        what = self.draw.randrange(10)
        if what == 0:
            end.asked = None
            return end.lose()
        if not end.begun:
            end.begun = True
            return end.feed(stream_head())
        if what < 7:
            words = [delta("word ") for _ in range(self.draw.randrange(1, 60))]
            return end.feed(chunked(b"".join(words)))
        end.asked = None
        last = event({"choices": [], "usage": usage}) if what < 9 else b""
        return end.feed(chunked(last + DONE, b""))

    def leave(self):
        if self.clients:
            self.clients.pop(self.draw.randrange(len(self.clients))).lose()

    def words(self):
        return {entry.identity: entry.raw for entry in peek.entries(self.one.segment)
                if entry.kind == "cap"}


def rooms(one):
    return {spec["unit"]: spec["capacity"] for spec in one.plan.limit_specs
            if spec["algorithm"] == "cap"}


@pytest.mark.parametrize("round", range(6))
def test_every_end_of_a_request_is_booked_once(worker, round):
    draw = seeded(f"books {round}")
    one = worker(providers=[provider("one"), provider("two"), provider("three")], models=MODELS,
                 policy=limits(draw))
    play = Play(one, draw)
    most = rooms(one)
    for _ in range(300):
        draw.choice([play.arrive, play.answer, play.answer, play.answer, play.leave, one.tick])()
        play.read()
        for entry in peek.entries(one.segment):
            if entry.kind == "cap" and not play.overrun:
                unit = NUMBERED[entry.unit]
                assert entry.raw <= most[unit], unit
    one.journey.drain()
    for client in play.clients:
        client.lose()
    one.loop.run()
    play.read()

    assert one.segment.live_holds(0) == (0, 0) and one.journey.waiting == 0
    assert play.words() == {key: used for key, used in play.total.items()} | {
        key: 0 for key in play.words() if key not in play.total}
    assert not any(entry.raw for entry in peek.entries(one.segment) if entry.kind == "slots")
