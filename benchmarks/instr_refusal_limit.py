"""A request that two limits refuse, both told: the flood that a gateway is there for.

A known key's refusals are recorded in full up to 1,000 a second: fewer are made in all.
"""

from benchmarks.box import Box
from benchmarks.peers import ACCESS_KEY
from benchmarks.texts import CHAT_PLAIN, RESPONSE, sdk_request

N = 19


def setup():
    global box, request
    box = Box("refusing.yaml")
    request = sdk_request(CHAT_PLAIN, ACCESS_KEY)
    box.client.feed(request)
    box.upstream.feed(RESPONSE)
    assert box.client.sent().startswith(b"HTTP/1.1 200 ")
    box.client.feed(request)
    refused = box.client.sent()
    assert refused.startswith(b"HTTP/1.1 429 ")
    assert b"Limit 'requests'" in refused and b"Limit 'tokens'" in refused


def run(n):
    for _ in range(n):
        box.client.feed(request)
        assert box.client.sent()
        box.record()
