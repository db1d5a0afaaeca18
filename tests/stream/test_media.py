"""Goal: what kind of body an answer has is read from its head as people write it.

Method: a worker hides the usage event of what it takes for a stream, and meters what it inflates.
"""

import gzip
import zlib

import pytest

from fastgw.ledger.records import PROVENANCE_ESTIMATED, PROVENANCE_PROVIDER, Close
from tests.worker import DONE, chat, chunked, delta, request, response, stream_head, usage_event

BODY = response().partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("kind, hidden", [
    ("text/event-stream", True), ("Text/Event-Stream;charset=UTF-8", True),
    ("text/event-stream; charset=utf-8", True), ("application/json", False),
    ("text/plain", True), ("text/event", False)])
def test_an_event_stream_is_known_by_its_type(worker, kind, hidden):
    one = worker()
    client = one.connect()
    client.feed(request(chat(stream=True)))
    one.upstream.feed(stream_head().replace(b"text/event-stream", kind.encode()))
    one.upstream.feed(chunked(delta("a"), usage_event(), DONE, b""))

    assert (usage_event() not in client.answer().body) == hidden


@pytest.mark.parametrize("coding, pack, provenance", [
    ("gzip", gzip.compress, PROVENANCE_PROVIDER), ("X-GZip", gzip.compress, PROVENANCE_PROVIDER),
    ("deflate", zlib.compress, PROVENANCE_PROVIDER), ("identity", bytes, PROVENANCE_PROVIDER),
    ("br", bytes, PROVENANCE_ESTIMATED), ("gzip, br", gzip.compress, PROVENANCE_ESTIMATED)])
def test_what_can_be_inflated_is_metered_and_goes_on_as_it_came(worker, coding, pack, provenance):
    one = worker()
    _, answer = one.ask(request(chat()), response(pack(BODY), f"Content-Encoding: {coding}"))

    assert answer.body == pack(BODY) and answer.fields["content-encoding"] == coding
    assert one.one(Close).provenance == provenance


def test_what_only_says_that_it_is_compressed_passes_uncounted(worker):
    one = worker()
    _, answer = one.ask(request(chat()), response(BODY, "Content-Encoding: gzip"))

    assert answer.body == BODY and one.one(Close).provenance == PROVENANCE_ESTIMATED
