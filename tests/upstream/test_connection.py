"""Goal: an answer is read the same however it is cut, and ends only where its framing ends it.

Method: answers handed to a worker cut at every place; broken ones, each with its own code.
"""

import socket
import ssl

import pytest

from fastgw.ledger.records import FATE_DELIVERED, FATE_FAILED_IN_STREAM, Close
from tests.worker import chat, chunked, provider, request, response, stream_head

BODY = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           + chunked(BODY[:7], BODY[7:], b""))
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + BODY


@pytest.mark.parametrize("answer", [response(BODY), CHUNKED], ids=["length", "chunked"])
def test_an_answer_is_the_same_at_any_cut(worker, answer):
    one = worker()
    client = one.connect()
    for cut in range(1, len(answer)):
        client.feed(request(chat()))
        one.upstream.feed(answer[:cut], answer[cut:])
        got = client.answer()

        assert (got.status, got.body) == (200, BODY), cut
    assert len(one.loop.opened) == 1  # and the connection was clean after each
    assert {close.fate for close in one.records() if isinstance(close, Close)} == {FATE_DELIVERED}


def test_an_answer_without_framing_ends_with_the_connection(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(UNTIL_CLOSE)
    assert one.records()[-1].__class__ is not Close
    one.upstream.end()

    assert client.answer().body == BODY
    assert one.one(Close).fate == FATE_DELIVERED
    client.feed(request(chat()))
    assert len(one.loop.opened) == 2


@pytest.mark.parametrize("answer, code", [
    (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "FGW-908"),
    (b"SMTP ready\r\n\r\n", "FGW-908"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "FGW-908"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", "FGW-909"), (b"", "FGW-909")])
def test_what_is_no_answer_becomes_a_502(worker, answer, code):
    one = worker(providers=[provider("openai", retries={"max": 0})])
    client = one.connect()
    client.feed(request(chat()))
    if answer:
        one.upstream.feed(answer)
    if code == "FGW-909":
        one.upstream.end()

    got = client.answer()
    assert (got.status, got.code) == (502, code)
    assert one.upstream.transport.closed


def test_interim_answers_are_the_gateways_own_business(worker):
    one = worker()
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    _, answer = one.ask(request(chat()), b"HTTP/1.1 100 Continue\r\n\r\n" + hints + response(BODY))

    assert answer.status == 200 and answer.body == BODY and "link" not in answer.fields


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\n\r\n", response(b"")])
def test_an_answer_without_a_body_is_over_with_its_head(worker, answer):
    one = worker()
    client = one.connect()
    for _ in range(2):
        client.feed(request(path="/v1/models/x", method="GET"))
        one.upstream.feed(answer)
        assert client.taken().startswith(answer[:12])
    assert len(one.loop.opened) == 1


@pytest.mark.parametrize("more", [b"x", response(BODY)])
@pytest.mark.parametrize("answer", [response(BODY), CHUNKED], ids=["length", "chunked"])
def test_bytes_behind_an_answer_end_the_connection(worker, answer, more):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(answer + more)

    assert client.answer().body == BODY and one.upstream.transport.closed
    client.feed(request(chat()))
    assert len(one.loop.opened) == 2 and client.taken() == b""


def test_bytes_that_nobody_asked_for_never_reach_the_next(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response(BODY))
    client.taken()
    one.upstream.feed(response(b"poison"))

    assert one.upstream.transport.closed and client.taken() == b""
    client.feed(request(chat()))
    one.upstream.feed(response(BODY))
    assert client.answer().body == BODY


@pytest.mark.parametrize("answer", [
    response(BODY)[:-1], CHUNKED[:-1], CHUNKED[:-4], CHUNKED[:-9] + b"zz\r\n"])
def test_a_cut_answer_is_never_ended_cleanly(worker, answer):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(answer)
    one.upstream.end() if not one.upstream.transport.closed else None

    sent = client.taken()
    assert client.transport.closed and not sent.endswith(b"0\r\n\r\n")
    assert len(sent.partition(b"\r\n\r\n")[2]) < len(BODY) or b"chunked" in sent
    assert one.one(Close).fate == FATE_FAILED_IN_STREAM


@pytest.mark.parametrize("fault, code", [
    (ConnectionRefusedError, "FGW-901"), (OSError, "FGW-901"),
    (ssl.SSLCertVerificationError, "FGW-902"), (socket.gaierror, "FGW-903")])
def test_a_provider_that_cannot_be_reached_has_its_code(worker, fault, code):
    one = worker(providers=[provider("openai", retries={"max": 0})])
    one.loop.fault = [fault("as seen here")]
    _, answer = one.ask(request(chat()))

    assert (answer.status, answer.code) == (502, code)


def test_a_head_larger_than_64_kib_is_no_answer(worker):
    one = worker(providers=[provider("openai", retries={"max": 0})])
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(stream_head(*[f"x-{n}: {'v' * 4000}" for n in range(20)]))

    assert client.answer().code == "FGW-908"


@pytest.mark.parametrize("lost", range(4))
def test_of_idle_connections_the_youngest_is_used_and_a_lost_one_never(worker, lost):
    one = worker()
    clients = [one.connect() for _ in range(4)]
    for client in clients:
        client.feed(request(chat()))
    pool = list(one.loop.opened)
    for end in pool:  # idle in this order
        end.feed(response(BODY))
        end.taken()
    pool.pop(lost).lose()
    for client in clients:
        client.feed(request(chat()))

    assert [bool(end.taken()) for end in pool] == [True] * 3
    assert len(one.loop.opened) == 5  # the fourth is a new one
    one.loop.opened[4].feed(response(BODY))
    for end in reversed(pool):
        end.feed(response(BODY))
    assert all(client.answer().status == 200 for client in clients)
    clients[0].feed(request(chat()))
    assert [bool(end.taken()) for end in pool] == [True, False, False]
