"""Goal: a client gets every event it asked for, byte by byte, and never the one it did not.

Method: streams handed to a worker cut at every byte, plain and compressed, whole and broken off.
"""

import gzip

import pytest

from fastgw.ledger.records import (
    FATE_DELIVERED,
    FATE_FAILED_IN_STREAM,
    PROVENANCE_ESTIMATED,
    PROVENANCE_PROVIDER,
    Close,
)
from tests.worker import DONE, chat, chunked, delta, request, stream_head, unchunked, usage_event

TEXT = delta("one") + delta("two")
SHOWN = TEXT + DONE
WHOLE = TEXT + usage_event() + DONE
ASKED = {"stream_options": {"include_usage": True}}


def begin(one, client, *fields, **more):
    client.feed(request(chat(stream=True, **more)))
    one.upstream.feed(stream_head(*fields))


def body_of(client) -> bytes:
    return client.taken().partition(b"\r\n\r\n")[2]


def test_exactly_one_event_is_hidden_at_any_cut(worker):
    one = worker()
    client = one.connect()
    for cut in range(1, len(WHOLE)):
        begin(one, client)
        one.upstream.feed(chunked(WHOLE[:cut]), chunked(WHOLE[cut:], b""))

        assert unchunked(body_of(client)) == SHOWN, cut
    closes = [record for record in one.records() if isinstance(record, Close)]
    assert len(closes) == len(WHOLE) - 1
    assert {(c.provenance, c.tokens.output, c.bytes_out) for c in closes} == {
        (PROVENANCE_PROVIDER, 19, len(SHOWN))}


def test_a_client_that_asked_for_usage_gets_every_byte_of_it(worker):
    one = worker()
    client = one.connect()
    framed = chunked(TEXT, usage_event(), DONE, b"")
    for cut in range(1, len(framed)):
        begin(one, client, **ASKED)
        one.upstream.feed(framed[:cut], framed[cut:])

        assert unchunked(body_of(client)) == WHOLE, cut


def test_an_event_reaches_the_client_before_the_next_arrives(worker):
    one = worker()
    client = one.connect()
    begin(one, client)
    client.taken()
    for text in ("a", "b"):
        one.upstream.feed(chunked(delta(text)))
        assert unchunked(client.taken() + b"0\r\n\r\n") == delta(text)


@pytest.mark.parametrize("pieces", [1, 7, 200])
def test_a_compressed_stream_is_metered_and_the_event_hidden(worker, pieces):
    one = worker()
    client = one.connect()
    begin(one, client, "Content-Encoding: gzip")
    packed = gzip.compress(WHOLE)
    step = -(-len(packed) // pieces)
    for at in range(0, len(packed), step):
        one.upstream.feed(chunked(packed[at:at + step]))
    one.upstream.feed(b"0\r\n\r\n")

    answer = client.answer()
    assert answer.body == SHOWN and "content-encoding" not in answer.fields
    assert one.one(Close).tokens.output == 19


def test_a_compressed_stream_that_hides_nothing_goes_on_as_it_came(worker):
    one = worker()
    client = one.connect()
    packed = gzip.compress(WHOLE)
    begin(one, client, "Content-Encoding: gzip", **ASKED)
    one.upstream.feed(chunked(packed[:50], packed[50:], b""))

    answer = client.answer()
    assert answer.body == packed and answer.fields["content-encoding"] == "gzip"
    assert one.one(Close).provenance == PROVENANCE_PROVIDER


def test_an_event_too_large_to_be_held_passes(worker):
    one = worker()
    client = one.connect()
    large = delta("word " * 40_000)
    begin(one, client)
    for at in range(0, len(large), 30_000):
        one.upstream.feed(chunked(large[at:at + 30_000]))
    one.upstream.feed(chunked(usage_event() + DONE, b""))

    assert unchunked(body_of(client)) == large + DONE


@pytest.mark.parametrize("cut, told", [(len(TEXT), True), (len(TEXT) + 9, True), (12, True)])
def test_a_stream_that_breaks_off_says_so_and_has_no_clean_end(worker, cut, told):
    one = worker()
    client = one.connect()
    begin(one, client)
    one.upstream.feed(chunked(WHOLE[:cut]))
    one.upstream.lose(ConnectionResetError())

    sent = body_of(client)
    assert client.transport.closed and not sent.endswith(b"0\r\n\r\n")
    body = unchunked(sent + b"0\r\n\r\n")
    whole = WHOLE[:cut].rpartition(b"\n\n")
    assert body.startswith(whole[0] + whole[1])
    assert (b"FGW-909" in body.removeprefix(whole[0])) == told
    assert body.count(b"data: ") == whole[0].count(b"data: ") + 1
    closed = one.one(Close)
    assert (closed.fate, closed.code) == (FATE_FAILED_IN_STREAM, 909)
    assert closed.output_provenance == PROVENANCE_ESTIMATED


def test_a_break_inside_a_raw_event_adds_nothing_to_it(worker):
    one = worker()
    client = one.connect()
    begin(one, client, **ASKED)
    one.upstream.feed(chunked(TEXT + b"data: {"))
    one.upstream.lose()

    assert unchunked(body_of(client) + b"0\r\n\r\n") == TEXT + b"data: {"
    assert client.transport.closed


@pytest.mark.parametrize("stream, fate", [
    (SHOWN + b": a comment at the end", FATE_DELIVERED),
    (SHOWN.rstrip(b"\n"), FATE_DELIVERED),
    (TEXT + b": a comment at the end", FATE_FAILED_IN_STREAM),  # the answer's own end is missing
])
def test_without_the_last_blank_line_what_is_held_still_goes_out(worker, stream, fate):
    one = worker()
    client = one.connect()
    begin(one, client)
    one.upstream.feed(chunked(stream, b""))

    assert unchunked(body_of(client)) == stream
    assert one.one(Close).fate == fate
