"""A request refused with 401 before its body is looked at: a flood of these must stay cheap.

Without a known key 100 refusals a second are recorded in full, so no more are made in all (5 times
N, and one): else it would depend on the machine's speed how many are only counted.
"""

from benchmarks.box import Box
from benchmarks.texts import CHAT_PLAIN, sdk_request

N = 19


def setup():
    global box, request
    box = Box()
    request = sdk_request(CHAT_PLAIN, "sk-of-nobody")
    box.client.feed(request)
    assert box.client.sent().startswith(b"HTTP/1.1 401 ")
    assert not box.client.transport.closed


def run(n):
    for _ in range(n):
        box.client.feed(request)
        assert box.client.sent()
        box.record()
