"""The chunked coding: what is taken, what is refused as what, and what a relay may send on.

Method: each body is read whole, byte by byte and cut at every offset. What is relayed is decoded
again by h11, and must be free of extensions, leading zeros and trailers.
"""

import h11
import pytest

from fastgw.wire.chunk import Chunks

GOOD = {
    b"0\r\n\r\n": b"",
    b"5\r\nhello\r\n0\r\n\r\n": b"hello",
    b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n": b"hello world",
    b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n": b"0123456789" * 2,
    b"0005\r\nhello\r\n000\r\n\r\n": b"hello",
    b"0" * 500 + b"5\r\nhello\r\n0\r\n\r\n": b"hello",
    b'5;a\r\nhello\r\n0;b=c;d="e \\" ;f"\r\n\r\n': b"hello",
    b'5; a ; b = c ;d = ""\r\nhello\r\n0\r\n\r\n': b"hello",
    b"2\r\n\r\n\r\n0\r\n\r\n": b"\r\n",
    b"5\r\nhello\r\n0\r\nA: b\r\nContent-Length: 7\r\nC:\r\n\r\n": b"hello",
}

BAD = {
    "size": [
        b"\r\n",
        b" 5\r\nhello\r\n",
        b"-5\r\n",
        b"+5\r\n",
        b"0x5\r\n",
        b"5 \r\nhello\r\n",
        b"5\t;a\r\n",
        b"g\r\n",
        b";\r\n",
        b"5_0\r\n",
        b"5\n",
        b"5\x00\r\n",
        b"5\r\nhello\r\n\r\n",
    ],
    "line end": [
        b"5\rhello\r\n",
        b"5\r\rhello",
        b"5\r\nhello\n",
        b"5\r\nhelloX",
        b"3\r\nxxx__1a\r\n",
        b"3\r\nxxx\r_",
        b"3\r\nxxx\n\r",
        b"0\r\n\r\r",
        b"0\r\n\rX",
        b"5;a\r\r\n",
    ],
    "overflow": [
        b"8000000000000000\r\n",
        b"10000000000000000\r\n",
        b"FFFFFFFFFFFFFFFF\r\n",
        b"1\r\nx\r\n7fffffffffffffff\r\n",
    ],
    "extension": [
        b"5;\r\nhello",
        b"5;=a\r\n",
        b"5;a=\r\n",
        b"5;a \r\n",
        b"5;a=b \r\n",
        b"5;a=b=c\r\n",
        b'5;a="b\r\n',
        b'5;a="b"c\r\n',
        b"5;a\n",
        b"5;a\x00\r\n",
        b'5;a="\x00"\r\n',
        b'5;a="\\\n"\r\n',
        b"5;a[\r\n",
        b"5;\nhello\r\n",
        b"5;a b\r\n",
        b'5;a="b\x7f"\r\n',
    ],
    "trailer": [
        b"0\r\nbad\r\n\r\n",
        b"0\r\n: a\r\n",
        b"0\r\nA : b\r\n",
        b"0\r\n A: b\r\n",
        b"0\r\nA: b\n",
        b"0\r\n\n",
        b"0\r\nA: \x00\r\n",
        b"0\r\nA: b\r\n c\r\n",
        b"0\r\nA: b\r\rC",
    ],
    "too large": [
        b"0" * 20_000,
        b"1;" + b"a" * 20_000,
        b"1;a\r\nx\r\n" * 10_000,
        b"0\r\nA: " + b"b" * 9_000,
        b"0\r\n" + b"A: b\r\n" * 2_000,
    ],
}


def read(raw, cuts=()):
    """(verdict, body, bytes consumed, error) of a body in reads that end at the cuts."""
    chunks, body, used = Chunks(), b"", 0
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        got, pieces, taken = chunks.feed(raw[start:end])
        body, used = body + b"".join(pieces), used + taken
        if got != -2:
            break
    assert chunks.total == len(body)
    return got, body, used, chunks.error


def every_cut(raw):
    yield range(1, len(raw))
    for cut in range(1, len(raw)):
        yield [cut]


@pytest.mark.parametrize("raw", GOOD)
def test_reads_a_body_and_stops_behind_it(raw):
    expected = (0, GOOD[raw], len(raw), None)

    assert read(raw) == expected
    assert read(raw + b"GET / HTTP/1.1\r\n") == expected
    for cuts in every_cut(raw):
        assert read(raw, cuts) == expected


@pytest.mark.parametrize("raw", GOOD)
def test_is_not_done_before_the_last_byte(raw):
    for end in range(len(raw)):
        assert read(raw[:end])[0] == -2


@pytest.mark.parametrize("error", BAD)
def test_refuses_when_a_rule_is_broken(error):
    for raw in BAD[error]:
        whole = read(raw)
        assert (whole[0], whole[3]) == (-1, error), raw[:80]
        assert read(raw, range(1, len(raw))) == whole
        if len(raw) < 100:
            for cuts in every_cut(raw):
                assert read(raw, cuts) == whole


def test_says_the_same_for_ever_once_it_has_refused_or_ended():
    for raw, got in ((b"x", -1), (b"0\r\n\r\n", 0)):
        chunks = Chunks()
        chunks.feed(raw)

        assert chunks.feed(b"5\r\nhello\r\n") == (got, [], 0)


def test_a_nul_outside_data_is_refused_at_every_offset():
    raw = b'5;a="b"\r\nhello\r\n0\r\nA: b\r\n\r\n'
    for at in range(len(raw)):
        if raw.index(b"hello") < at < raw.index(b"hello") + 5:
            continue  # there it is data, and shifts what follows
        assert read(raw[:at] + b"\0" + raw[at:])[0] == -1, at


def relay(raw, cuts=()):
    chunks, out = Chunks(), b""
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        got, _, sent = chunks.relay(raw[start:end])
        out += sent
        if got != -2:
            break
    return got, out


def decoded(raw):
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + raw
    )
    connection.next_event()
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage) and list(event.headers) == []
    assert connection.trailing_data[0] == b""
    return body


@pytest.mark.parametrize("raw", GOOD)
def test_what_is_relayed_is_plain_and_the_same_body_at_any_cut(raw):
    for cuts in ([], *every_cut(raw)):
        got, out = relay(raw, cuts)

        assert got == 0
        assert decoded(out) == GOOD[raw]
        assert b";" not in out and not out.startswith(b"00") and out.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "raw", [raw for raw in GOOD if b";" not in raw and b"00" not in raw and b":" not in raw]
)
def test_a_read_of_whole_plain_chunks_is_relayed_as_it_came(raw):
    chunks = Chunks()

    assert chunks.relay(raw) == (0, len(raw), raw)
    assert chunks.plain == (0, len(raw))


@pytest.mark.parametrize(
    ("before", "read_", "run"),
    [
        (b"", b"5\r\nhello\r\n3\r\nabc\r\n10\r\nonly pa", b"5\r\nhello\r\n3\r\nabc\r\n"),
        (b"5\r\nhe", b"llo\r\n3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
        (b"5\r\nhe", b"llo", b""),
        (b"", b"5;x\r\nhello\r\n3\r\nabc\r\n1;y\r\nz\r\n", b"3\r\nabc\r\n"),
        (b"", b"3\r\nabc\r\n0\r\nA: b\r\n\r\n", b"3\r\nabc\r\n"),
        (b"", b"03\r\nabc\r\n", b""),
        (b"3\r\nabc\r\n", b"3\r\nabc\r\n", b"3\r\nabc\r\n"),
        (b"3", b"\r\nabc\r\n1\r\nx\r\n", b"1\r\nx\r\n"),
    ],
)
def test_finds_the_run_of_whole_plain_chunks(before, read_, run):
    chunks = Chunks()
    chunks.feed(before)

    chunks.feed(read_)

    start, end = chunks.plain
    assert read_[start:end] == run


def test_knows_whether_it_stands_between_two_chunks():
    chunks = Chunks()
    assert chunks.at_boundary
    for byte, there in zip(b"1\r\nx\r\n1", (0, 0, 0, 0, 0, 1, 0), strict=True):
        chunks.feed(bytes([byte]))
        assert chunks.at_boundary is bool(there)
