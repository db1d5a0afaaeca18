"""One SSE event of a stream through the gateway: decoded, metered, counted, sent on."""

from benchmarks.box import Box
from benchmarks.peers import ACCESS_KEY
from benchmarks.texts import CHAT, CHUNK, EVENT, STREAM_HEAD, sdk_request


def setup():
    global client, upstream
    box = Box()
    client = box.client
    client.feed(sdk_request(CHAT, ACCESS_KEY))
    upstream = box.upstream
    assert upstream.sent()
    upstream.feed(STREAM_HEAD + CHUNK)
    assert EVENT in client.sent()


def run(n):
    for _ in range(n):
        upstream.feed(CHUNK)
        assert client.sent()
