"""Endings: a stream cut at a cap ends as the provider would end it, for SDK and meter alike.

Method: streams as the mock tells them are read by a tracked meter as far as each of their events,
whole and at every cut; the ending made from what it kept is read by a second meter, and by plain
code that follows the API's own rules.
"""

import openai
import orjson
import pytest

from fastgw.dialect.face import Cut
from fastgw.dialect.faces import stream_end
from fastgw.dialect.meter import Meter
from fastgw.mock import anthropic, openai_chat, openai_responses
from fastgw.mock.asked import Asked, parse
from fastgw.mock.call import Call
from fastgw.mock.shape import shape_of
from fastgw.mock.words import Words

APIS = [("openai", "chat"), ("openai", "completions"), ("openai", "responses"),
        ("anthropic", "messages")]  # fmt: skip
MODULES = {"chat": openai_chat, "completions": openai_chat, "responses": openai_responses,
           "messages": anthropic}  # fmt: skip


def told(operation: str, newline: bytes = b"\n", choices: int = 1, tool=None,
         **asked) -> list[bytes]:
    """The events of one stream, as the mock has them."""
    call = Call(operation, "gpt-4o", stream=True, choices=choices, tool=tool)
    options = parse(",".join(f"{name}={value}" for name, value in asked.items()), Asked(events=4))
    frames = MODULES[operation].frames(call, shape_of(call, options, Words(1)))
    return [
        (b"event: " + one.event.encode() + newline if one.event else b"")
        + b"data: " + one.payload + newline + newline
        for one in frames
    ]  # fmt: skip


def documents(stream: bytes) -> list:
    """What the data lines of an LF stream say."""
    lines = [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


def cut_before(dialect: str, operation: str, events: list[bytes], number: int, pieces=None,
               choices: int = 1) -> Cut:
    """Where the stream stands when event `number` is the one not to be passed on."""
    meter = Meter(dialect, operation, streaming=True, tracked=True)
    for piece in pieces or [b"".join(events[: number + 1])]:
        meter.feed(piece)
    return Cut(**meter.cut, choices=choices, reason="FGW-951\r\ndata: x", output_tokens=number,
               input_tokens=7, fastgw={"code": "FGW-951"})  # fmt: skip


@pytest.mark.parametrize("dialect, operation", APIS)
def test_from_every_event_on_a_stream_can_be_ended_by_its_own_rules(dialect, operation):
    events = told(operation)
    for number in range(len(events) - (operation == "messages")):
        cut = cut_before(dialect, operation, events, number)
        ending = stream_end(dialect, operation, cut)

        meter = Meter(dialect, operation, streaming=True)
        ended = meter.feed(b"".join(events[:number]) + ending)
        assert meter.ever >= {"finish", "done"} and not meter.ever & {"error", "broken"}, number
        assert ended[-1][0] == len(b"".join(events[:number]) + ending)
        last = Meter(dialect, operation, streaming=True)
        assert last.feed(ending)[0][1] == set()  # the comment
        assert "text" not in last.ever
        assert b"FGW-951" in ending.partition(b"\n")[0]
        assert b'"fastgw":{"code":"FGW-951"}' in ending or operation in ("chat", "completions")


@pytest.mark.parametrize("operation", ["chat", "completions"])
def test_every_choice_gets_exactly_one_reason(operation):
    events = told(operation, choices=5)
    for number in range(len(events) - 1):
        cut = cut_before("openai", operation, events, number, choices=5)
        seen = documents(b"".join(events[:number]) + stream_end("openai", operation, cut))
        reasons = [choice["index"] for one in seen for choice in one["choices"]
                   if choice["finish_reason"]]  # fmt: skip
        assert sorted(reasons) == [0, 1, 2, 3, 4], number
        assert {one["id"] for one in seen} == {seen[0]["id"]}
        assert {one["created"] for one in seen} == {seen[0]["created"]} != {0}


def test_the_usage_chunk_comes_to_those_who_asked_for_it():
    cut = Cut("i", "m", usage=True, input_tokens=7, output_tokens=5)
    *chunks, usage = documents(stream_end("openai", "chat", cut))
    assert [one["usage"] for one in chunks] == [None] and usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    cut.usage = False
    assert all("usage" not in one for one in documents(stream_end("openai", "chat", cut)))


def test_every_content_block_that_was_begun_is_closed():
    def opens(index):
        block = {"type": "content_block_start", "index": index,
                 "content_block": {"type": "text", "text": ""}}  # fmt: skip
        return b"event: content_block_start\ndata: " + orjson.dumps(block) + b"\n\n"

    def stops(index):
        stop = {"type": "content_block_stop", "index": index}
        return b"event: content_block_stop\ndata: " + orjson.dumps(stop) + b"\n\n"

    start = told("messages")[0]
    events = [start, opens(70), opens(71), stops(70), opens(72), stops(72), stops(9)]
    open_at = [(), (), (70,), (70, 71), (71,), (71, 72), (71,)]
    for number, blocks in enumerate(open_at):
        cut = cut_before("anthropic", "messages", events, number)
        assert (cut.blocks, cut.begun) == (blocks, number > 0)
        seen = documents(stream_end("anthropic", "messages", cut))
        assert [one["index"] for one in seen if one["type"] == "content_block_stop"] == [*blocks]
        assert (seen[0]["type"] == "message_start") == (number == 0)


def test_a_response_is_numbered_on_and_has_what_the_sdk_needs():
    events = told("responses")
    for number in range(len(events)):
        cut = cut_before("openai", "responses", events, number)
        seen = documents(b"".join(events[:number]) + stream_end("openai", "responses", cut))
        assert [one["sequence_number"] for one in seen] == list(range(len(seen)))
        assert seen[0]["type"] == "response.created"
        response = seen[-1]["response"]
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["output"] == [] and response["usage"]["output_tokens"] == number
        assert response["id"] == seen[0]["response"]["id"]
        assert response["created_at"] == seen[0]["response"]["created_at"]
        openai.types.responses.Response.model_validate(response)


def test_output_is_what_is_certain_and_no_more():
    def count(operation, *lines):
        dialect = "anthropic" if operation == "messages" else "openai"
        meter = Meter(dialect, operation, streaming=True, tracked=True)
        counts = []
        for line in lines:
            meter.feed(b"data: " + orjson.dumps(line) + b"\n\n")
            counts.append(meter.output)
        return counts

    text = {"choices": [{"index": 0, "delta": {"content": "some words here"}}]}
    said = {**text, "usage": {"prompt_tokens": 9, "completion_tokens": 40}}
    assert count("chat", text, text, said, text) == [1, 2, 40, 40]
    # What message_start has is a placeholder, larger than many an answer.
    start = {"type": "message_start", "message": {"id": "m", "usage": {
        "input_tokens": 5, "output_tokens": 8}}}  # fmt: skip
    piece = {"type": "content_block_delta", "index": 0,
             "delta": {"type": "text_delta", "text": "a"}}  # fmt: skip
    delta = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 30}}
    assert count("messages", start, piece, delta, piece) == [0, 1, 30, 30]


@pytest.mark.parametrize("dialect, operation", APIS)
def test_a_tracked_meter_says_the_same_as_any_other(dialect, operation):
    stream = b"".join(told(operation, choices=3 if operation == "chat" else 1, usage="every"))
    plain = Meter(dialect, operation, streaming=True)
    tracked = Meter(dialect, operation, streaming=True, tracked=True)
    assert plain.feed(stream) == tracked.feed(stream)
    assert (plain.usage(), plain.ever, plain.id, plain.model, plain.output_bytes) == (
        tracked.usage(), tracked.ever, tracked.id, tracked.model, tracked.output_bytes)
