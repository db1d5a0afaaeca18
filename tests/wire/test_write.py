"""Heads written anew: what passes, what is dropped, what is refused; and that it stays within its
room.

Method: what is written is parsed again, by h11 and by our own parser, and compared field by field.
"""

import h11
import pytest

from fastgw.wire import head as wire
from fastgw.wire.head import DROP_REQUEST, DROP_RESPONSE, Head

HOP = [
    b"Connection",
    b"Keep-Alive",
    b"Proxy-Connection",
    b"TE",
    b"Trailer",
    b"Upgrade",
    b"Proxy-Authenticate",
    b"Proxy-Authorization",
]
CREDENTIALS = [b"Authorization", b"X-Api-Key", b"API-Key", b"X-Goog-Api-Key", b"Cookie"]
KEPT = [
    (b"Accept", b"*/*"),
    (b"Content-Type", b"application/json"),
    (b"User-Agent", b"x"),
    (b"anthropic-version", b"2023-06-01"),
    (b"OpenAI-Organization", b"o"),
    (b"X-Request-Id", b"r"),
    (b"X-Stainless-Lang", b"python"),
    (b"X-Other", b"\x80 \t y"),
    (b"Empty", b""),
]


def head_of(fields, start=b"POST /p?q HTTP/1.1"):
    raw = b"\r\n".join([start, *(name + b": " + value for name, value in fields), b"", b""])
    head = Head()
    read = head.request(raw) if start.startswith(b"P") else head.response(raw)
    assert read == len(raw), head.error
    return head


def fields_of(text):
    return [tuple(line.split(b": ", 1)) for line in text.split(b"\r\n")[:-1]]


def test_a_request_keeps_what_is_not_the_gateways():
    dropped = [(name, b"x") for name in HOP + CREDENTIALS if name != b"Connection"]
    dropped += [
        (b"Connection", b"close"),
        (b"Host", b"h"),
        (b"Content-Length", b"5"),
        (b"Expect", b"100-continue"),
        (b"Accept-Encoding", b"gzip"),
        (b"x-fastgw-tag", b"t"),
    ]
    mixed = [field for pair in zip(dropped, KEPT * 2, strict=False) for field in pair] + dropped[
        len(KEPT) * 2 :
    ]
    head = head_of(mixed)

    kept = fields_of(head.copy_fields(DROP_REQUEST))

    assert kept == [field for field in mixed if field in KEPT]
    assert len(kept) == min(len(dropped), 2 * len(KEPT))


def test_a_response_keeps_credentials_and_date_but_not_our_own_names():
    passed = [
        (b"Date", b"d"),
        (b"Set-Cookie", b"c"),
        (b"Server", b"s"),
        (b"Retry-After", b"1"),
        *KEPT,
    ]
    head = head_of(
        [
            (b"Content-Length", b"5"),
            (b"Connection", b"x-gone"),
            *passed,
            (b"X-Gone", b"g"),
            (b"X-Fastgw-Request-Id", b"spoof"),
            (b"Proxy-Authenticate", b"a"),
        ],
        start=b"HTTP/1.1 200 OK",
    )

    assert fields_of(head.copy_fields(DROP_RESPONSE)) == passed


def test_a_nominated_field_is_dropped_and_a_protected_one_is_not():
    head = head_of(
        [
            (b"Host", b"h"),
            (b"Connection", b"x-a, content-type, x-request-id"),
            (b"X-A", b"1"),
            (b"Content-Type", b"t"),
            (b"X-Request-Id", b"r"),
        ]
    )

    assert fields_of(head.copy_fields(DROP_REQUEST)) == [
        (b"Content-Type", b"t"),
        (b"X-Request-Id", b"r"),
    ]


def test_an_alias_in_a_response_is_dropped():
    head = head_of([(b"Content_Length", b"5"), (b"A_B", b"c")], start=b"HTTP/1.1 200 OK")

    assert head.copy_fields(0) == b"A_B: c\r\n"


def test_lines_are_written_in_one_form():
    raw = b"GET / HTTP/1.1\r\nHost:h\r\nA:b\r\nC: \t d \t\r\nE:\r\nF:\tg\r\nH: i\r\n\r\n"
    head = Head()
    assert head.request(raw) == len(raw)

    assert head.copy_fields(0) == b"Host: h\r\nA: b\r\nC: d\r\nE: \r\nF: g\r\nH: i\r\n"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (b"/a/b?c=d", b"/a/b?c=d"),
        (b"/", b"/"),
        (b"/?", b"/?"),
        (b"http://x/y?z", b"/y?z"),
        (b"http://x", b"/"),
        (b"https://x?z", b"/?z"),
    ],
)
def test_the_request_line_is_in_origin_form(target, line):
    head = head_of([(b"Host", b"h")], start=b"POST " + target + b" HTTP/1.1")

    assert head.request_line() == b"POST " + line + b" HTTP/1.1\r\n"


def test_h11_reads_what_is_written():
    head = head_of([(b"Host", b"h"), (b"Transfer-Encoding", b"chunked"), *KEPT])
    text = (
        head.request_line()
        + wire.put_field(b"Host", b"api.example.com")
        + head.copy_fields(DROP_REQUEST)
        + wire.put_number(b"Content-Length", 5)
        + wire.put_end()
    )
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(text + b"hello")

    request = connection.next_event()

    assert (request.method, request.target) == (b"POST", b"/p?q")
    expected = [(b"Host", b"api.example.com"), *KEPT, (b"Content-Length", b"5")]
    assert [(bytes(n), bytes(v)) for n, v in request.headers.raw_items()] == expected
    assert bytes(connection.next_event().data) == b"hello"


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (429, b"HTTP/1.1 429 Too Many Requests\r\n"),
        (599, b"HTTP/1.1 599 \r\n"),
        (100, b"HTTP/1.1 100 Continue\r\n"),
        (529, b"HTTP/1.1 529 Overloaded\r\n"),
    ],
)
def test_writes_a_status_line(status, line):
    assert wire.put_status(status) == line
    head = Head()
    assert head.response(line + b"\r\n") > 0 and head.status == status


@pytest.mark.parametrize("status", [0, 99, 1000, 65535])
def test_refuses_a_status_without_three_digits(status):
    with pytest.raises(ValueError):
        wire.put_status(status)


@pytest.mark.parametrize("number", [0, 9, 10, 99, 100, 101, 4096, 90807, 2**63 - 1, 2**64 - 1])
def test_writes_numbers(number):
    assert wire.put_number(b"N", number) == b"N: %d\r\n" % number
    assert wire.put_chunk_size(number) == b"%x\r\n" % number
    assert wire.put_hex(number & 0xffffffff) == b"%08x" % (number & 0xffffffff)


@pytest.mark.parametrize("value", [b"a\r\nB: c", b"a\rb", b"a\nb", b"\0", b"\x7f", b"\x1b[1m"])
def test_refuses_to_write_a_control_byte(value):
    with pytest.raises(ValueError):
        wire.put_field(b"A", value, room=100)


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\n", b"\xc3\xa9"])
def test_refuses_to_write_a_name_that_is_no_token(name):
    with pytest.raises(ValueError):
        wire.put_field(name, b"v", room=100)


def test_refuses_where_there_is_no_room():
    head = head_of([(b"Host", b"h"), *KEPT])
    writers = [
        lambda room: head.copy_fields(DROP_REQUEST, room),
        head.request_line,
        lambda room: wire.put_status(429, room),
        lambda room: wire.put_field(b"A", b"b", room),
        lambda room: wire.put_number(b"A", 12345, room),
        lambda room: wire.put_chunk_size(255, room),
        wire.put_end,
    ]
    for write in writers:
        size = next(room for room in range(1000) if _fits(write, room))
        assert len(write(size)) == size > 0
        assert not any(_fits(write, room) for room in range(size))


def _fits(write, room):
    try:
        return len(write(room)) <= room
    except ValueError:
        return False


FIELDS = (
    b"host content-length transfer-encoding connection keep-alive proxy-connection te trailer"
    b" upgrade expect proxy-authenticate proxy-authorization authorization x-api-key api-key"
    b" x-goog-api-key cookie content-type content-encoding accept accept-encoding"
    b" anthropic-version anthropic-beta openai-organization openai-project x-request-id"
    b" x-forwarded-for forwarded user-agent retry-after retry-after-ms x-should-retry date"
    b" server set-cookie ratelimit ratelimit-policy x-mock x-fastgw-anything x-stainless-lang"
    b" x-http-method"
).split()
OVERRIDES = b"x-goog-fieldmask x-method-override x-http-method-override".split()


def test_every_known_field_has_its_own_id_in_any_case():
    ids = [wire.field_id(name) for name in FIELDS]

    assert ids == list(range(1, len(FIELDS) + 1))
    for name, number in zip(FIELDS, ids, strict=True):
        assert wire.field_id(name.upper()) == wire.field_id(name.title()) == number
    assert {wire.field_id(name) for name in OVERRIDES} == {ids[-1]}


def test_a_name_that_differs_in_one_byte_is_another_field():
    for name in FIELDS:
        for at in range(len(name)):
            for byte in (b"q", b"7", b"-", b".", b"~"):
                other = name[:at] + byte + name[at + 1 :]
                if other != name and other not in FIELDS:
                    prefixed = other.startswith((b"x-fastgw-", b"x-stainless-"))
                    assert bool(wire.field_id(other)) is prefixed, other
