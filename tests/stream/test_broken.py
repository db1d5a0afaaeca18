"""Goal: a provider whose answer is not what it says is metered as what it is; what it does not
tell is an estimate with an interval, and never a 0 of the provider's.

Method: one worker; answers to a request that costs tokens, broken in each way in turn; the record
that closes the attempt, and the bytes that the client gets: those of the provider.
"""

import gzip

import orjson
import pytest

from fastgw.ledger.records import PROVENANCE_ESTIMATED, PROVENANCE_PROVIDER, Close
from tests.worker import DONE, USAGE, chat, chunked, delta, request, stream_head, usage_event

JSON = orjson.dumps({"choices": [{"message": {"content": "hi"}}], "usage": USAGE})
STREAM = delta("hi") + usage_event() + DONE
HTML = b"<html><body>502 Bad Gateway</body></html>"
TYPES = ["application/json", "text/event-stream", "text/plain", "application/octet-stream",
         "text/html", "application/x-ndjson", "text/event-stream; charset=utf-8", ""]  # fmt: skip


def answered(body: bytes, kind: str, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", *([f"Content-Type: {kind}"] if kind else []), *fields,
             f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def asked(worker, answer, **more):
    one = worker()
    _, got = one.ask(request(chat(**more)), *([answer] if isinstance(answer, bytes) else answer))
    return got, one.one(Close)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_is_metered_as_what_it_is(worker, kind, stream):
    for body in (JSON, STREAM, b"\n\n" + JSON):
        got, close = asked(worker, answered(body, kind), stream=stream)
        assert close.provenance == PROVENANCE_PROVIDER, (body, kind)
        assert (close.tokens.input, close.tokens.output) == (31, 19)
        assert JSON in got.body or delta("hi") in got.body


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("body", [
    HTML, b"", b"{}", b"null", b"[]", b"{", JSON[:-9], b'{"usage":null}', b'{"usage":{}}',
    b'{"usage":[]}', b'{"usage":{"prompt_tokens":"31"}}', b"\x00\x01\x02", b'{"error":"no"}',
    delta("hi"), delta("hi") + b"data: [DONE]\n\n", b"error: {}\n\n", b": ping\n\n"])  # fmt: skip
def test_what_tells_nothing_is_an_estimate(worker, kind, body):
    for stream in (True, False):
        got, close = asked(worker, answered(body, kind), stream=stream)
        assert got.body == body and close.provenance == PROVENANCE_ESTIMATED
        assert close.input_low <= close.tokens.input <= close.input_high > 0
        assert close.output_low <= close.tokens.output <= close.output_high > 0


@pytest.mark.parametrize("answer", [
    [b"HTTP/1.1 100 Continue\r\n\r\n" + answered(JSON, "application/json")],
    [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", answered(JSON, "application/json")],
    [stream_head("Trailer: x-usage") + chunked(STREAM) + b"0\r\nX-Usage: 5\r\n\r\n"],
    [stream_head() + chunked(*(STREAM[at : at + 1] for at in range(len(STREAM))), b"")],
    [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
     b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(JSON))
     + gzip.compress(JSON)],
    [answered(gzip.compress(JSON[:40]) + gzip.compress(JSON[40:]), "application/json",
              "Content-Encoding: gzip")]])  # fmt: skip
def test_odd_ways_to_send_it_are_read(worker, answer):
    _, close = asked(worker, answer)
    assert (close.tokens.input, close.tokens.output) == (31, 19)
    assert close.provenance == PROVENANCE_PROVIDER


@pytest.mark.parametrize("status", [201, 202, 203, 206])
def test_any_success_costs(worker, status):
    _, close = asked(worker, answered(JSON, "application/json").replace(b"200", b"%d" % status, 1))
    assert close.provenance == PROVENANCE_PROVIDER
