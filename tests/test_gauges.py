"""Goal: every number of /metrics about traffic is fed where the fact is known, and no gauge stays
behind what it counts.

Method: a worker in this process: each number before and after the one event that it is about, and
gauges back at 0 by every way out: delivered, aborted, cut, failed, drained, connection closed.
"""

from typing import Any

import pytest

from fastgw.shm import counters
from tests.worker import (
    DONE,
    Worker,
    chat,
    chunked,
    delta,
    policy,
    request,
    response,
    stream_head,
    usage_event,
)


@pytest.fixture
def start(tmp_path):
    def begin(**config: Any) -> Worker:
        return Worker(tmp_path, **config)

    return begin


def count(worker: Worker, name: str) -> int:
    return counters.of_worker(worker.segment, worker.slot).counters[name]


def gauge(worker: Worker, name: str) -> int:
    return counters.of_worker(worker.segment, worker.slot).gauges[name]


def times(worker: Worker, name: str) -> int:
    return sum(counters.of_worker(worker.segment, worker.slot).times[name].counts)


def begin_stream(worker: Worker):
    client = worker.connect()
    client.feed(request(chat(stream=True)))
    worker.upstream.feed(stream_head() + chunked(delta("a")))
    assert gauge(worker, "streams_open") == 1
    return client


def test_an_open_stream_is_one_until_its_end(start):
    worker = start()
    begin_stream(worker)
    worker.upstream.feed(chunked(usage_event(), DONE, b""))

    assert gauge(worker, "streams_open") == gauge(worker, "requests_running") == 0


def test_a_stream_whose_client_goes_is_open_no_more(start):
    worker = start()
    begin_stream(worker).lose()

    assert gauge(worker, "streams_open") == gauge(worker, "connections_open") == 0
    assert count(worker, "client_aborts") == 1


def test_a_stream_that_is_drained_is_no_open_one(start):
    drain = {"actions": [{"type": "on-abort", "config": {"then": "drain"}}]}
    worker = start(policy=policy(drain))
    begin_stream(worker).lose()
    assert gauge(worker, "streams_open") == 0 and gauge(worker, "drains_running") == 1
    worker.upstream.feed(chunked(usage_event(), DONE, b""))

    assert gauge(worker, "streams_open") == gauge(worker, "drains_running") == 0


def test_a_stream_that_its_provider_cuts_is_closed_and_counted(start):
    worker = start()
    begin_stream(worker)
    worker.upstream.lose()

    assert gauge(worker, "streams_open") == gauge(worker, "upstream_open") == 0
    assert count(worker, "upstream_aborts") == 1


def test_a_plain_answer_is_no_stream(start):
    worker = start()
    client = worker.connect()
    client.feed(request(chat()))
    worker.upstream.feed(response()[:60])

    assert gauge(worker, "streams_open") == 0


def test_connections_to_providers_are_open_then_idle_then_gone(start):
    worker = start()
    client = worker.connect()
    client.feed(request(chat()))
    assert (gauge(worker, "upstream_open"), gauge(worker, "upstream_idle")) == (1, 0)
    worker.upstream.feed(response())
    assert (gauge(worker, "upstream_open"), gauge(worker, "upstream_idle")) == (1, 1)
    client.feed(request(chat()))
    assert (gauge(worker, "upstream_open"), gauge(worker, "upstream_idle")) == (1, 0)
    worker.upstream.feed(response())
    worker.upstream.end()  # FIN first, then the connection: it is one end
    worker.upstream.lose()

    assert (gauge(worker, "upstream_open"), gauge(worker, "upstream_idle")) == (0, 0)


def test_garbage_on_an_idle_connection_takes_it_out_of_both_gauges(start):
    worker = start()
    worker.ask(request(chat()), response())
    worker.upstream.feed(b"HTTP/1.1 200 OK\r\n\r\n")

    assert (gauge(worker, "upstream_open"), gauge(worker, "upstream_idle")) == (0, 0)


def test_connecting_is_timed_and_its_failures_are_counted(start):
    worker = start()
    worker.ask(request(chat()), response())
    assert (times(worker, "connect"), count(worker, "upstream_connects")) == (1, 1)
    worker.upstream.lose()
    worker.loop.fault = [ConnectionRefusedError(), ConnectionRefusedError(),
                         ConnectionRefusedError()]
    worker.connect().feed(request(chat()))

    connects = count(worker, "upstream_connects")
    assert connects == 1 + count(worker, "upstream_connect_failures") > 1
    assert times(worker, "connect") == 1, "what never stood has no time"
    assert gauge(worker, "upstream_open") == 0


def test_bytes_are_counted_both_ways_as_they_come(start):
    worker = start()
    asked, answer = request(chat()), response()
    worker.ask(asked, answer)
    assert count(worker, "bytes_from_client") == len(asked)
    assert count(worker, "bytes_from_upstream") == len(answer)
    worker.connect().feed(b"GET / nothing\r\n\r\n")

    assert count(worker, "bytes_from_client") == len(asked) + 17


def test_connections_of_clients_are_counted_and_the_ones_too_many(start):
    worker = start()
    worker.listener.connections_max = 1
    first = worker.connect()
    second = worker.connect()
    second.feed(request(chat()))

    assert (count(worker, "connections"), count(worker, "connections_refused")) == (2, 1)
    first.lose()
    second.lose()
    assert gauge(worker, "connections_open") == 0


def test_what_is_kept_in_memory_for_requests_under_way_is_shown(start):
    worker = start()
    client = worker.connect()
    body = chat(user="u" * 5000)
    client.feed(request(body))
    worker.tick()
    assert 5000 < gauge(worker, "bytes_buffered") < 20_000
    worker.upstream.feed(response())
    worker.tick()

    assert gauge(worker, "bytes_buffered") == 0


def test_a_new_bucket_is_an_insert(start):
    pace = {"type": "rate-limit", "config": {
        "name": "pace", "unit": "requests", "capacity": 9, "per": "1m",
        "bucket_key": ["key.id"]}}
    worker = start(policy=policy({"actions": [pace]}))
    for _ in range(3):
        worker.ask(request(chat()), response())

    assert count(worker, "table_inserts") == 1 and count(worker, "limits_taken") == 3


def test_a_loop_that_turns_late_is_seen(start):
    worker = start()
    worker.journey.turned()
    worker.journey.skip(150_000_000)
    worker.journey.turned()
    late = counters.of_worker(worker.segment, 0).times["loop"]

    assert sum(late.counts) == 1 and 50_000 <= late.sum_us < 10_000_000
