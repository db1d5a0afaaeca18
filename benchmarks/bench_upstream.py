"""Upstream: a request chosen a provider, written anew, sent, and its answer brought back.

What only Cython can call is measured from outside: the whole request, in a box without network.
"""

import pytest

from benchmarks.box import Box
from benchmarks.peers import ACCESS_KEY
from benchmarks.texts import CHAT, CHAT_PLAIN, CHUNK, RESPONSE, STREAM_HEAD, sdk_request


@pytest.fixture
def box():
    return Box()


def test_a_whole_request(benchmark, box):
    request = sdk_request(CHAT_PLAIN, ACCESS_KEY)
    box.client.feed(request)
    upstream = box.upstream
    upstream.sent()
    upstream.feed(RESPONSE)
    box.client.sent()

    def one():
        box.client.feed(request)
        upstream.sent()
        upstream.feed(RESPONSE)
        box.record()
        return box.client.sent()

    assert benchmark(one).startswith(b"HTTP/1.1 200 OK\r\n")


def test_one_event_of_a_stream(benchmark, box):
    box.client.feed(sdk_request(CHAT, ACCESS_KEY))
    upstream = box.upstream
    upstream.sent()
    upstream.feed(STREAM_HEAD)
    box.client.sent()

    def one():
        upstream.feed(CHUNK)
        return box.client.sent()

    assert benchmark(one) == CHUNK
