"""A request that a rule denies: key, body and policy are looked at, then 403 as its API says it.

A known key's refusals are recorded in full up to 1,000 a second: fewer are made in all.
"""

from benchmarks.box import Box
from benchmarks.peers import ACCESS_KEY
from benchmarks.texts import CHAT_PLAIN, sdk_request

N = 19


def setup():
    global box, request
    box = Box("refusing.yaml")
    request = sdk_request(CHAT_PLAIN.replace(b"gpt-4o", b"gpt-4o-denied"), ACCESS_KEY)
    box.client.feed(request)
    assert box.client.sent().startswith(b"HTTP/1.1 403 ")


def run(n):
    for _ in range(n):
        box.client.feed(request)
        assert box.client.sent()
        box.record()
