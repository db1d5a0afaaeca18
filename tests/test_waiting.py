"""Goal: a request that only a full concurrency limit refuses waits its turn, and holds nothing.

Method: one worker between transports of ours, so that every order of arrivals, ends, departures
and ticks is played out; two workers on one segment for what happens between them.
"""

import os
import time

import pytest

from fastgw.cluster.wallets import DRY, HELD, Wallets
from fastgw.ledger.records import Close, Request
from fastgw.limit.sweep import sweep
from fastgw.shm import counters
from tests.worker import Worker, chat, policy, request, response


def slots(limit=1, most=2, timeout="60s", key="key.id", name="slots"):
    return {"type": "concurrency-limit",
            "config": {"name": name, "limit": limit, "bucket_key": [key],
                       "queue": {"max": most, "timeout": timeout}}}


def limits(*actions):
    return policy({"name": "in turn", "actions": list(actions)})


def pace(capacity, **more):
    return {"type": "rate-limit", "config": {"name": "pace", "unit": "requests",
                                             "capacity": capacity, "per": "1h",
                                             "bucket_key": ["key.id"], **more}}


class Room:
    """A worker, its clients by name, and the order in which they reached the provider."""

    def __init__(self, one):
        self.one, self.clients, self.order, self._seen = one, {}, [], 0

    def ask(self, *names):
        for name in names:
            self.clients[name] = self.one.connect()
            self.clients[name].feed(request(chat(user=name)))
            self.look()

    def look(self):
        """Who is at the provider by now; connections to it are reused, so bodies tell."""
        for end in self.one.loop.opened:
            got = end.taken()
            self.order += [name for name in self.clients if f'"user":"{name}"'.encode() in got]
            if got:
                end.at = self.order[-1]

    def provider_of(self, name):
        return next(end for end in self.one.loop.opened if getattr(end, "at", "") == name)

    def end(self, name):
        """The provider answers this one's request."""
        self.provider_of(name).feed(response())
        self.look()
        return self.clients[name].answer()

    def quiet(self):
        return self.one.segment.live_holds(self.one.slot)[0], self.one.journey.waiting


@pytest.fixture
def room(worker):
    return lambda *actions: Room(worker(policy=limits(*actions)))


def test_requests_wait_in_order_and_go_on_as_slots_are_freed(room):
    here = room(slots(limit=2, most=5))

    here.ask("a", "b", "c", "d", "e")
    assert here.order == ["a", "b"] and here.one.journey.waiting == 3

    assert here.end("b").status == 200
    assert here.order == ["a", "b", "c"]
    assert here.end("a").status == here.end("c").status == 200
    assert here.order == ["a", "b", "c", "d", "e"]
    assert here.end("d").status == here.end("e").status == 200
    assert here.quiet() == (0, 0)


def test_a_full_queue_refuses_at_once_and_tells_position_and_time(room):
    here = room(slots(limit=1, most=2))
    here.ask("first")
    here.end("first")  # from which the worker learns how long a slot is held
    here.ask("a", "b", "c", "d")

    refused = here.clients["d"].answer()

    assert (refused.status, refused.code) == (429, "FGW-808")
    assert b"would be number 3" in refused.body and b"takes about 1 s" in refused.body
    (told,) = [one for one in here.one.records() if isinstance(one, Request) and one.verdict]
    assert told.limits[0].place == 3 and told.limits[0].wait_ns > 0
    assert b"in turn" in refused.body and int(refused.fields["retry-after-ms"]) > 0
    assert here.one.journey.waiting == 2


def test_who_waits_too_long_is_refused_and_the_rest_wait_on(room):
    here = room(slots(most=5, timeout="1ms"), slots(name="other", limit=9, most=5, key="ai.user"))
    here.ask("a", "b")
    while here.one.journey.waiting:  # the timeout is a millisecond of real time
        here.one.tick()

    refused = here.clients["b"].answer()

    assert (refused.status, refused.code) == (429, "FGW-809")
    assert b"number 1 of" in refused.body and b"no slot became free within" in refused.body
    assert here.order == ["a"] and here.end("a").status == 200
    assert here.quiet() == (0, 0)


def test_a_client_that_leaves_the_queue_leaves_no_trace(room):
    here = room(slots(most=2))
    here.ask("a", "b", "c")
    here.one.records()

    here.clients["b"].end()

    assert here.one.records() == []
    assert here.one.segment.live_holds(0) == (2, 1)  # what runs, and the place of c
    here.ask("d")  # into the place that b has left
    assert here.one.journey.waiting == 2
    here.end("a")
    assert here.order == ["a", "c"]
    here.end("c"), here.end("d")
    assert here.order == ["a", "c", "d"] and here.quiet() == (0, 0)


def test_a_slot_is_free_however_its_request_ends(room):
    here = room(slots(most=9))
    here.ask("a", "b", "c", "d")

    here.clients["a"].lose()
    here.look()
    assert here.order == ["a", "b"]
    here.provider_of("b").lose()
    here.look()

    assert here.clients["b"].answer().status == 502
    assert here.order == ["a", "b", "c"]
    assert here.end("c").status == here.end("d").status == 200 and here.quiet() == (0, 0)


def test_buckets_wait_apart(room):
    here = room(slots(most=5, key="ai.user"))
    here.ask("x")
    first = here.clients["x"]
    here.ask("x", "y")

    assert here.order == ["x", "y"] and here.one.journey.waiting == 1
    here.end("y")
    assert here.order == ["x", "y"]
    here.provider_of("x").feed(response())
    here.look()
    assert here.order == ["x", "y", "x"] and first.answer().status == 200


def test_whoever_arrives_does_not_overtake(room, monkeypatch):
    """A slot was freed, and before those who wait are served a new request comes in."""
    here = room(slots(most=5))
    here.ask("a", "b")
    with monkeypatch.context() as still:
        still.setattr(type(here.one.loop), "run", lambda self: None)
        here.provider_of("a").feed(response())
        here.clients["c"] = here.one.connect()
        here.clients["c"].feed(request(chat(user="c")))
        assert here.one.journey.waiting == 2
    here.one.loop.run()
    here.look()

    assert here.order == ["a", "b"] and here.one.journey.waiting == 1


def test_what_else_ran_out_while_waiting_refuses(room):
    here = room(slots(most=5), pace(2))
    here.ask("a", "b", "c")
    assert here.order == ["a"] and here.one.journey.waiting == 2

    here.end("a")
    here.end("b")

    refused = here.clients["c"].answer()
    assert (refused.status, refused.code) == (429, "FGW-801")
    assert here.order == ["a", "b"] and here.quiet() == (0, 0)


def test_who_is_refused_by_something_else_does_not_wait(room):
    here = room(slots(most=5), pace(1))
    here.ask("a", "b")

    assert here.clients["b"].answer().code in ("FGW-801", "FGW-804")
    assert here.one.journey.waiting == 0


def test_a_waiting_request_has_spent_nothing(room):
    here = room(slots(most=5), pace(2))
    here.ask("a", "b")
    here.clients["b"].end()
    here.end("a")
    here.ask("c")

    assert here.order == ["a", "c"] and here.end("c").status == 200


def test_a_shadow_lets_pass_and_nobody_waits_for_it(worker):
    action = slots(most=5)
    action["config"]["enforce"] = False
    here = Room(worker(policy=limits(action)))
    here.ask("a", "b")

    assert here.order == ["a", "b"] and here.one.journey.waiting == 0


def test_drain_refuses_who_waits(room):
    here = room(slots(most=5))
    here.ask("a", "b", "c")

    here.one.listener.stop_accepting()

    for name in "bc":
        refused = here.clients[name].answer()
        assert (refused.status, refused.code) == (503, "FGW-702"), refused
    assert here.one.journey.waiting == 0
    assert here.end("a").status == 200 and here.quiet() == (0, 0)


def test_a_request_that_waited_is_recorded_as_any_other(room):
    here = room(slots(most=5))
    here.ask("a", "b")
    here.end("a")
    here.one.records()
    here.end("b")

    (close,) = [one for one in here.one.records() if isinstance(one, Close)]
    assert close.fate == 1 and close.tokens.output == 19


def test_pipelined_requests_wait_one_by_one(room):
    here = room(slots(most=1))
    here.clients["both"] = here.one.connect()
    here.clients["both"].feed(request(chat(user="both")) + request(chat(user="both")))
    here.look()
    here.end("both")
    here.end("both")

    assert here.order == ["both", "both"] and here.quiet() == (0, 0)


def test_the_queue_has_a_name_for_people(room):
    here = room(slots(most=3))
    here.ask("a", "b")
    here.one.records()

    assert any('"slots queue"' in str(text) for text in here.one.names.values())


def test_no_queue_means_refused_at_once(worker):
    action = slots()
    del action["config"]["queue"]
    here = Room(worker(policy=limits(action)))
    here.ask("a", "b")

    assert here.clients["b"].answer().status == 429 and here.one.journey.waiting == 0


@pytest.fixture
def rooms(tmp_path_factory):
    """Two workers on one segment, and who wakes them."""
    fds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]

    def make(*actions):
        first = Worker(tmp_path_factory.mktemp("first"), wakers=fds, policy=limits(*actions))
        second = Worker(tmp_path_factory.mktemp("second"), wakers=fds, beside=first,
                        policy=limits(*actions))
        return Room(first), Room(second)

    yield make
    for fd in fds:
        os.close(fd)


def is_woken(room):
    """Whether another worker has called this one; then it comes."""
    try:
        os.eventfd_read(room.one.journey.waker)
    except BlockingIOError:
        return False
    os.eventfd_write(room.one.journey.waker, 1)
    room.one.journey.woken()
    room.one.loop.run()
    room.look()
    return True


def test_a_slot_freed_in_one_worker_wakes_the_other(rooms):
    here, there = rooms(slots(most=5))
    here.ask("a")
    there.ask("b")
    assert there.order == [] and not is_woken(there)

    here.end("a")

    assert is_woken(there) and there.order == ["b"]
    assert not is_woken(here) and there.end("b").status == 200
    assert there.quiet() == here.quiet() == (0, 0)


def test_the_worker_whose_request_waits_longest_is_woken(rooms):
    here, there = rooms(slots(most=5))
    here.ask("a")
    there.ask("b")
    here.ask("c")
    there.ask("d")

    here.end("a")
    assert here.order == ["a"] and is_woken(there) and there.order == ["b"]
    there.end("b")
    assert there.order == ["b"] and is_woken(here) and here.order == ["a", "c"]
    here.end("c")
    assert is_woken(there) and there.order == ["b", "d"]


def test_the_queue_is_as_long_as_it_says_over_all_workers(rooms):
    here, there = rooms(slots(most=3))
    here.ask("a", "b")
    there.ask("c", "d", "e")

    assert (here.one.journey.waiting, there.one.journey.waiting) == (1, 2)
    refused = there.clients["e"].answer()
    assert refused.code == "FGW-808" and b"would be number 4" in refused.body


def test_slots_that_a_dead_worker_held_go_to_who_waits(rooms):
    """The supervisor sweeps it and wakes all; its own waiting requests have died with it."""
    here, there = rooms(slots(limit=2, most=3))
    here.ask("a", "b", "lost")
    there.ask("c", "d")
    assert there.order == []

    sweep(there.one.segment, 0, 0, lambda lost: None)
    os.eventfd_write(there.one.journey.waker, 1)

    assert is_woken(there) and there.order == ["c", "d"]
    there.ask("e", "f", "g", "h")  # the place of the lost one is free
    assert there.one.journey.waiting == 3 and there.clients["h"].answer().code == "FGW-808"


def test_a_lost_wake_up_costs_a_tick(rooms):
    here, there = rooms(slots(most=5))
    here.ask("a")
    there.ask("b")
    here.end("a")
    os.eventfd_read(there.one.journey.waker)

    there.one.tick()
    there.look()

    assert there.order == ["b"]


def test_who_is_served_by_a_wake_up_passes_it_on(rooms):
    """Two slots are freed at once, and each worker has one that waits."""
    here, there = rooms(slots(limit=2, most=5))
    here.ask("a", "b")
    there.ask("c")
    here.ask("d")
    sweep_like = here.one.journey
    here.provider_of("a").feed(response())
    here.provider_of("b").feed(response())
    here.look()

    assert is_woken(there) and there.order == ["c"]
    assert is_woken(here) or here.order == ["a", "b", "d"]
    assert here.order == ["a", "b", "d"] and sweep_like.waiting == 0


def test_all_who_time_out_at_once_are_told_their_limit(room):
    """Those behind the first were never tried until then."""
    here = room(slots(limit=1, most=5, timeout="1ms"))
    here.ask("a", "b", "c", "d")
    time.sleep(0.002)  # all three have waited long enough
    here.one.tick()

    for name in "bcd":
        refused = here.clients[name].answer()
        assert (refused.status, refused.code) == (429, "FGW-809")
        assert b"Limit 'slots' for alice: 0 used, 1 held of 1 slots" in refused.body
        assert refused.fields["x-fastgw-rule"] == "in turn"
    assert here.end("a").status == 200 and here.quiet() == (0, 0)


def test_who_waits_leaves_holds_for_those_who_run(worker):
    """A queue longer than the worker has holds: the rest is refused, and the slot goes round."""
    one = worker(policy=limits(slots(limit=1, most=9999)), holds=64)
    ends = [one.connect() for _ in range(64)]
    for end in ends:
        end.feed(request(chat()))

    assert one.journey.waiting == 55 and ends[-1].answer().code == "FGW-704"
    for end in ends[:3]:
        one.upstream.feed(response())
        assert end.answer().status == 200
    for end in ends:
        end.lose()
    assert one.segment.live_holds(0)[0] == one.journey.waiting == 0


def test_who_waits_goes_on_waiting_while_there_is_no_hold(worker):
    one = worker(policy=limits(slots(limit=1, most=9, key="ai.user")), holds=64)
    ends = [one.connect() for _ in range(64)]
    for at, end in enumerate(ends):
        end.feed(request(chat(user="same" if at < 3 else f"{at}")))
    assert one.segment.live_holds(0)[0] == 64

    one.tick()  # the first of the two has been refused before, and is tried anew
    assert one.journey.waiting == 2

    ends[3].lose()
    one.loop.opened[0].feed(response())
    assert ends[0].answer().status == 200 and one.journey.waiting == 1


@pytest.fixture
def fleet_of(worker):
    """A worker whose limits are the fleet's, with a lessee that grants what the test says."""
    bell = os.eventfd(0, os.EFD_NONBLOCK)

    def make(*actions):
        one = worker(policy=limits(*actions), cluster={"redis": "redis://192.0.2.1"}, bell=bell)
        here, wallets = Room(one), Wallets(one.segment)
        wallets.say(state=HELD, nodes=1, until_ns=1 << 62)
        wallets.beat(1 << 61)

        def grant(number):
            wallets.demands()
            (entry,) = wallets.all()
            seen = wallets.read(entry)
            wallets.grant(entry, number, spec=seen.spec, window=seen.window)
            one.loop.pass_time()
            here.look()

        return here, grant

    yield make
    os.close(bell)


@pytest.fixture
def fleet(fleet_of):
    return fleet_of(slots(most=5), pace(9))


def test_what_fits_a_fleets_cap_is_waited_for(fleet_of):
    """The ceiling is more than the cap has, and no slice of it is here yet."""
    cap = {"type": "usage-cap", "config": {"name": "cap", "unit": "tokens", "limit": 9000,
                                           "window": "day"}}
    here, grant = fleet_of(cap)
    here.ask("a")
    assert here.clients["a"].taken() == b"" and here.order == []

    grant(9000)

    assert here.order == ["a"] and here.end("a").status == 200


def test_who_waits_for_a_slot_waits_for_a_slice_in_its_place(fleet):
    here, grant = fleet
    here.ask("a")
    assert here.order == [] and here.one.journey.waiting == 0  # there is no slice yet
    grant(1)
    here.ask("b", "c", "d")
    assert here.order == ["a"] and here.one.journey.waiting == 3

    here.end("a")  # b has a slot now, and needs a slice of the fleet's pace
    assert here.order == ["a"] and here.one.journey.waiting == 3
    grant(2)
    assert here.order == ["a", "b"]
    here.end("b")
    here.one.tick()  # c is tried again while it is parked: it goes on once
    here.look()
    grant(9)

    assert here.end("c").status == here.end("d").status == 200
    assert here.order == ["a", "b", "c", "d"] and here.quiet() == (0, 0)


def test_who_waits_for_a_slice_may_leave_or_be_drained(fleet):
    here, grant = fleet
    here.ask("a")
    grant(1)
    here.ask("b", "c")
    here.end("a")

    here.clients["b"].lose()
    here.ask("d")
    here.one.tick()
    grant(9)

    assert here.order == ["a", "c"] and here.one.journey.waiting == 1
    here.one.listener.stop_accepting()
    assert here.clients["d"].answer().code == "FGW-702"
    assert here.end("c").status == 200 and here.quiet() == (0, 0)


def test_what_a_waiting_request_could_do_instead_is_told_to_nobody_else(worker):
    """Each try of it looks for another model that has room; that is no word for others."""
    models = [{"id": name, "candidates": [{"provider": "openai", "model": name}]}
              for name in ("gpt-4o", "gpt-4o-mini")]
    one = worker(policy=limits(slots(key="ai.model")), models=models)
    here = Room(one)
    here.ask("a", "b")
    one.tick()
    assert one.journey.waiting == 1

    stranger = one.connect()
    stranger.feed(request(chat(), key="fgw-nobody"))
    refused = stranger.answer()

    assert refused.status == 401 and b"gpt-4o-mini" not in refused.body
    before = counters.total(one.segment).counters["limits_refused"]
    one.tick()
    assert counters.total(one.segment).counters["limits_refused"] == before


def test_what_a_parked_request_could_do_instead_is_decided_by_its_own_facts(worker):
    """While it waits for a slice others are decided on; those have no limit here."""
    bell = os.eventfd(0, os.EFD_NONBLOCK)
    models = [{"id": name, "candidates": [{"provider": "openai", "model": name}]}
              for name in ("gpt-4o", "gpt-4o-mini")]
    rule = {"name": "a's", "expressions": ["ai.user == 'a' && ai.model != ''"],
            "actions": [pace(9)]}
    one = worker(policy=policy(rule), models=models, cluster={"redis": "redis://192.0.2.1"},
                 bell=bell)
    here, wallets = Room(one), Wallets(one.segment)
    wallets.say(state=HELD, nodes=1, until_ns=1 << 62)
    wallets.beat(1 << 61)
    here.ask("a", "b")
    assert here.order == ["b"]

    (entry,) = wallets.all()
    wallets.grant(entry, 0, spec=wallets.read(entry).spec, flags=DRY)
    one.loop.pass_time()

    refused = here.clients["a"].answer()
    assert refused.code == "FGW-801" and b'"model":null' in refused.body
    os.close(bell)
