"""Goal: what a socket takes leaves at once, the rest in order behind it, and no one is overrun.

Method: a worker's client on a real socket pair with a small buffer; the far end reads when told.
"""

import socket

import pytest

from fastgw.ledger.records import FATE_CUT_BY_CLIENT, FATE_DELIVERED, Close
from tests.worker import Transport, chat, request, response, unchunked

BODY = bytes(range(256)) * 8192  # 2 MiB


class Direct(Transport):
    """As uvloop's for plain TCP: it has a descriptor, and a queue whose edges it tells."""

    def __init__(self, soon):
        super().__init__(soon)
        self.own, self.peer = socket.socketpair()
        for end in (self.own, self.peer):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
            end.setblocking(False)
        self.high = None

    def get_extra_info(self, name):
        return {"socket": self.own, "peername": ("192.0.2.7", 50000)}.get(name)

    def set_write_buffer_limits(self, high):
        self.high = high

    def write(self, rest):
        super().write(rest)
        if len(self.sent) == len(rest):
            self.link.pause_writing()

    def read(self):
        """All that the far end can read, and the queue moved up behind it."""
        got = bytearray()
        while True:
            try:
                got += self.peer.recv(1 << 20)
            except BlockingIOError:
                if not self.sent:
                    return bytes(got)
                del self.sent[:self.own.send(self.sent)]
                if not self.sent:
                    self.link.resume_writing()


@pytest.fixture
def connected(worker):
    """(worker, client) after a request; the answer is still to come."""
    one = worker()
    client = one.connect(Direct)
    client.feed(request(chat()))
    yield one, client
    client.transport.own.close()
    client.transport.peer.close()


def test_what_the_socket_takes_leaves_without_the_transport(connected):
    one, client = connected
    one.upstream.feed(response())

    assert client.transport.high == 0 and not client.transport.sent
    assert client.transport.read().endswith(response().partition(b"\r\n\r\n")[2])
    assert one.one(Close).fate == FATE_DELIVERED


def in_pieces(body, size):
    """Chunks that must be framed anew: each is a piece of its own in a send."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [body[at:at + size] for at in range(0, len(body), size)] + [b""]
    return head + b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


@pytest.mark.parametrize("answer", [response(BODY), in_pieces(BODY, 999), in_pieces(BODY, 9999)],
                         ids=["length", "small chunks", "chunks"])
def test_a_slow_client_gets_every_byte_in_order_and_stops_the_provider(connected, answer):
    one, client = connected
    upstream, got, pauses = one.upstream, b"", 0
    for at in range(0, len(answer), 65_536):
        upstream.feed(answer[at:at + 65_536])
        assert len(client.transport.sent) <= 65_536 + 1024  # what may wait for one client
        assert upstream.transport.reading == (not client.transport.sent)
        if not upstream.transport.reading:
            pauses += 1
            got += client.transport.read()
            assert upstream.transport.reading or at + 65_536 >= len(answer)

    head, _, body = (got + client.transport.read()).partition(b"\r\n\r\n")
    assert pauses > 10 and (unchunked(body) if b"chunked" in head else body) == BODY
    assert one.one(Close).fate == FATE_DELIVERED


def test_a_client_that_is_gone_is_known_from_the_first_send(connected):
    one, client = connected
    client.transport.peer.close()
    one.upstream.feed(response())
    one.loop.run()

    assert client.transport.closed and one.journey.active == 0
    assert one.one(Close).fate == FATE_CUT_BY_CLIENT
