"""Goal: the mock reads HTTP/1.1 as it comes, and takes nothing that two parsers could read
differently: what a gateway forwards wrongly must fail here.

Method: raw sockets, whole and byte by byte; the reject cases of ../shared/vectors/requests.jsonl
whose fault is in the framing (mock/head). Host syntax is not the mock's business: it routes
nothing by it.
"""

import base64
import json
import socket
import time
from pathlib import Path

import pytest

from fastgw.mock.runner import Mock
from tests.mock.raw import KEY, answer, connect, request, to_end, until

VECTORS = Path(__file__).parents[2] / ".." / "shared" / "vectors" / "requests.jsonl"
FRAMING = ("chunk-framing", "te-coding", "te+cl", "bad-cl", "duplicate-cl", "bare-cr-lf-nul",
           "obs-fold", "field-name", "version", "request-line")
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer {KEY}\r\n"
BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}'


def chunked(*parts: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    body = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    return HEAD.encode() + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n" + body \
        + b"0\r\n" + trailers + b"\r\n"


def test_pipelined_requests_are_answered_in_order(mock: Mock) -> None:
    sent = b"".join(request("delay=5ms" if at % 2 else "", model=f"m{at}") for at in range(6))
    got = answer(mock, sent + request("close=1", model="last"))
    models = [part.split(b'"')[0] for part in got.split(b'"model":"')[1:]]
    assert models == [b"m0", b"m1", b"m2", b"m3", b"m4", b"m5", b"last"]
    assert mock.settled(7)


def test_request_may_come_byte_by_byte(mock: Mock) -> None:
    with connect(mock) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for sent in (request(), chunked(BODY[:20], BODY[20:])):
            for byte in sent:
                client.send(bytes([byte]))
            assert b'"completion_tokens":10,' in until(client, b"}}}")


@pytest.mark.parametrize("sent", [
    chunked(BODY), chunked(BODY[:1], BODY[1:40], BODY[40:]), chunked(BODY, extension=b";a=b"),
    chunked(BODY, trailers=b"x-sum: 1\r\nx-more: 2\r\n"),
])
def test_chunked_body_is_read(mock: Mock, sent: bytes) -> None:
    for cut in (len(sent), len(sent) // 2, len(sent) - 3):
        with connect(mock) as client:
            client.sendall(sent[:cut])
            time.sleep(0.005)
            client.sendall(sent[cut:])
            assert b'"prompt_tokens":6,' in to_end(client)


def test_large_body_is_read_in_many_pieces(mock: Mock) -> None:
    text = "x" * 3_000_000
    got = answer(mock, request("close=1", messages=[{"role": "user", "content": text}]))
    assert b'"prompt_tokens":750003,' in got


def test_continue_is_said_only_when_the_body_is_awaited(mock: Mock) -> None:
    head, _, body = request("close=1", fields="expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with connect(mock) as client:
        client.sendall(head + b"\r\n\r\n")
        assert until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert to_end(client).startswith(b"HTTP/1.1 200 OK")
    assert answer(mock, head + b"\r\n\r\n" + body).startswith(b"HTTP/1.1 200 OK")


def test_old_client_gets_a_stream_that_ends_with_the_connection(mock: Mock) -> None:
    got = answer(mock, request(stream=True).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert b"transfer-encoding" not in got and got.endswith(b"data: [DONE]\n\n")


def test_answer_to_head_has_no_body(mock: Mock) -> None:
    got = answer(mock, HEAD.replace("POST", "HEAD").encode() + b"connection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 405 ") and got.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(("sent", "status"), [
    (b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 200),
    (b"DELETE /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 405),
    (HEAD.encode() + b"connection: close\r\ncontent-length: 3\r\n\r\n{x}", 400),
    (HEAD.encode() + b"connection: close\r\ncontent-length: 2\r\n\r\n[]", 400),
    (HEAD.replace("/completions", "/other").encode() + b"connection: close\r\n\r\n", 404),
    (HEAD.replace("POST", "PUT").encode() + b"connection: close\r\n\r\n", 405),
    (b"GET /a HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 70_000, 431),
    (HEAD.encode() + b"content-length: 100000000\r\n\r\n", 413),
    (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
])
def test_what_it_does_not_serve_is_refused(mock: Mock, sent: bytes, status: int) -> None:
    assert answer(mock, sent).startswith(b"HTTP/1.1 %d " % status)
    assert mock.books()["calls"] == 0


def _taken(mock: Mock, sent: bytes) -> int:
    """Requests that were taken for whole and good."""
    with connect(mock) as client:
        client.settimeout(5)
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            got = to_end(client)
        except OSError:
            return 0
    refused = got.count(b"this is no HTTP") + got.count(b"a chunk is malformed")
    return got.count(b"content-type: ") - refused


def test_ambiguous_framing_is_not_taken(mock: Mock) -> None:
    if not VECTORS.exists():
        pytest.skip(f"{VECTORS} is not here; cases of our own run in the test below")
    good = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    assert _taken(mock, good * 2) == 2
    tried = 0
    for line in VECTORS.read_text().splitlines():
        case = json.loads(line)
        if (case["expectation"] != "reject" or case["category"] not in FRAMING
                or case.get("needs_more") or case.get("contested")):
            continue
        tried += 1
        taken = _taken(mock, base64.b64decode(case["raw_base64"]))
        assert taken <= (case["max_messages"] or 0), case["id"]
    assert tried > 200


@pytest.mark.parametrize("fields", [
    "content-length: 5\r\ntransfer-encoding: chunked\r\n", "content-length: 5, 5\r\n",
    "content-length: 5\r\ncontent-length: 5\r\n", "content-length: +5\r\n",
    "transfer-encoding: gzip, chunked\r\n", "transfer-encoding : chunked\r\n",
    "x: a\r\n b\r\n", "x: a\nb\r\n", "x: a\0b\r\n", "x\r\n", ": a\r\n", "host: b\r\n",
])
def test_ambiguous_head_is_refused(mock: Mock, fields: str) -> None:
    sent = HEAD.encode() + fields.encode() + b"\r\n5\r\nhello\r\n0\r\n\r\n"
    assert answer(mock, sent).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("chunk", [
    b"5 \r\nhello\r\n", b"0x5\r\nhello\r\n", b"+5\r\nhello\r\n", b"5\nhello\r\n", b"\r\nhello\r\n",
    b"5\r\nhelloX\r\n", b"fffffffffffff\r\n", b"5;a\rb\r\nhello\r\n",
])
def test_malformed_chunk_is_refused(mock: Mock, chunk: bytes) -> None:
    sent = HEAD.encode() + b"transfer-encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
    assert answer(mock, sent).startswith(b"HTTP/1.1 400 ")
