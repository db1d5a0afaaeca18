"""A whole request through the journey: key, policy, two buckets, upstream, metering, records.

As the OpenAI SDK sends it (17 fields, 263 bytes of JSON), answered with 635 bytes; on connections
that are there already. What the bench itself does (feeding, reading) is the same every time.
"""

from benchmarks.box import Box
from benchmarks.peers import ACCESS_KEY
from benchmarks.texts import CHAT_PLAIN, RESPONSE, sdk_request


def setup():
    global box, request, upstream
    box = Box()
    request = sdk_request(CHAT_PLAIN, ACCESS_KEY)
    box.client.feed(request)
    upstream = box.upstream
    assert upstream.sent().startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    upstream.feed(RESPONSE)
    assert box.client.sent().startswith(b"HTTP/1.1 200 OK\r\n")


def run(n):
    for _ in range(n):
        box.client.feed(request)
        assert upstream.sent()
        upstream.feed(RESPONSE)
        assert box.client.sent()
        box.record()
