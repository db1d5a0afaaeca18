"""Goal: what one read brought leaves in one piece: as it came if it was plain, else framed anew.

Method: chunked streams through a worker, for a client that gets all of it; the very bytes of the
framing are compared.
"""

import pytest

from tests.worker import chat, chunked, delta, request, response, stream_head, unchunked

ASKED = {"stream": True, "stream_options": {"include_usage": True}}
EVENTS = [delta(str(number)) for number in range(4)]


@pytest.fixture
def stream(worker):
    """(client, upstream) of a stream whose head has passed."""
    one = worker()
    client = one.connect()
    client.feed(request(chat(**ASKED)))
    one.upstream.feed(stream_head())
    client.taken()
    return client, one.upstream


def test_plain_chunks_leave_as_they_came(stream):
    client, upstream = stream
    upstream.feed(chunked(*EVENTS[:3]))
    assert client.taken() == chunked(*EVENTS[:3])
    upstream.feed(chunked(EVENTS[3], b""))
    assert client.taken() == chunked(EVENTS[3], b"")


def test_only_the_plain_front_of_a_read_leaves_as_it_came(stream):
    client, upstream = stream
    framed = chunked(EVENTS[1])
    upstream.feed(chunked(EVENTS[0]) + framed[:20])
    assert client.taken() == chunked(EVENTS[0]) + chunked(framed[4:20])
    upstream.feed(framed[20:] + chunked(EVENTS[2]))
    assert client.taken() == chunked(framed[20:-2] + EVENTS[2])


@pytest.mark.parametrize("line", [b"%x;a=b\r\n", b"%x;a=\"b;c\"\r\n", b"00%x\r\n"])
def test_a_chunk_of_another_form_is_framed_anew(stream, line):
    client, upstream = stream
    upstream.feed(line % len(EVENTS[0]) + EVENTS[0] + b"\r\n")

    assert client.taken() == chunked(EVENTS[0])


def test_trailers_end_here(stream):
    client, upstream = stream
    upstream.feed(chunked(EVENTS[0]) + b"0\r\nX-Sum: 1\r\n\r\n")

    assert client.taken() == chunked(EVENTS[0], b"")


@pytest.mark.parametrize("form", [b"%x\r\n%s\r\n", b"%x;x\r\n%s\r\n"])
def test_a_read_of_more_pieces_than_one_call_takes_loses_none(stream, form):
    client, upstream = stream
    pieces = [b"data: %d\n\n" % number for number in range(2000)]
    upstream.feed(b"".join(form % (len(piece), piece) for piece in pieces))

    assert unchunked(client.taken() + b"0\r\n\r\n") == b"".join(pieces)


def test_any_two_cuts_of_a_read_give_the_same_body(stream):
    client, upstream = stream
    framed = chunked(*(b"data: %d\n\n" % number for number in range(3)))
    body = unchunked(framed + b"0\r\n\r\n")
    for first in range(1, len(framed)):
        for second in range(first + 1, len(framed)):
            upstream.feed(framed[:first], framed[first:second], framed[second:])
            assert unchunked(client.taken() + b"0\r\n\r\n") == body, (first, second)


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, 2300, 5000, 70_000])
def test_a_small_body_behind_its_head_and_a_large_one_arrive_as_they_are(worker, size):
    """Both ways: of the small ones head and body are one piece."""
    one = worker()
    body, asked = b"x" * size, chat(padding="y" * size)
    got, answer = one.ask(request(asked), response(body))

    assert got.partition(b"\r\n\r\n")[2] == asked
    assert (answer.status, answer.body) == (200, body)
