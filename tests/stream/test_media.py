"""Goal: what kind of body an answer has is read from its head as people write it.

Method: a worker hides the usage event of what it takes for a stream, and meters what it inflates.
"""

import gzip
import random
import zlib

import pytest

from fastgw.ledger.decision import estimates
from fastgw.ledger.records import PROVENANCE_ESTIMATED, PROVENANCE_PROVIDER, Close
from fastgw.shm import counters
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


def bare(body: bytes, level: int = 6) -> bytes:
    """Deflate without the head and the sum of zlib."""
    packer = zlib.compressobj(level, wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize("coding, pack, provenance", [
    ("gzip", gzip.compress, PROVENANCE_PROVIDER), ("X-GZip", gzip.compress, PROVENANCE_PROVIDER),
    ("deflate", zlib.compress, PROVENANCE_PROVIDER), ("deflate", bare, PROVENANCE_PROVIDER),
    ("deflate", gzip.compress, PROVENANCE_PROVIDER), ("gzip", bare, PROVENANCE_ESTIMATED),
    ("identity", bytes, PROVENANCE_PROVIDER),
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


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("filler", [0, 3, 70_000])
def test_bare_deflate_is_told_from_zlibs_by_its_first_byte(worker, level, filler):
    """Stored, fixed and dynamic blocks, in reads of any size."""
    one, client = (made := worker()), made.connect()
    told = BODY[:-1] + b',"x":"' + bytes(random.Random(1).choices(b"abcdef", k=filler)) + b'"}'
    for size in (1, 7, len(told)):
        packed = bare(told, level)
        client.feed(request(chat()))
        one.upstream.feed(response(packed, "Content-Encoding: deflate")[:-len(packed)], *(
            packed[at : at + size] for at in range(0, len(packed), size)))
        assert client.answer().body == packed
        close = one.one(Close)
        assert (close.provenance, close.tokens.output) == (PROVENANCE_PROVIDER, 19)


@pytest.mark.parametrize("coding, body, reason, counted", [
    ("br", b"x", "content-encoding: br", "br"),
    ("zstd", b"x", "content-encoding: zstd", "zstd"),
    ("gzip, br", b"x", "content-encoding: another", "other"),
    ("gzip", b"x", "compressed, but broken", "broken"),
    ("deflate", b"\x07", "compressed, but broken", "broken")])
def test_why_a_number_is_an_interval_is_said(worker, coding, body, reason, counted):
    one = worker()
    one.ask(request(chat(max_tokens=50)), response(90 * body, f"Content-Encoding: {coding}"))
    close = one.one(Close)

    assert estimates(close)["output_tokens"] == {"by": "bytes", "reason": reason}
    assert (close.output_low, close.tokens.output, close.output_high) == (0, 9, 50)
    assert counters.total(one.segment).unread == {
        name: int(name == counted) for name in ("br", "zstd", "other", "broken")}
