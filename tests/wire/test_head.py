"""Request heads: what is taken, what is refused and as what, and what is said of it.

Method: one rule a case, each read whole and byte by byte.
"""

import pytest

from fastgw.wire.head import Head
from tests.wire.series import SDK, read_bytewise, read_cut, read_whole

OK = b"GET / HTTP/1.1\r\nHost: a\r\n"


def parsed(raw, **limits):
    head = Head(**limits)
    assert head.request(raw) == len(raw), head.error
    return head


def get(fields=b"", start=b"GET / HTTP/1.1\r\n", host=b"Host: a\r\n"):
    return start + host + fields + b"\r\n"


def test_says_what_a_head_says():
    head = parsed(SDK)

    assert (head.method, head.path, head.query, head.minor) == (
        "POST",
        b"/v1/chat/completions",
        None,
        1,
    )
    assert head.authority == b"127.0.0.1:8080"
    assert (head.framing, head.content_length, head.keep_alive) == ("length", 84, True)
    assert len(head.fields()) == 17
    assert head.find(b"AUTHORIZATION").startswith(b"Bearer sk-fastgw-")
    assert head.find(b"x-stainless-lang") == b"python"
    assert head.find(b"x-api-key") is None


REFUSED = {
    "malformed method": [
        b" GET / HTTP/1.1\r\n",
        b"G(T / HTTP/1.1\r\n",
        b"GET\t/ HTTP/1.1\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01",
        b"\nGET / HTTP/1.1\r\n",
        b"GET\r\n",
        b"\r\n GET / HTTP/1.1\r\n",
    ],
    "unknown method": [b"get / HTTP/1.1\r\n", b"PURGE / HTTP/1.1\r\n", b"POSTS / HTTP/1.1\r\n"],
    "method not allowed": [b"CONNECT a:1 HTTP/1.1\r\n", b"TRACE / HTTP/1.1\r\n"],
    "malformed request target": [
        b"GET  / HTTP/1.1\r\n",
        b"GET a HTTP/1.1\r\n",
        b"GET * HTTP/1.1\r\n",
        b"GET /% HTTP/1.1\r\n",
        b"GET /%0 HTTP/1.1\r\n",
        b"GET /%0g HTTP/1.1\r\n",
        b"GET /#x HTTP/1.1\r\n",
        b"GET ftp://a/ HTTP/1.1\r\n",
        b"GET http:/a HTTP/1.1\r\n",
        b"GET /\\ HTTP/1.1\r\n",
    ],
    "malformed authority in request target": [
        b"GET http://u@a/ HTTP/1.1\r\n",
        b"GET http:///x HTTP/1.1\r\n",
        b"GET http://a:b/ HTTP/1.1\r\n",
        b"GET https://[::1/ HTTP/1.1\r\n",
        b"GET http://?x HTTP/1.1\r\n",
    ],
    "malformed HTTP version": [
        b"GET /\r\n",
        b"GET / HTTP/1\r\n",
        b"GET / HTTP/1.10\r\n",
        b"GET / http/1.1\r\n",
        b"GET / HTTP/1.1 \r\n",
        b"GET / FTP/1.1\r\n",
        b"GET / HTTP/\r\n",
        b"GET / \r\n",
        b"GET /a b HTTP/1.1\r\n",
    ],
    "HTTP version not supported": [
        b"PRI * HTTP/2.0\r\n",
        b"GET / HTTP/0.9\r\n",
        b"GET / HTTP/1.2\r\n",
        b"GET / HTTP/3.0\r\n",
    ],
    "line does not end in CRLF": [
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\r\n",
        b"\rGET / HTTP/1.1\r\n",
        OK + b"A: b\n",
        OK + b"A: b\rC: d\r\n",
        OK + b"\rX\r\n",
        OK + b"A: b\r\r\n",
    ],
    "malformed field name": [
        OK + b": b\r\n",
        OK + b"A : b\r\n",
        OK + b"A\t: b\r\n",
        OK + b"A\r\n",
        OK + b"A\x00: b\r\n",
        OK + b"\xef: b\r\n",
        OK + b"A@: b\r\n",
        OK + b"\n",
        OK + b"A\n: b\r\n",
    ],
    "folded field line": [
        OK + b" b\r\n",
        OK + b"A: b\r\n\tc\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n",
    ],
    "control character in field value": [
        OK + b"A: \x00\r\n",
        OK + b"A: b\x01c\r\n",
        OK + b"A: \x7f\r\n",
        OK + b"A:\x0bb\r\n",
        OK + b"A: 0123456789abcdef0123\x1f56789\r\n",
    ],
    "underscore in the name of a framing or credential field": [
        OK + b"Content_Length: 1\r\n",
        OK + b"transfer_encoding: chunked\r\n",
        OK + b"X_Api_Key: k\r\n",
        OK + b"x-api_key: k\r\n",
        OK + b"X_Fastgw_Trusted-thing-of-any-length: 1\r\n",
        OK + b"api_key: k\r\n",
    ],
    "no Host": [b"GET / HTTP/1.1\r\n\r\n", b"GET http://a/ HTTP/1.1\r\n\r\n"],
    "more than one Host": [OK + b"Host: a\r\n", OK + b"HOST: b\r\n"],
    "malformed Host": [
        b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n"
        for host in (
            b"",
            b"a/",
            b"a?",
            b"h/?",
            b"x/#",
            b"u@a",
            b"a b",
            b"a:b",
            b"a:80:80",
            b"a:65536",
            b":80",
            b"[::1",
            b"[::1]x",
            b"[::g]",
            b"[1:2]",
            b"[]",
            b"[::1]:x",
            b"[1::2::3]",
            b"[v1.a]",
            b"a%00",
            b"[1:2:3:4:5:6:7:8:9]",
            b"[::1.2.3]",
            b"[::1.2.3.256]",
            b"[fe80::1%25lo]",
            b"\xc3\xa9",
            b"[12345::]",
            b"[1:2:3:4:5:6:7::8:9]",
            b"[:1]",
            b"[1:]",
            b"a,b c",
        )
    ],
    "malformed Content-Length": [
        OK + b"Content-Length: " + value + b"\r\n"
        for value in (
            b"",
            b"+5",
            b"-5",
            b"0x10",
            b"1_0",
            b"5.0",
            b"5e0",
            b"5 5",
            b"5, 5",
            b"5,",
            b"\xc2\xb9",
            b"9223372036854775808",
            b"18446744073709551616",
            b"999999999999999999999",
        )
    ],
    "more than one Content-Length": [
        OK + b"Content-Length: 5\r\nContent-Length: 5\r\n",
        OK + b"Content-Length: 0\r\ncontent-length: 0\r\n",
    ],
    "malformed Transfer-Encoding": [
        OK + b"Transfer-Encoding: " + value + b"\r\n"
        for value in (
            b"",
            b"gzip",
            b"identity",
            b"xchunked",
            b"chunkedx",
            b'"chunked"',
            b"chunked, identity",
            b"chunked;a=b",
            b",chunked",
            b"chunked,",
            b"chunked, chunked",
            b"\xa0chunked",
            b"chun ked",
        )
    ],
    "transfer coding not supported": [
        OK + b"Transfer-Encoding: gzip, chunked\r\n",
        OK + b"Transfer-Encoding: x,y , chunked\r\n",
    ],
    "more than one Transfer-Encoding": [
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ],
    "both Transfer-Encoding and Content-Length": [
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        OK + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    ],
    "Transfer-Encoding in HTTP/1.0": [b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"],
    "malformed Connection": [
        OK + b"Connection: a b\r\n",
        OK + b"Connection: a;b\r\n",
        OK + b"Connection: " + b", ".join(b"x%d" % i for i in range(11)) + b"\r\n",
        OK + b"".join(b"Connection: x%d\r\n" % i for i in range(11)),
    ],
    "expectation not supported": [OK + b"Expect: x 100-continue\r\n", OK + b"Expect:\r\n"],
}
STATUSES = {
    "unknown method": 501,
    "transfer coding not supported": 501,
    "method not allowed": 405,
    "HTTP version not supported": 505,
    "expectation not supported": 417,
}


@pytest.mark.parametrize("error", REFUSED)
def test_refuses_when_a_rule_is_broken(error):
    for raw in REFUSED[error]:
        for series in (read_whole(raw), read_bytewise(raw), read_whole(raw + b"\r\n\r\n")):
            assert (series.error, series.messages) == (error, []), raw
            assert series.status == STATUSES.get(error, 400)


def test_refuses_a_line_as_soon_as_it_is_complete():
    for error, cases in REFUSED.items():
        if error == "no Host":
            continue
        for raw in cases:
            assert Head().request(raw) == -1, raw
            assert raw[-1:] != b"\n" or raw == b"\r\n\r\n" or Head().request(raw[:-1]) in (-1, -2)


@pytest.mark.parametrize(
    "host",
    [
        b"a",
        b"A.b-c_d~e!$&'()*+,;=",
        b"a:",
        b"a:65535",
        b"1.2.3.4:1",
        b"[::]",
        b"[::1]:80",
        b"[1::]",
        b"[1:2:3:4:5:6:7:8]",
        b"[1::8]",
        b"[::ffff:1.2.3.4]",
        b"[1:2:3:4:5:6:1.2.3.4]",
        b"a.",
    ],
)
def test_takes_a_valid_host(host):
    head = parsed(get(host=b"Host:  " + host + b"\t\r\n"))

    assert head.authority == host
    assert parsed(get(start=b"GET http://" + host + b"/x HTTP/1.1\r\n")).authority == host


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", b"/", None),
        (b"/?", b"/", b""),
        (b"/a?b=c?d", b"/a", b"b=c?d"),
        (b"//x/%2e%2E;p", b"//x/%2e%2E;p", None),
        (
            b"/v1beta/models/m:streamGenerateContent?alt=sse",
            b"/v1beta/models/m:streamGenerateContent",
            b"alt=sse",
        ),
        (b"/?include[]=x", b"/", b"include[]=x"),
        (b"http://h/p?q", b"/p", b"q"),
        (b"HTTPS://h:1", b"/", None),
        (b"http://h?q", b"/", b"q"),
        (b"*", b"*", None),
    ],
)
def test_cuts_the_target(target, path, query):
    head = parsed(get(start=b"OPTIONS " + target + b" HTTP/1.1\r\n"))

    assert (head.target, head.path, head.query) == (target, path, query)
    assert head.authority == (
        b"a" if target[:1] in b"/*" else target.split(b"/")[2].split(b"?")[0]
    )


def test_takes_one_empty_line_before_the_request_line():
    head = parsed(b"\r\n" + get())

    assert head.path == b"/"
    assert read_whole(b"\r\n\r\n" + get()).error == "malformed method"


@pytest.mark.parametrize("length", [b"0", b"5", b"005", b"0" * 40 + b"5", b"9223372036854775807"])
def test_reads_a_length_as_decimal(length):
    head = parsed(get(b"Content-Length: " + length + b"\r\n"))

    assert head.content_length == int(length)
    assert head.framing == ("length" if int(length) else "none")


@pytest.mark.parametrize("value", [b"chunked", b" \tCHUNKED \t", b"Chunked"])
def test_takes_one_chunked(value):
    assert parsed(get(b"transfer-encoding:" + value + b"\r\n")).framing == "chunked"


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (1, b"", True),
        (1, b"Connection: close\r\n", False),
        (1, b"Connection: Keep-Alive, CLOSE\r\n", False),
        (1, b"Connection: x\r\nConnection: , close ,\r\n", False),
        (1, b"Connection:\r\n", True),
        (0, b"", False),
        (0, b"Connection: Keep-Alive\r\n", True),
        (0, b"Connection: keep-alive, close\r\n", False),
        (1, b"Proxy-Connection: close\r\n", True),
    ],
)
def test_keeps_the_connection_as_version_and_connection_say(version, connection, kept):
    assert parsed(get(connection, start=b"GET / HTTP/1.%d\r\n" % version)).keep_alive is kept


def test_expects_continue_in_1_1_only():
    expect = b"Expect: 100-Continue\r\n"

    assert parsed(get(expect)).expect_continue
    assert not parsed(get(expect, start=b"GET / HTTP/1.0\r\n")).expect_continue
    assert not parsed(get(b"Expect: x\r\n", start=b"GET / HTTP/1.0\r\n")).expect_continue


def test_upgrade_needs_both_fields():
    assert parsed(get(b"Upgrade: websocket\r\nConnection: Upgrade\r\n")).upgrade
    assert not parsed(get(b"Upgrade: websocket\r\n")).upgrade
    assert not parsed(get(b"Connection: upgrade\r\n")).upgrade


def test_connection_nominates_other_fields_only():
    head = parsed(
        get(
            b"X-One: 1\r\nConnection: x-one, X-TWO, host, content-length, Authorization, x-api-key"
            b", content-type, x-fastgw-tag\r\n"
            b"x-two: 2\r\nAuthorization: Bearer k\r\nX-Api-Key: k\r\n"
            b"Content-Type: t\r\nContent-Length: 0\r\nX-Fastgw-Tag: t\r\nX-Three: 3\r\n"
        )
    )

    assert head.dropped() == [b"X-One", b"x-two"]


def test_an_http_1_0_request_may_lack_host():
    assert parsed(b"GET / HTTP/1.0\r\n\r\n").authority is None


def test_white_space_around_a_value_is_left_out_and_inside_is_kept():
    head = parsed(get(b"A: \t b \t c\t \r\nB:\r\nC: \t\r\nD:x\r\n"))

    assert head.fields()[1:] == [(b"A", b"b \t c"), (b"B", b""), (b"C", b""), (b"D", b"x")]


def test_says_which_known_fields_are_repeated():
    head = parsed(get(b"Authorization: a\r\nauthorization: b\r\nAccept: c\r\n"))

    assert head.repeats(b"authorization") and not head.repeats(b"accept")
    assert head.find(b"authorization") == b"a"


def test_says_the_same_wherever_a_head_is_cut():
    raw = SDK + b"x" * 84 + get()
    whole = read_whole(raw).said()

    assert len(whole[0]) == 2
    for cut in range(len(raw)):
        assert read_cut(raw, [cut]).said() == whole


def test_is_ready_for_another_message_after_begin():
    head = Head()
    first = get(
        b"Connection: close, x-a\r\nContent-Length: 5\r\nX-A: b\r\nExpect: 100-continue\r\n"
    )
    assert head.request(first) > 0
    head.begin()
    second = get(b"X-A: c\r\n", start=b"POST /two HTTP/1.1\r\n")

    assert head.request(second) == len(second)

    assert (head.method, head.keep_alive, head.content_length, head.expect_continue) == (
        "POST",
        True,
        None,
        False,
    )
    assert head.dropped() == [] and head.find(b"connection") is None
