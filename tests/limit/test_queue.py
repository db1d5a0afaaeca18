"""limit/queue: what the queue counts and shows, beside the journey that goes through it.

Method: whole workers (tests/test_waiting.py plays the orders of events); here the words that
workers show each other, and what a Queue refuses to be made of.
"""

import os

import pytest
from fastgw.limit.queue import queues

from fastgw.shm import counters
from tests.worker import Worker, chat, policy, request, response

WAIT = {"type": "concurrency-limit",
        "config": {"name": "slots", "limit": 1, "bucket_key": ["ai.user"],
                   "queue": {"max": 9, "timeout": "60s"}}}


def test_only_enforced_limits_with_places_have_a_queue():
    assert not queues([])
    assert not queues([{"queue_max": 0}])
    assert not queues([{"queue_max": 5, "enforced": False}])
    assert queues([{"queue_max": 0}, {"queue_max": 5, "enforced": True}])


def test_a_worker_shows_since_when_and_for_what_it_waits(worker):
    one = worker(policy=policy({"actions": [WAIT]}))
    assert one.segment.queue(0) == (0, 0)
    ends = []
    for name in ("a", "a", "b", "b", "b"):
        ends.append(one.connect())
        ends[-1].feed(request(chat(user=name)))

    since, keys = one.segment.queue(0)
    assert since > 0 and keys.bit_count() in (1, 2)  # two buckets may share a bit
    ends[1].end()
    later, keys = one.segment.queue(0)
    assert later > since and keys.bit_count() == 1
    for end in ends[3:]:
        end.end()
    assert one.segment.queue(0) == (0, 0)


def test_who_waits_is_counted_for_people(worker):
    one = worker(policy=policy({"actions": [WAIT]}))
    ends = [one.connect() for _ in range(3)]
    for end in ends:
        end.feed(request(chat(user="a")))
    one.tick()
    assert counters.total(one.segment).gauges["requests_waiting"] == 2

    ends[1].end()
    one.tick()
    assert counters.total(one.segment).gauges["requests_waiting"] == 1


def test_claiming_a_slot_takes_the_old_queue_away(worker):
    one = worker(policy=policy({"actions": [WAIT]}))
    for _ in range(2):
        one.connect().feed(request(chat(user="a")))
    assert one.segment.queue(0)[0]

    one.segment.claim(0, 1, 1, 2)

    assert one.segment.queue(0) == (0, 0)


def test_a_waker_for_each_worker_or_none(tmp_path_factory):
    fds = [os.eventfd(0), os.eventfd(0), os.eventfd(0)]
    first = Worker(tmp_path_factory.mktemp("first"), policy=policy({"actions": [WAIT]}),
                   wakers=fds[:2])
    assert first.journey.waker == fds[0]
    with pytest.raises(ValueError, match="a waker for each"):
        Worker(tmp_path_factory.mktemp("more"), policy=policy({"actions": [WAIT]}), wakers=fds,
               beside=first)
    for fd in fds:
        os.close(fd)


def test_many_wait_in_order_whatever_they_wait_for(worker):
    """More buckets than one pass remembers as full."""
    one = worker(policy=policy({"actions": [WAIT]}))
    names = [f"user{number:02d}" for number in range(40)]
    for name in names * 2:
        one.connect().feed(request(chat(user=name)))
    assert one.journey.waiting == 40

    for end in list(one.loop.opened):
        end.taken()
        end.feed(response())
        got = end.taken()
        assert b"POST" in got
    assert one.journey.waiting == 0
