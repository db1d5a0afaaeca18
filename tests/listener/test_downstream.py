"""Goal: bytes of a client become requests the same however they are cut, and one after another.

Method: a worker is fed requests cut at every byte, pipelined, too large, unfinished and broken.
"""

import pytest

from fastgw.ledger.records import FATE_CUT_BY_CLIENT, FATE_DELIVERED, Close
from tests.worker import chat, chunked, request, response

CHUNKED = (request(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
           + chunked(chat()[:9], chat()[9:], b""))


@pytest.mark.parametrize("whole", [request(chat()), CHUNKED], ids=["length", "chunked"])
def test_a_request_is_the_same_at_any_cut(worker, whole):
    one = worker()
    client, seen = one.connect(), set()
    for cut in range(1, len(whole)):
        client.feed(whole[:cut], whole[cut:])
        seen.add(one.upstream.taken().partition(b"\r\n\r\n")[2])
        one.upstream.feed(response())
        assert client.answer().status == 200, cut
    assert seen == {chat()}


def test_byte_by_byte(worker):
    one = worker()
    client = one.connect()
    client.feed(*(bytes([byte]) for byte in CHUNKED))

    assert one.upstream.taken().endswith(chat())


def test_pipelined_requests_are_answered_in_order(worker):
    one = worker()
    client = one.connect()
    client.feed(b"".join(request(chat(user=f"u-{n}")) for n in range(3)))
    for n in range(3):
        assert f'"u-{n}"'.encode() in one.upstream.taken()
        assert client.taken() == b""
        one.upstream.feed(response())
        assert client.answer().status == 200
    assert len(one.loop.opened) == 1


def test_more_than_may_wait_behind_a_request_ends_the_connection(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    for _ in range(3):
        client.feed(b"x" * 30_000)
    one.upstream.feed(response())

    assert client.answer().status == 200 and client.transport.closed or client.transport.ended


def test_a_client_that_waits_to_be_asked_is_told_to_go_on(worker):
    one = worker()
    client = one.connect()
    head, _, body = request(chat(), "Expect: 100-continue").partition(b"\r\n\r\n")
    client.feed(head + b"\r\n\r\n")
    assert client.taken() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.feed(body)
    one.upstream.feed(response())
    assert client.answer().status == 200


@pytest.mark.parametrize("raw, status, code", [
    (b"HELO there\r\n\r\n", 400, "FGW-101"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "FGW-106"),
    (b"GET / HTTP/1.1\r\n\r\n", 400, "FGW-108"),
    (request(chat(), "Transfer-Encoding: chunked"), 400, "FGW-109"),
    (request(chat(), "Content-Length: 3"), 400, "FGW-109"),
    (request(b"", *[f"x-{n}: {'v' * 990}" for n in range(70)]), 431, "FGW-104"),
    (request(b"", path="/" + "a" * 9000), 414, "FGW-103")])
def test_a_head_that_cannot_be_trusted_ends_the_connection(worker, raw, status, code):
    one = worker()
    client = one.connect()
    client.feed(raw)

    answer = client.answer()
    assert (answer.status, answer.code, answer.fields["connection"]) == (status, code, "close")
    assert client.transport.ended and not one.loop.opened
    client.feed(request(chat()))
    assert client.taken() == b""


def test_a_body_too_large_is_refused_at_its_head_and_drained_a_while(worker):
    one = worker(limits={"body": 4096})
    client = one.connect()
    client.feed(request(b"x" * 5000)[:-4990])

    answer = client.answer()
    assert (answer.status, answer.code, answer.fields["connection"]) == (413, "FGW-402", "close")
    assert client.transport.ended and not client.transport.closed
    for _ in range(17):
        client.feed(b"x" * 65_536)
    assert client.transport.aborted


def test_a_chunked_body_is_measured_as_it_comes(worker):
    one = worker(limits={"body": 4096})
    client = one.connect()
    head = CHUNKED.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    client.feed(head + chunked(b"x" * 4000), chunked(b"x" * 96))
    assert client.taken() == b""
    client.feed(chunked(b"x"))
    assert client.answer().code == "FGW-402"


def test_a_refusal_before_the_body_keeps_a_connection_that_can_be_kept(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat(), key="wrong") + request(chat()))
    got = client.taken()
    assert got.startswith(b"HTTP/1.1 401 ") and got.count(b"HTTP/1.1 ") == 1

    one.upstream.feed(response())
    assert client.answer().status == 200


@pytest.mark.parametrize("answered", [False, True])
def test_a_client_that_leaves_ends_its_request_at_once(worker, answered):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    if answered:
        one.upstream.feed(response()[:-3])
    client.lose(ConnectionResetError())

    assert one.upstream.transport.aborted and one.journey.active == 0
    assert one.one(Close).fate == FATE_CUT_BY_CLIENT


def test_a_client_that_takes_nothing_stops_the_provider(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response()[:-9])
    assert one.upstream.transport.reading
    client.link.pause_writing()
    assert not one.upstream.transport.reading
    client.link.resume_writing()
    assert one.upstream.transport.reading
    one.upstream.feed(response()[-9:])
    assert client.answer().status == 200


def test_delivered_is_what_the_clients_socket_took(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    client.link.pause_writing()
    one.upstream.feed(response())
    assert not any(isinstance(record, Close) for record in one.records())
    client.link.resume_writing()
    assert one.one(Close).fate == FATE_DELIVERED
