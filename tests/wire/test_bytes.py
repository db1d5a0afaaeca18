"""Request heads, byte by byte of the alphabet: what may stand where, and nothing else.

Method: every byte value is tried in every kind of place, against sets written here from RFC 9110
and RFC 3986; a NUL is put at every offset of a real head.
"""

import string

import pytest

from fastgw.wire.head import Head
from tests.wire.series import SDK, read_whole

TOKEN = set((string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode())
UNRESERVED = set((string.ascii_letters + string.digits + "-._~").encode())
SUB_DELIMS = set(b"!$&'()*+,;=")
PLACES = {
    "method": (b"G%cT / HTTP/1.1\r\nHost: a\r\n\r\n", TOKEN, {"unknown method"}),
    "target": (
        b"GET /a%cb HTTP/1.1\r\nHost: a\r\n\r\n",
        UNRESERVED | SUB_DELIMS | set(b"/?:@[]"),
        set(),
    ),
    "name": (
        b"GET / HTTP/1.1\r\nHost: a\r\nabcdefghijklmnop%cq: a\r\n\r\n",
        TOKEN | {ord(":")},
        set(),
    ),
    "short name": (b"GET / HTTP/1.1\r\nHost: a\r\n%c: a\r\n\r\n", TOKEN, set()),
    "value": (
        b"GET / HTTP/1.1\r\nHost: a\r\nA: %c\r\n\r\n",
        set(range(32, 256)) - {127} | {9},
        set(),
    ),
    "long value": (
        b"GET / HTTP/1.1\r\nHost: a\r\nA: 0123456789abcdefg%chijklmnopqrstuvwxyz\r\n\r\n",
        set(range(32, 256)) - {127} | {9},
        set(),
    ),
    "host": (b"GET / HTTP/1.1\r\nHost: a%cb\r\n\r\n", UNRESERVED | SUB_DELIMS, set()),
}


@pytest.mark.parametrize("place", PLACES)
def test_takes_exactly_the_bytes_of_the_grammar(place):
    template, allowed, policy = PLACES[place]
    taken = set()
    for byte in range(256):
        raw = template.replace(b"%c", bytes([byte]))
        head = Head()
        if head.request(raw) == len(raw) or head.error in policy:
            taken.add(byte)

    assert taken == allowed


def test_refuses_a_nul_at_every_offset():
    body = b"0123456789"
    raw = SDK.replace(b"84", b"10") + body
    for at in range(len(raw) - len(body)):
        broken = raw[:at] + b"\0" + raw[at:]
        assert read_whole(broken).verdict in ("reject", "policy"), at
