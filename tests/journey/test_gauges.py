"""Gauges of a worker that is killed with -9 under streams, and of aborted streams, in /metrics.

Method: a whole gateway; its /metrics are polled until they say so (10 s at most).
"""

import os
import signal

import pytest

from tests.journey.harness import KEY, Gateway, configuration, wait_until
from tests.journey.peers import gauge

BODY = b'{"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'
SLOW = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\n"
        f"x-mock: events=3000,pace=10ms\r\ncontent-length: {len(BODY)}\r\n\r\n").encode() + BODY
OPEN = ("streams_open_now", "requests_running_now", "upstream_open_now", "connections_open_now")


@pytest.fixture
def gateway(mock):
    instance = Gateway(configuration(mock.port))
    yield instance
    instance.remove()


def stream(gateway: Gateway):
    sock = gateway.connect()
    sock.sendall(SLOW)
    assert b"200 OK" in sock.recv(4000)
    return sock


def test_open_streams_go_with_their_clients(gateway):
    socks = [stream(gateway) for _ in range(5)]
    for name in OPEN:
        wait_until(lambda name=name: gauge(gateway, name) == 5)
    wait_until(lambda: gauge(gateway, "bytes_buffered_now") >= 5 * len(BODY))
    assert gauge(gateway, "connect_seconds_count") == 5
    assert gauge(gateway, "connections_total") == 5
    wait_until(lambda: gauge(gateway, "loop_seconds_count") > 0)
    for sock in socks[:3]:
        sock.close()
    for name in OPEN:
        wait_until(lambda name=name: gauge(gateway, name) == 2)
    for sock in socks:
        sock.close()
    for name in OPEN:
        wait_until(lambda name=name: gauge(gateway, name) == 0)
    wait_until(lambda: gauge(gateway, "bytes_buffered_now") == 0)
    assert gauge(gateway, "bytes_from_client_total") == 5 * len(SLOW)
    assert gauge(gateway, "bytes_from_upstream_total") > 5 * 100


def test_nothing_of_a_killed_worker_stays_open(gateway):
    socks = [stream(gateway) for _ in range(4)]
    for name in OPEN:
        wait_until(lambda name=name: gauge(gateway, name) == 4)
    [worker] = gateway.pids("worker")
    os.kill(worker, signal.SIGKILL)
    for name in OPEN:
        wait_until(lambda name=name: gauge(gateway, name) == 0)
    again = wait_until(lambda: _again(gateway))
    for name in OPEN:
        wait_until(lambda name=name: gauge(gateway, name) == 1)
    for sock in (*socks, again):
        sock.close()
    for name in OPEN:
        wait_until(lambda name=name: gauge(gateway, name) == 0)


def _again(gateway: Gateway):
    """On the worker that came instead."""
    try:
        return stream(gateway)
    except (OSError, AssertionError):
        return None
