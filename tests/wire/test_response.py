"""Response heads: the status line, how the body ends, and what is refused (the client then gets a
502).

Method: one rule a case, read whole and byte by byte; then h11 (as a client) and llhttp read the
same bytes: whatever we take they must take, and frame alike.
"""

import pytest

from fastgw.wire.head import Head
from tests.wire.oracles import unexplained_response
from tests.wire.series import needs_vectors, read_bytewise, read_cut, read_whole, vectors
from tools.fuzz_http1 import fault_of_response, fuzz

SEED = 20260901
RESPONSES = vectors("responses.jsonl")
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 5\r\n"


def parsed(raw, method="POST"):
    head = Head()
    assert head.response(raw, method) == len(raw), head.error
    return head


def response(status=b"200 OK", fields=b"", minor=1):
    return b"HTTP/1.%d " % minor + status + b"\r\n" + fields + b"\r\n"


@pytest.mark.parametrize(
    ("status", "fields", "method", "framing", "kept"),
    [
        (b"200 OK", LENGTH, "POST", "length", True),
        (b"200 OK", b"Content-Length: 0\r\n", "POST", "none", True),
        (b"200 OK", CHUNKED, "POST", "chunked", True),
        (b"200 OK", CHUNKED + b"Connection: close\r\n", "POST", "chunked", False),
        (b"200 OK", b"", "POST", "close", False),
        (b"200 OK", LENGTH, "HEAD", "none", True),
        (b"200 OK", CHUNKED, "HEAD", "none", True),
        (b"200 OK", b"", "HEAD", "none", True),
        (b"204 No Content", b"", "POST", "none", True),
        (b"204 No Content", LENGTH, "POST", "none", False),
        (b"204 No Content", CHUNKED, "POST", "none", False),
        (b"304 Not Modified", LENGTH, "POST", "none", True),
        (b"100 Continue", b"", "POST", "none", True),
        (b"529 Overloaded", LENGTH, "POST", "length", True),
    ],
)
def test_knows_how_the_body_ends(status, fields, method, framing, kept):
    head = parsed(response(status, fields), method)

    assert (head.framing, head.keep_alive) == (framing, kept)
    assert head.status == int(status[:3])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"HTTP/1.1 200 OK", b"OK"),
        (b"HTTP/1.1 200 ", b""),
        (b"HTTP/1.0 200", b""),
        (b"HTTP/1.1 200  a\tb ", b" a\tb "),
        (b"HTTP/1.1 500 Ori\xc3\xab", b"Ori\xc3\xab"),
    ],
)
def test_reads_the_reason_as_it_is(line, reason):
    assert parsed(line + b"\r\n\r\n").reason == reason


@pytest.mark.parametrize(
    ("status", "interim"), [(100, True), (101, False), (102, True), (103, True), (200, False)]
)
def test_an_interim_response_is_one_before_the_final_one(status, interim):
    assert parsed(response(b"%d x" % status)).interim is interim


def test_reads_the_final_response_behind_interim_ones():
    raw = (
        response(b"100 Continue")
        + response(b"103 Early Hints", b"Link: x\r\n")
        + response(fields=LENGTH)
        + b"hello"
    )
    for series in (read_whole(raw, "POST"), read_bytewise(raw, "POST")):
        assert [message.line[1] for message in series.messages] == [100, 103, 200]
        assert series.messages[-1].body == b"hello"


def test_an_http_1_0_response_is_kept_only_if_it_says_so():
    assert not parsed(response(fields=LENGTH, minor=0)).keep_alive
    assert parsed(response(fields=LENGTH + b"Connection: keep-alive\r\n", minor=0)).keep_alive


REFUSED = {
    "malformed HTTP version": [b"ICY 200 OK\r\n", b"HTTP/11 200\r\n", b"HTTP/1\r\n"],
    "HTTP version not supported": [
        b"HTTP/0.9 200 OK\r\n",
        b"HTTP/2.0 200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
    ],
    "malformed status": [
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 099 OK\r\n",
        b"HTTP/1.1 600 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1 2\r\n",
        b"HTTP/1.1 \r\n",
        b"HTTP/1.1 200\tOK\r\n",
        b"HTTP/1.1 200 O\x00K\r\n",
        b"HTTP/1.1\r\n",
        b"HTTP/1.1\t200 OK\r\n",
    ],
    "line does not end in CRLF": [
        b"HTTP/1.1 200 OK\n",
        b"HTTP/1.1 200 OK\r\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\n",
    ],
    "more than one Content-Length": [response(fields=LENGTH * 2)],
    "more than one Transfer-Encoding": [response(fields=CHUNKED * 2)],
    "both Transfer-Encoding and Content-Length": [
        response(fields=CHUNKED + LENGTH),
        response(fields=LENGTH + CHUNKED),
    ],
    "Transfer-Encoding in HTTP/1.0": [response(fields=CHUNKED, minor=0)],
    "malformed Transfer-Encoding": [response(fields=b"Transfer-Encoding: gzip\r\n")],
    "transfer coding not supported": [response(fields=b"Transfer-Encoding: gzip, chunked\r\n")],
    "malformed Content-Length": [response(fields=b"Content-Length: 5, 5\r\n")],
    "folded field line": [response(fields=b"A: b\r\n c\r\n")],
    "malformed field name": [response(fields=b"A b: c\r\n")],
    "control character in field value": [response(fields=b"A: b\x00c\r\n")],
    "head too large": [response(fields=b"A: " + b"b" * 40_000 + b"\r\n")],
    "too many fields": [response(fields=b"A: b\r\n" * 101)],
}


@pytest.mark.parametrize("error", REFUSED)
def test_refuses_when_a_rule_is_broken(error):
    for raw in REFUSED[error]:
        for series in (read_whole(raw, "POST"), read_bytewise(raw, "POST")):
            assert (series.verdict, series.error, series.messages) == ("reject", error, []), raw[
                :100
            ]


def test_takes_from_an_upstream_what_only_a_request_must_not_have():
    raw = response(
        fields=LENGTH
        + b"Host: a\r\nHost: /\r\nExpect: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
    )

    assert parsed(raw).framing == "length"


def test_says_the_same_wherever_a_response_is_cut():
    raw = b"\r\n" + response(b"103 x") + response(fields=CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n"
    whole = read_whole(raw, "POST").said()

    assert whole[1] == "closed"
    for cut in range(len(raw)):
        assert read_cut(raw, [cut], "POST").said() == whole


@needs_vectors(RESPONSES)
@pytest.mark.parametrize("row", RESPONSES, ids=lambda row: row["id"])
def test_oracles_read_the_final_response_as_we_do(row):
    method = row["request_method"]

    assert unexplained_response(row["raw"], read_whole(row["raw"], method), method) is None


def test_notices_when_an_oracle_reads_another_response():
    raw = response(fields=LENGTH) + b"hello"
    other = read_whole(raw.replace(b"hello", b"olleh"), "POST")

    assert "reads" in unexplained_response(raw, other, "POST")


def test_finds_no_fault_in_mutated_responses():
    tried, faults = fuzz(fault_of_response, seconds=300, seed=SEED, inputs=10_000)

    assert faults == []
    assert tried == 10_000
