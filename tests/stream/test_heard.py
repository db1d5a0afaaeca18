"""Goal: what an answer says is counted whatever its model, so that no provider that ignores its
limit passes a cap; and one that keeps to it is never cut.

Method: recorded streams of some twenty vendors (../shared/vectors/streams, skipped where absent)
under caps of what each provider told and of half of what its text comes to; streams as the mock
has them, of models that no tokenizer is known of, several answers mixed, calls, thoughts, sound.
"""

import base64
import itertools
import random

import orjson
import pytest

from fastgw.dialect.meter import Meter
from fastgw.ledger.records import (
    FATE_CUT_BY_CAP,
    FATE_DELIVERED,
    FATE_FAILED_IN_STREAM,
    PROVENANCE_ESTIMATED,
    Close,
)
from tests.csrc.test_dialect_meter import OPERATIONS, ROWS, body_of, meter_for, read, totals_of
from tests.dialect.test_face import told
from tests.stream.test_edge import PATHS, SEED, asked, pieces_of, play, texts
from tests.worker import policy, request

BUCKETS = itertools.count()
UNKNOWN = "mistral-large"


def row_told(row: dict) -> int:
    classes, _ = read(meter_for(row), body_of(row)).usage()
    return totals_of(classes)["output"]


STREAMED = [row for row in ROWS if OPERATIONS[row["api"]] in PATHS and row["streaming"]
            and b"\r" not in body_of(row) and row["status"] == 200 and row_told(row)]
# Its "reasoning" is the log of the searches that it ran, billed as input of other models.
NOT_OUTPUT = "groq.chat.stream.06"
TELLS_AN_ERROR = "openrouter.chat.stream.08"  # in the event of its usage: "Token limit reached"
# Their last events tell less than their texts come to.
TELLS_LESS = {"azure.chat.stream.06": 91}


@pytest.fixture(scope="module")
def limits() -> list[int]:
    wanted = {row_told(row) for row in STREAMED} | set(TELLS_LESS.values())
    return sorted(wanted | {max(one // 2, 1) for one in wanted})


@pytest.fixture
def one(worker, limits):
    """A worker with a cap of each size: a request says which is its own."""
    return worker(policy=policy(*[
        {"expressions": [f"req.headers['x-cap'] == '{limit}'"], "actions": [
            {"type": "usage-cap", "config": {
                "name": f"cap {limit}", "unit": "output_tokens", "window": "day", "limit": limit,
                "bucket_key": ["req.headers['x-bucket']"]}}]}
        for limit in limits]))


def play_row(one, row: dict, limit: int) -> Close:
    operation = OPERATIONS[row["api"]]
    model = (row["model"] or "gpt-4o").rpartition("/")[2]  # (what stands before it pins)
    _, _, body = asked(operation, limit, model=model).partition(b"\r\n\r\n")
    client = one.connect()
    client.feed(request(body, f"X-Bucket: {next(BUCKETS)}", f"X-Cap: {limit}",
                        path=PATHS[operation]))
    one.upstream.feed(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Connection: close\r\n\r\n")
    for piece in pieces_of(body_of(row), "random", random.Random(SEED)):
        if not one.upstream.transport.closed:
            one.upstream.feed(piece)
    if not one.upstream.transport.closed:
        one.upstream.end()
    return one.one(Close)


def test_no_recorded_provider_that_kept_to_its_limit_is_cut(one):
    if not ROWS:
        pytest.skip("no ../shared/vectors/streams here")
    print(f"seed {SEED}")
    seen = 0
    for row in STREAMED:
        limit = next((more for name, more in TELLS_LESS.items() if row["name"].startswith(name)),
                     row_told(row))
        close = play_row(one, row, limit)
        if row["name"].startswith(NOT_OUTPUT):
            assert close.fate == FATE_CUT_BY_CAP
            continue
        failed = row["name"].startswith(TELLS_AN_ERROR)
        assert close.fate == (FATE_FAILED_IN_STREAM if failed else FATE_DELIVERED), row["name"]
        seen += 1
    assert seen > 60


def test_a_recorded_provider_that_says_twice_its_limit_is_cut(one):
    """Those whose reasoning was not shown, or that told more than they said, apart."""
    if not ROWS:
        pytest.skip("no ../shared/vectors/streams here")
    seen = 0
    for row in STREAMED:
        limit, meter = row_told(row) // 2, meter_for(row)
        read(meter, body_of(row))
        if limit < 8 or meter.output_bytes < 6 * limit:
            continue
        close = play_row(one, row, limit)
        assert (close.fate, close.output_low <= limit) == (FATE_CUT_BY_CAP, True), row["name"]
        assert close.tokens.output <= limit, row["name"]
        seen += 1
    assert seen > 20


@pytest.fixture
def capped(worker):
    made = {}

    def of(limit: int):
        if limit not in made:
            made[limit] = worker(policy=policy({"actions": [{"type": "usage-cap", "config": {
                "name": "cap", "unit": "output_tokens", "window": "day", "limit": limit,
                "bucket_key": ["req.headers['x-bucket']"]}}]}))
        return made[limit]

    return of


@pytest.mark.parametrize("operation", PATHS)
def test_models_without_a_tokenizer_of_their_own_are_counted_by_the_nearest(capped, operation):
    """Seven tokens an event, of which 22 fit three."""
    events = told(operation, events=6, tokens_per_event=7)
    bearing = texts(events)
    for way in ("whole", "bytes"):
        pieces = pieces_of(b"".join(events), way, random.Random(SEED))
        answer = play(capped(22), operation, 22, pieces, model=UNKNOWN)
        assert answer.body.startswith(b"".join(events[:bearing[3]]) + b": FGW-951")
        close = capped(22).one(Close)
        assert (close.fate, close.tokens.output, close.output_high) == (FATE_CUT_BY_CAP, 21, 22)
        if operation != "messages":  # of which o200k_base is a lower bound
            assert close.output_provenance == PROVENANCE_ESTIMATED
            assert close.output_low == 3  # an event with text is a token, whoever counts
        assert play(capped(42), operation, 42, pieces, model=UNKNOWN).body == b"".join(events)


@pytest.mark.parametrize("model", ["gpt-4o", UNKNOWN])
@pytest.mark.parametrize("operation", ["chat", "completions"])
def test_each_of_several_answers_is_counted_by_itself(capped, operation, model):
    """Their words come in turns, and completions name the answer behind its text."""
    events = told(operation, choices=3, events=6, tokens_per_event=7)
    bearing = texts(events)
    assert len(bearing) == 18
    for way in ("whole", "bytes", "random"):
        pieces = pieces_of(b"".join(events), way, random.Random(SEED))
        answer = play(capped(126), operation, 42, pieces, model=model, n=3)
        assert answer.body == b"".join(events)
        assert capped(126).one(Close).fate == FATE_DELIVERED
        answer = play(capped(60), operation, 20, pieces, model=model, n=3)  # eight events fit
        assert answer.body.startswith(b"".join(events[:bearing[8]]) + b": FGW-951")
        assert capped(60).one(Close).tokens.output == 56


def test_an_answer_is_found_in_either_order_of_its_members(capped):
    def event(at: int, text: str, first: bool) -> bytes:
        delta = {"delta": {"content": text}}
        choice = {"index": at, **delta} if first else {**delta, "index": at}
        return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"

    words = [" the", " of", " water", " people"]
    for first in (True, False):
        events = [event(at, word, first) for word in words for at in (0, 1)]
        answer = play(capped(7), "chat", 3, [b"".join(events)], n=2)
        assert answer.body.startswith(b"".join(events[:7]) + b": FGW-951")


SCHEMA = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(9)}}


@pytest.mark.parametrize("model", ["gpt-4o", UNKNOWN])
@pytest.mark.parametrize("operation", ["chat", "responses", "messages"])
def test_arguments_of_calls_are_counted_however_they_are_cut(capped, operation, model):
    """The mock bills a token for each four bytes: 5 of them in each event but the last."""
    events = told(operation, tool={"name": "look", "schema": SCHEMA}, tokens_per_event=5)
    mark = {"chat": b'"function":{"arguments":"', "responses": b"arguments.delta",
            "messages": b"partial_json"}[operation]
    bearing = [at for at, one in enumerate(events) if mark in one]
    assert len(bearing) > 5
    for way in ("whole", "bytes"):
        pieces = pieces_of(b"".join(events), way, random.Random(SEED))
        answer = play(capped(17), operation, 17, pieces, model=model)
        assert answer.body.startswith(b"".join(events[:bearing[3]]) + b": FGW-951")
        assert capped(17).one(Close).tokens.output == 15
        all_of_it = 5 * len(bearing)
        answer = play(capped(all_of_it), operation, all_of_it, pieces, model=model)
        assert answer.body == b"".join(events)


def chunk(**delta) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n"


def block(**delta) -> bytes:
    told_so = {"type": "content_block_delta", "index": 0, "delta": delta}
    return b"event: content_block_delta\ndata: " + orjson.dumps(told_so) + b"\n\n"


def typed(kind: str, delta: str, first: bool = True) -> bytes:
    members = {"type": kind, "delta": delta} if first else {"delta": delta, "type": kind}
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(members) + b"\n\n"


WORDS = " the of water and people for long"  # seven tokens


@pytest.mark.parametrize("operation, event", [
    ("chat", chunk(reasoning_content=WORDS)),
    ("chat", chunk(reasoning=WORDS)),
    ("chat", chunk(reasoning=WORDS, reasoning_content=WORDS)),  # one thought, said twice
    ("chat", b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"text":"%s"}]}\n\n' % (
        WORDS.encode(), WORDS.encode())),
    ("chat", chunk(refusal=WORDS)),
    ("chat", chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": WORDS}]}])),
    ("chat", chunk(audio={"id": "a", "transcript": WORDS})),
    ("chat", chunk(audio={"id": "a", "data": base64.b64encode(bytes(2400 * 7)).decode()})),
    ("responses", typed("response.refusal.delta", WORDS)),
    ("responses", typed("response.reasoning_text.delta", WORDS)),
    ("responses", typed("response.reasoning_summary_text.delta", WORDS, first=False)),
    ("responses", typed("response.output_audio.delta",
                        base64.b64encode(bytes(2400 * 7)).decode())),
    ("messages", block(type="thinking_delta", thinking=WORDS)),
    ("messages", block(type="compaction_delta", content=WORDS)),
])  # fmt: skip
def test_whatever_is_generated_is_counted(capped, operation, event):
    for way in ("whole", "bytes"):
        pieces = pieces_of(event * 6, way, random.Random(SEED))
        answer = play(capped(22), operation, 22, pieces, model="gpt-4o")
        assert answer.body.startswith(event * 3 + b": FGW-951")
        assert capped(22).one(Close).tokens.output == 21


def test_thoughts_text_and_calls_of_one_answer_add_up(capped):
    events = [chunk(reasoning_content=WORDS), chunk(content=WORDS),
              chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"city": "Pari'}}]),
              chunk(content=WORDS)]  # 7 + 7 + 4 + 7
    stream = b"".join(events)
    assert play(capped(25), "chat", 25, [stream]).body == stream
    answer = play(capped(24), "chat", 24, [stream])
    assert answer.body.startswith(b"".join(events[:3]) + b": FGW-951")


@pytest.mark.parametrize("operation", ["chat", "messages"])
def test_text_behind_a_beginning_too_large_to_be_held_does_not_pass(capped, operation):
    """The beginning is gone, so the stream is broken off: neither an ending nor the text."""
    said = {"chat": b'"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n',
            "messages": b'"type":"content_block_delta","delta":{"text":"%s"}}\n\n'}[operation]
    said %= b" water" * 30
    event = b'data: {"padding":"' + b"x" * 200_000 + b'",' + said
    stream = chunk() + event
    pieces = [stream[at:at + 50_000] for at in range(0, len(stream), 50_000)]
    one = capped(12)
    client = one.connect()
    client.feed(asked(operation, 12))
    one.upstream.feed(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Connection: close\r\n\r\n")
    for piece in pieces:
        one.upstream.feed(piece)
    assert b"water" not in client.transport.sent and b"FGW-951" not in client.transport.sent
    assert not client.transport.sent.endswith(b"0\r\n\r\n") and client.transport.closed
    close = one.one(Close)
    assert (close.fate, close.code, close.tokens.output) == (FATE_CUT_BY_CAP, 951, 0)
    # With room for it, it goes whole.
    assert play(capped(1000), operation, 1000, pieces).body == stream


def test_a_tracked_meter_without_a_tokenizer_counts_events():
    meter = Meter("openai", "chat", streaming=True, tracked=True)
    meter.feed(chunk(content=WORDS) * 3 + chunk(audio={"data": "x" * 99}))
    assert meter.output == 3
