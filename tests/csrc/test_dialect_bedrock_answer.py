"""Bedrock: converse and invoke, bodies and binary streams, give the usage that the model tells.

Method: the recorded answers (skipped where absent), at any cut, against the manifest's numbers and
what the head or the metrics count besides; then messages of our own, framed here, for faults and
what no recording shows.
"""

import base64
import json
import sys
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

sys.path.insert(0, str(Path(__file__).parent))
from recorded import body_of, names, read, rows, state, totals, ways  # noqa: E402
from test_event_stream import message, text  # noqa: E402

ROWS = [row for row in rows("bedrock") if row["status"] == 200]
COUNTS = ("input", "output", "cache-read-input", "cache-write-input")


def meter_for(row: dict) -> Meter:
    operation = "converse" if row["api"].startswith("converse") else "invoke"
    meter = Meter("bedrock", operation, streaming="frames" if row["streaming"] else False)
    head = row["response_headers"]
    meter.take_counts(*(int(head.get(f"x-amzn-bedrock-{name}-token-count", -1))
                        for name in COUNTS))
    return meter


def frame(kind: str, payload: dict | bytes, exception: bool = False) -> bytes:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    name = ":exception-type" if exception else ":event-type"
    return message(text(name, kind) + text(":content-type", "application/json")
                   + text(":message-type", "exception" if exception else "event"), raw)


def chunk(event: dict, **more: str) -> bytes:
    inner = base64.b64encode(json.dumps(event).encode()).decode()
    return frame("chunk", {**more, "bytes": inner, "p": "abcdefg"})


def stream(*frames: bytes, operation: str = "converse") -> list[Meter]:
    """One meter for each way to cut, all of which say the same."""
    found = [read(Meter("bedrock", operation, streaming="frames"), pieces)
             for pieces in ways(b"".join(frames))]
    assert all(state(one) == state(found[0]) for one in found)
    return found


def test_the_recordings_are_here():
    if not ROWS:
        pytest.skip("no ../shared/vectors here")
    assert len(ROWS) >= 30


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_recorded_answers_give_their_usage_at_any_cut(row):
    body, told, seen = body_of(row), row["expected_usage"], []
    cached, written = told["cached_input"] or 0, told["cache_write"] or 0
    for pieces in ways(body):
        meter = read(meter_for(row), pieces)
        classes, flags = meter.usage()
        assert totals(classes) == (told["input"] + cached + written, told["output"] or 0)
        assert (classes["cached_input"], classes["cache_write"]) == (cached, written)
        assert "provider" in flags and "error" not in meter.ever
        if row["streaming"]:
            assert {"finish", "done"} <= meter.ever and meter.output_bytes > 0
        assert ("beside" in flags) == (meter.beside["output"] not in
                                       (None, meter.report["output"]))
        seen.append(state(meter))
    assert all(one == seen[0] for one in seen)


def test_the_models_own_count_is_billed_where_the_service_counts_otherwise():
    """The recorded tool call of Claude: 133 by the model, 97 by invocationMetrics."""
    found = [row for row in ROWS if row["name"].startswith("bedrock.invoke-stream.stream.16.")]
    if not found:
        pytest.skip("no ../shared/vectors here")
    meter = read(meter_for(found[0]), [body_of(found[0])])

    assert (meter.report["output"], meter.beside["output"]) == (133, 97)
    assert meter.usage()[1] == {"provider", "beside"}


CONVERSE = [
    frame("messageStart", {"role": "assistant", "p": "ab"}),
    frame("contentBlockDelta", {"delta": {"text": "hi"}, "contentBlockIndex": 0}),
    frame("contentBlockDelta", {"delta": {"reasoningContent": {"text": "hm"}}}),
    frame("contentBlockDelta", {"delta": {"toolUse": {"input": "{}"}}}),
    frame("messageStop", {"stopReason": "end_turn"}),
    frame("metadata", {"usage": {
        "inputTokens": 10, "outputTokens": 5, "totalTokens": 65, "cacheReadInputTokens": 20,
        "cacheWriteInputTokens": 30,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 12}, {"ttl": "5m", "inputTokens": 18}]}}),
]


def test_writes_to_a_cache_are_told_apart_by_their_lifetime():
    for meter in stream(*CONVERSE):
        classes, flags = meter.usage()
        assert (classes["input"], classes["cached_input"]) == (10, 20)
        assert (classes["cache_write"], classes["cache_write_1h"]) == (18, 12)
        assert (flags, meter.output_bytes, meter.text_events) == ({"provider"}, 6, 3)


def test_a_stream_that_is_cut_has_no_final_numbers():
    for upto in range(len(CONVERSE)):
        assert "provider" not in stream(*CONVERSE[:upto])[0].usage()[1]
    raw = b"".join(CONVERSE)
    meter = read(Meter("bedrock", "converse", streaming="frames"), [raw[:-1]])
    assert meter.usage()[1] == frozenset() and "broken" in meter.ever


@pytest.mark.parametrize("kind", [
    "internalServerException", "modelStreamErrorException", "throttlingException",
    "validationException", "modelTimeoutException", "serviceUnavailableException"])
@pytest.mark.parametrize("operation", ["converse", "invoke"])
def test_an_exception_in_the_stream_is_an_error(kind, operation):
    first = CONVERSE[1] if operation == "converse" else chunk({"generation": "hi"})
    meter = stream(first, frame(kind, {"message": "no"}, True), operation=operation)[0]

    assert "error" in meter.ever and "broken" not in meter.ever
    assert (meter.output_bytes, meter.usage()[1]) == (2, frozenset())


def test_what_stands_in_a_message_with_a_wrong_sum_is_not_believed():
    wrong = bytearray(CONVERSE[-1])
    wrong[-1] ^= 1
    meter = stream(*CONVERSE[:-1], bytes(wrong), CONVERSE[-1])[0]

    assert meter.usage()[1] == frozenset() and "broken" in meter.ever


def test_claude_inside_chunks_is_read_at_its_start_and_its_end():
    start = chunk({"type": "message_start", "message": {"id": "m1", "model": "claude", "usage": {
        "input_tokens": 9, "output_tokens": 2, "cache_creation_input_tokens": 4,
        "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 3}}}})
    delta = chunk({"type": "content_block_delta", "delta": {"text": "héllo"}}, bytez="AAAA")
    end = chunk({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                 "usage": {"output_tokens": 6}})

    begun = stream(start, delta, operation="invoke")[0]
    assert begun.usage()[1] == {"partial"} and begun.id == "m1"
    classes, flags = stream(start, delta, end, operation="invoke")[0].usage()
    assert flags == {"provider"} and totals(classes) == (13, 6)
    assert (classes["cache_write"], classes["cache_write_1h"]) == (1, 3)


def test_titans_results_are_added_up():
    body = {"inputTextTokenCount": 3.0, "results": [{"tokenCount": 4.0, "outputText": "a"},
                                                    {"tokenCount": 5.0, "outputText": "b"}]}
    meter = Meter("bedrock", "invoke", streaming=False)
    assert totals(read(meter, [json.dumps(body).encode()]).usage()[0]) == (3, 9)


@pytest.mark.parametrize("payload, inner", [
    (b'{"bytes":"eyJnZW5lcmF0aW9uIjoiYSJ9"}', 1),
    (b'{"p":"\\"bytes\\":\\"x","bytes" : "eyJnZW5lcmF0aW9uIjoiYSJ9" }', 1),
    (b'{"q":{"bytes":"zzzz"},"r":["bytes"],"bytes":"eyJnZW5lcmF0aW9uIjoiYSJ9"}', 1),
    (b'{"bytes":"eyJnZW5lcmF0aW9uIjoiL1wvPz8+Pn4ifQ=="}', 7),
    (b'{"bytes":"eyJnZW5lcmF0aW9uIjoiLz8\\/Pj4+In0="}', 6),
    (b'{"bytez":"eyJnZW5lcmF0aW9uIjoiYSJ9"}', 0),
])
def test_the_bytes_are_found_wherever_they_stand(payload, inner):
    value = json.loads(payload).get("bytes")
    if value:
        expected = json.loads(base64.b64decode(value))["generation"]
        inner = len(expected)
    assert stream(frame("chunk", payload), operation="invoke")[0].output_bytes == inner
