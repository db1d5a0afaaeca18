"""Goal: over several workers and a killed one never more than N run, and nobody waits in vain.

Method: whole gateways with two workers in front of an upstream that notes when each request began
and ended, which is the only view that counts.
"""

import os
import signal
import threading
import time
from statistics import median

import pytest

from tests.journey.harness import Gateway, chat, configuration, post, wait_until
from tests.journey.peers import Upstream, answer, ask, gauge, hear

BODY = answer(b'{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,'
              b'"total_tokens":5}}')


class Watched:
    """An upstream that knows what runs; ``hold`` set: requests stay until it is cleared."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.hold = seconds, threading.Event()
        self.lock = threading.Lock()
        self.running: set[int] = set()
        self.most, self.events = 0, []
        self.upstream = Upstream(self._script)

    def _script(self, call) -> bool:
        with self.lock:
            self.running.add(call.number)
            self.most = max(self.most, len(self.running))
            self.events.append((time.monotonic(), +1))
        time.sleep(self.seconds)
        while self.hold.is_set() and call.number in self.running:
            time.sleep(0.005)
        with self.lock:
            self.running.discard(call.number)
            self.events.append((time.monotonic(), -1))
        call.sock.sendall(BODY)
        return True

    def forget(self, worker: str) -> list[int]:
        """The requests of a worker that is dead run no more."""
        with self.lock:
            lost = [number for number in self.running if worker_of(self.upstream.calls[number])
                    == worker]
            self.running.difference_update(lost)
        return lost


def worker_of(call) -> str:
    return call.field("x-fastgw-request-id").split("-")[1]


def gateway_with(port: int, limit: int, queue: dict) -> Gateway:
    action = {"type": "concurrency-limit",
              "config": {"name": "slots", "limit": limit, "bucket_key": ["key.id"],
                         "queue": queue}}
    policy = {"on_http_request": [{"name": "in turn", "actions": [action]}]}
    config = configuration(port, policy=policy)
    for provider in config["providers"]:
        provider["retries"] = {"max": 0}
    return Gateway(config, workers=2)


@pytest.fixture
def made():
    """What a test makes and this fixture removes."""
    things: list = []
    yield things
    for thing in things:
        thing.remove() if isinstance(thing, Gateway) else thing.upstream.close()


def ask_many(gateway: Gateway, count: int) -> list:
    heard: list = [None] * count

    def one(at: int) -> None:
        try:
            with gateway.connect(30) as sock:
                sock.sendall(post("/v1/chat/completions", chat()))
                heard[at] = hear(sock, "POST", 30)
        except OSError as error:
            heard[at] = error

    threads = [threading.Thread(target=one, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    heard.append(threads)
    return heard


def joined(heard: list) -> list:
    for thread in heard.pop():
        thread.join(40)
    return heard


def idle_gaps(events: list, limit: int, total: int) -> list[float]:
    """How long each freed slot stayed empty while requests still waited for one."""
    running, begun, gaps, free_since = 0, 0, [], []
    for at, change in sorted(events):
        running += change
        if change > 0:
            begun += 1
            if free_since:
                gaps.append(at - free_since.pop(0))
        elif begun < total - limit:
            free_since.append(at)
    return gaps


@pytest.mark.alone
def test_no_more_than_the_limit_run_at_once_and_all_are_served(made):
    watched = Watched(0.03)
    made.append(watched)
    gateway = gateway_with(watched.upstream.port, 3, {"max": 100, "timeout": "30s"})
    made.append(gateway)

    heard = joined(ask_many(gateway, 60))

    assert [one.status for one in heard] == [200] * 60
    assert watched.most == 3
    assert {worker_of(call) for call in watched.upstream.calls} == {"00", "01"}
    gaps = idle_gaps(watched.events, 3, 60)
    print(f"a freed slot stayed empty {1000 * median(gaps):.1f} ms (median), {max(gaps):.3f} s")
    assert median(gaps) < 0.05  # by wake-ups, not by ticks of 100 ms


def test_slots_of_a_killed_worker_are_given_to_who_waits(made):
    watched = Watched(0.0)
    made.append(watched)
    watched.hold.set()
    gateway = gateway_with(watched.upstream.port, 2, {"max": 100, "timeout": "30s"})
    made.append(gateway)
    heard = ask_many(gateway, 24)
    wait_until(lambda: len(watched.running) == 2)
    victim = worker_of(watched.upstream.calls[0])
    time.sleep(0.3)
    assert len(watched.upstream.calls) == 2  # the rest waits

    (pid,) = gateway.pids(f"fastgw-worker{int(victim)}")
    os.kill(pid, signal.SIGKILL)
    lost = watched.forget(victim)

    wait_until(lambda: len(watched.running) == 2)  # swept within a second
    assert lost and watched.most == 2
    watched.hold.clear()
    heard = joined(heard)
    served = [one for one in heard if getattr(one, "status", 0) == 200]
    assert served and len(served) == len(watched.upstream.calls) - len(lost)
    assert watched.most == 2
    # Nothing of the dead one is left in the way: both slots and the whole queue are free.
    watched.hold.set()
    again = ask_many(gateway, 5)
    wait_until(lambda: len(watched.running) == 2)
    watched.hold.clear()
    assert [one.status for one in joined(again)] == [200] * 5 and watched.most == 2


def test_waiting_ends_with_the_gateway(made):
    watched = Watched(0.0)
    made.append(watched)
    watched.hold.set()
    gateway = gateway_with(watched.upstream.port, 1, {"max": 2, "timeout": "30s"})
    made.append(gateway)
    heard = ask_many(gateway, 3)
    wait_until(lambda: len(watched.running) == 1 and gauge(gateway, "requests_waiting_now") == 2)
    full = ask(gateway)
    assert (full.status, full.fields["x-fastgw-code"]) == (429, "FGW-808")
    assert b"would be number 3" in full.body

    gateway.process.send_signal(signal.SIGTERM)
    wait_until(lambda: sum(one is not None for one in heard[:3]) == 2)
    watched.hold.clear()

    heard = joined(heard)
    assert sorted(one.status for one in heard) == [200, 503, 503]
    assert {one.fields.get("x-fastgw-code") for one in heard if one.status == 503} == {"FGW-702"}
    assert gateway.stop() == 0
