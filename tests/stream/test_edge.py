"""Goal: no event passes the edge of a cap; the stream ends there as its own API would end it.

Method: a cap, so that a request holds what it may give; streams of every API played
to a worker, whole, byte by byte and at random cuts, in LF and CRLF, plain and gzip.
"""

import gzip
import itertools
import random

import orjson
import pytest

from fastgw.ledger.records import FATE_CUT_BY_CAP, FATE_DELIVERED, PROVENANCE_COUNTED, Close
from tests.dialect.test_face import told
from tests.worker import (
    Answer,
    chat,
    chunked,
    policy,
    request,
    response,
    stream_head,
    unchunked,
)

SEED = 20261121
BUCKETS = itertools.count()
APIS = ["chat", "completions", "responses", "messages"]
PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions",
         "responses": "/v1/responses", "messages": "/v1/messages"}


@pytest.fixture
def capped(worker):
    """Workers with a cap of so many tokens for each request, which it asks for whole."""
    made, bucket = {}, {"name": "cap", "unit": "output_tokens", "window": "day",
                        "bucket_key": ["req.headers['x-bucket']"]}

    def of(limit: int):
        if limit not in made:
            made[limit] = worker(policy=policy({"actions": [
                {"type": "usage-cap", "config": {**bucket, "limit": limit}}]}))
        return made[limit]

    return of


def asked(operation: str, edge: int, **more) -> bytes:
    """A streamed request that holds `edge` tokens of output."""
    limit = {"responses": "max_output_tokens"}.get(operation, "max_tokens")
    turns = {"chat": "messages", "messages": "messages", "completions": "prompt"}
    body = {"model": "gpt-4o", "stream": True, limit: edge, **more}
    body[turns.get(operation, "input")] = (
        [{"role": "user", "content": "hi"}] if "messages" in turns.get(operation, "") else "hi")
    return request(orjson.dumps(body), f"X-Bucket: {next(BUCKETS)}", path=PATHS[operation])


def texts(events: list[bytes]) -> list[int]:
    """Which of the mock's events bear text."""
    marks = (b'"content":" ', b'"content":"', b"output_text.delta", b'"text_delta"', b'"text":"')
    return [at for at, one in enumerate(events) if (
        b"event: response.output_text.delta" in one or b"event: content_block_delta" in one
        or (b"event:" not in one and any(mark in one for mark in marks)
            and b'"content":""' not in one and b'"text":""' not in one))]  # fmt: skip


def play(one, operation: str, edge: int, pieces: list[bytes], *fields: str, **more) -> Answer:
    """What a client gets of a stream that comes in these pieces."""
    client = one.connect()
    client.feed(asked(operation, edge, **more))
    upstream = one.upstream
    upstream.feed(stream_head(*fields))
    for piece in pieces:
        if upstream.transport.closed:
            break
        upstream.feed(chunked(piece))
    if not upstream.transport.closed:
        upstream.feed(b"0\r\n\r\n")
    return client.answer()


def pieces_of(stream: bytes, way: str, rng: random.Random) -> list[bytes]:
    if way == "whole":
        return [stream]
    if way == "bytes":
        return [stream[at:at + 1] for at in range(len(stream))]
    marks = sorted(rng.randrange(1, len(stream)) for _ in range(12))
    pairs = zip([0, *marks], [*marks, len(stream)], strict=True)
    return [stream[a:b] for a, b in pairs if a < b]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("way", ["whole", "bytes", "random"])
@pytest.mark.parametrize("operation", APIS)
def test_no_event_passes_the_edge_however_it_comes(capped, operation, way, newline, packed):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    events = told(operation, newline, events=6)
    stream = b"".join(events)
    wire = gzip.compress(stream) if packed else stream
    fields = ["Content-Encoding: gzip"] if packed else []
    bearing = texts(events)
    assert len(bearing) == 6
    for edge in (1, 3, 5):
        one = capped(edge)
        answer = play(one, operation, edge, pieces_of(wire, way, rng), *fields)
        shown = b"".join(events[:bearing[edge]])
        # (A CRLF cut in two belongs to the next event with its LF.)
        assert answer.body.startswith(shown) or answer.body.startswith(shown[:-1] + b": FGW")
        ending = answer.body[len(shown) - 1:]
        assert b": FGW-951" in ending and ending.endswith(b"\n\n")
        assert "content-encoding" not in answer.fields
        close = one.one(Close)
        assert (close.fate, close.code) == (FATE_CUT_BY_CAP, 951)
        assert (close.output_low, close.tokens.output, close.output_high) == (edge, edge, edge)
        assert one.upstream.transport.closed and one.segment.live_holds(0)[0] == 0


@pytest.mark.parametrize("operation", APIS)
def test_an_answer_within_its_cap_passes_untouched(capped, operation):
    stream = b"".join(told(operation, events=6))
    for pieces in ([stream], pieces_of(stream, "bytes", random.Random(SEED))):
        assert play(capped(6), operation, 6, pieces).body == stream
        close = capped(6).one(Close)
        assert (close.fate, close.code) == (FATE_DELIVERED, 0)


def test_what_the_provider_tells_as_it_goes_is_counted(capped):
    """Three tokens an event: two fit into seven; what the third has cost is known."""
    events = told("completions", events=6, tokens_per_event=3, usage="every")
    bearing = texts(events)
    one = capped(7)
    answer = play(one, "completions", 7, [b"".join(events)], model="mistral-large")

    assert answer.body.startswith(b"".join(events[:bearing[2]]) + b": FGW-951")
    close = one.one(Close)
    assert (close.fate, close.output_low, close.tokens.output, close.output_high) == (
        FATE_CUT_BY_CAP, 6, 9, 9)
    assert close.overrun_tokens == 2


@pytest.mark.parametrize("operation", APIS)
def test_a_tokenizer_counts_events_of_several_tokens(capped, operation):
    events = told(operation, events=6, tokens_per_event=7)
    bearing = texts(events)
    for way in ("whole", "bytes"):
        pieces = pieces_of(b"".join(events), way, random.Random(SEED))
        one = capped(22)
        answer = play(one, operation, 22, pieces)
        assert answer.body.startswith(b"".join(events[:bearing[3]]) + b": FGW-951")
        close = one.one(Close)
        assert (close.fate, close.output_provenance) == (FATE_CUT_BY_CAP, PROVENANCE_COUNTED)
        assert (close.output_low, close.tokens.output, close.output_high) == (21, 21, 22)
        assert play(capped(42), operation, 42, pieces).body == b"".join(events)
        assert capped(42).one(Close).fate == FATE_DELIVERED


def test_several_answers_in_one_stream_are_counted_by_events(capped):
    events = told("chat", choices=3, events=6, tokens_per_event=7)
    answer = play(capped(126), "chat", 42, [b"".join(events)], n=3)
    assert answer.body == b"".join(events) and capped(126).one(Close).fate == FATE_DELIVERED


@pytest.mark.parametrize("operation", ["chat", "messages"])
def test_arguments_of_a_call_are_counted_by_events(capped, operation):
    schema = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(9)}}
    events = told(operation, tool={"name": "look", "schema": schema})
    pieces = sum(b'"arguments":' in one or b"partial_json" in one for one in events)
    one = capped(pieces)
    answer = play(one, operation, pieces, [b"".join(events)])
    assert answer.body == b"".join(events) and one.one(Close).fate == FATE_DELIVERED


def test_who_goes_on_beyond_its_limit_draws_on_the_cap_while_it_has_room(capped):
    """The edge moves by a slice of 1,024 tokens, or by what is needed, until nothing is left."""
    one = capped(3000)
    events = told("chat", events=4000)
    bearing = texts(events)
    answer = play(one, "chat", 5, [b"".join(events)])
    assert answer.body.startswith(b"".join(events[:bearing[3000]]) + b": FGW-951")
    close = one.one(Close)
    assert (close.output_low, close.tokens.output, close.output_high) == (3000, 3000, 3000)
    assert (close.fate, close.overrun_tokens) == (FATE_CUT_BY_CAP, 0)
    events = told("chat", events=2900)
    assert play(one, "chat", 5, [b"".join(events)]).body == b"".join(events)


def test_the_client_goes_on_with_its_connection(capped):
    one = capped(1)
    client = one.connect()
    stream = b"".join(told("chat"))
    for _ in range(3):
        client.feed(asked("chat", 1))
        one.upstream.feed(stream_head(), chunked(stream))
        assert b'"finish_reason":"length"' in client.answer().body
    client.feed(request(chat(max_tokens=1), "X-Bucket: whole"))
    one.upstream.feed(response())
    assert client.answer().status == 200


def test_a_stream_with_a_length_can_be_ended_too(capped):
    stream = b"".join(told("chat"))
    one = capped(2)
    client = one.connect()
    client.feed(asked("chat", 2))
    one.upstream.feed(response(stream, "Content-Type: text/event-stream").replace(
        b"Content-Type: application/json\r\n", b""))
    answer = client.answer()
    assert "content-length" not in answer.fields and answer.body.endswith(b"data: [DONE]\n\n")
    assert one.one(Close).fate == FATE_CUT_BY_CAP


def test_a_coding_that_cannot_be_read_is_not_passed_on_under_a_cap(capped):
    one = capped(2)
    client = one.connect()
    client.feed(asked("chat", 2))
    one.upstream.feed(stream_head("Content-Encoding: br"))
    assert client.answer().code == "FGW-908"


def test_usage_is_told_to_those_who_asked(capped):
    stream = b"".join(told("chat"))
    one = capped(2)
    client = one.connect()
    client.feed(asked("chat", 2, stream_options={"include_usage": True}))
    one.upstream.feed(stream_head(), chunked(stream))
    *_, usage, done, rest = client.answer().body.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    assert orjson.loads(usage[6:])["usage"]["completion_tokens"] == 2


def test_large_events_without_text_pass_and_large_texts_do_not(capped):
    quiet = b'data: {"id":"i","padding":"' + b"x" * 200_000 + b'"}\n\n'
    loud = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 2_000_000 + b'"}}]}\n\n'
    stream = quiet + loud
    step = 60_000
    pieces = [stream[at:at + step] for at in range(0, len(stream), step)]
    one = capped(10**6)
    answer = play(one, "chat", 10**6, pieces)
    assert answer.body.startswith(quiet + b": FGW-951") and one.one(Close).code == 951


def test_a_client_that_reads_slowly_still_gets_the_ending(capped):
    stream = b"".join(told("chat"))
    one = capped(2)
    client = one.connect()
    client.feed(asked("chat", 2))
    client.link.pause_writing()
    one.upstream.feed(stream_head(), chunked(stream))
    assert one.journey.active == 1
    client.link.resume_writing()
    one.loop.run()
    assert one.journey.active == 0 and one.one(Close).fate == FATE_CUT_BY_CAP
    assert isinstance(client.answer(), Answer)


def test_a_last_event_without_its_blank_line_is_counted_like_any_other(capped):
    events = told("chat")
    stream = b"".join(events[:3])
    answer = play(capped(1), "chat", 1, [stream[:-1]])
    assert answer.body.startswith(b"".join(events[:2]) + b": FGW-951")
    assert unchunked(chunked(answer.body, b"")) == answer.body


@pytest.mark.parametrize("unit, limit, least, most", [
    ("tokens", 5000, 101, 1000), ("cost", 0.05, 1500, 3000)])
def test_caps_in_other_units_have_an_edge_too(worker, unit, limit, least, most):
    """4,096 tokens and more of input may come to what the body does not show; and it names no
    tier, so the answer may come at the dearest."""
    one = worker(policy=policy({"actions": [{"type": "usage-cap", "config": {
        "name": "cap", "unit": unit, "limit": limit, "window": "day"}}]}))
    events = told("chat", events=6000)
    answer = play(one, "chat", 100, [b"".join(events)])
    close = one.one(Close)
    shown = len([line for line in answer.body.split(b"\n\n") if b'"content":" ' in line])
    assert least <= shown <= most
    assert (close.fate, close.output_low, close.output_high) == (FATE_CUT_BY_CAP, shown, shown)
