"""Answers of the openai dialect: what no recording shows, and what tries to fool a meter.

Method: events written here; every flag of an event is checked, not only the one in question.
"""

import json

import pytest

from fastgw.dialect.meter import Meter


def chat_event(**members) -> bytes:
    return b"data: " + json.dumps(members).encode() + b"\n\n"


def delta(content: str, finish: str | None = None) -> dict:
    return {"index": 0, "delta": {"content": content}, "finish_reason": finish}


USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def chat(*events: bytes, hide: bool = False) -> tuple[Meter, list]:
    meter = Meter("openai", "chat", streaming=True, hide_usage=hide)
    ended = meter.feed(b"".join(events))
    meter.end()
    return meter, ended


def test_content_that_looks_like_usage_or_an_end_is_content():
    trap = '"usage":{"prompt_tokens":9} data: [DONE]\n\ndata: [DONE]\n\n{"error":{}}'
    meter, _ = chat(chat_event(choices=[delta(trap)]), chat_event(choices=[{"delta": {"content": [
        {"type": "text", "text": "x", "usage": USAGE, "error": {"a": 1}}]}}]))  # fmt: skip

    assert meter.usage() == (dict.fromkeys(meter.usage()[0], 0), frozenset())
    assert meter.ever == {"dispatch", "text"}
    assert meter.output_bytes == len(trap.encode()) + 1


def test_only_the_usage_chunk_is_hidden_and_only_when_asked():
    events = [
        chat_event(choices=[delta("a")], usage=None), chat_event(choices=[delta("", "stop")]),
        chat_event(choices=[], usage=None), chat_event(choices=[], usage=USAGE),
        b"data: [DONE]\n\n",
    ]  # fmt: skip
    for hide in (True, False):
        meter, ended = chat(*events, hide=hide)
        assert ["hide" in flags for _, flags, _ in ended] == [False, False, False, hide, False]
        assert meter.report["output"] == 5
    kept = chat(chat_event(choices=[delta("", "stop")], usage=USAGE), hide=True)[1]
    assert "hide" not in kept[0][1]


def test_the_last_usage_that_says_something_wins():
    filler = dict.fromkeys(USAGE, 0)
    more = {**USAGE, "completion_tokens": 6, "total_tokens": 13}
    meter, _ = chat(
        chat_event(choices=[], usage=USAGE), chat_event(choices=[], usage=more),
        chat_event(choices=[], usage=None), chat_event(choices=[], usage={}),
        chat_event(choices=[delta("x")], usage=filler), b"data: [DONE]\n\n",
    )  # fmt: skip

    assert (meter.report["input"], meter.report["output"]) == (7, 6)


def test_a_stream_cut_short_has_partial_usage_at_best():
    meter, _ = chat(chat_event(choices=[delta("x")], usage=USAGE))
    assert meter.usage()[1] == {"partial"}


def test_zeros_beside_output_are_not_believed():
    meter, _ = chat(chat_event(choices=[delta("text", "stop")], usage=dict.fromkeys(USAGE, 0)))

    assert meter.usage()[1] == {"zero"}


@pytest.mark.parametrize(
    "end", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data: [DONE] \n\n"]
)
def test_every_way_to_write_the_end_is_an_end(end):
    for at in range(len(end)):
        meter = Meter("openai", "chat", streaming=True)
        meter.feed(end[:at])
        meter.feed(end[at:])
        assert meter.ever == {"dispatch", "done"}


@pytest.mark.parametrize(
    "operation, event, flags",
    [
        ("chat", b'data: {"error":{"message":"x","code":500}}', {"error"}),
        ("chat", b'data: {"error":"overloaded"}', {"error"}),
        ("chat", b'event: error\ndata: {"message":"x"}', {"error"}),
        ("chat", b'data: {"error":null,"choices":[]}', set()),
        ("chat", b"data: {broken", {"broken"}),
        ("chat", b"data: [DONE]x", {"broken"}),
        ("chat", b"data: {x\ndata: [DONE]", {"broken"}),
        ("chat", b"data:\ndata: [DONE]", {"broken"}),
        ("responses", b'data: {"type":"error","code":"x"}', {"error", "done"}),
        ("responses", b'data: {"type":"response.incomplete","response":{}}', {"done", "finish"}),
        ("responses", b'data: {"type":"response.failed","response":{"error":{"a":1}}}',
         {"done", "finish", "error"}),
        ("responses", b'data: {"type":"response.output_text.delta","delta":"ab"}', {"text"}),
        ("responses", b'data: {"type":"response.output_text.done","text":"ab"}', set()),
        ("responses", b'data: {"type":"response.audio.delta","delta":"QUJD"}', set()),
        ("audio", b'data: {"type":"transcript.text.done","text":"a"}', {"done", "finish"}),
    ],
)  # fmt: skip
def test_an_event_is_what_it_says(operation, event, flags):
    meter = Meter("openai", operation, streaming=True)
    ended = meter.feed(event + b"\n\n")
    assert [got for _, got, _ in ended] == [flags | {"dispatch"}]


@pytest.mark.parametrize("name", ["num_sources_used", "num_search_queries"])
def test_searches_of_vendors_are_units(name):
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, name: 3}
    body = json.dumps({"choices": [{"message": {"content": "a"}}], "usage": usage}).encode()
    for at in range(len(body)):
        meter = Meter("openai", "chat", streaming=False)
        meter.feed(body[:at])
        meter.feed(body[at:])
        meter.end()
        assert meter.units()["searches"] == 3
    streamed = Meter("openai", "chat", streaming=True)
    streamed.feed(b'data: ' + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
    assert streamed.units()["searches"] == 3


def test_the_first_name_given_is_kept():
    meter, _ = chat(chat_event(id="", model="", choices=[]), chat_event(id="i", model="m" * 300),
                    chat_event(id="j", model="n"))  # fmt: skip

    assert (meter.id, meter.model) == ("i", "m" * 128)


def test_a_last_event_without_its_blank_line_still_counts():
    meter = Meter("openai", "chat", streaming=True)
    meter.feed(b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}')
    assert meter.events == 0
    meter.end()
    meter.end()
    assert (meter.events, meter.report["output"]) == (1, 2)


def test_several_lines_are_one_document():
    body = (
        b'data: {"choices":[{"delta":{"content":\r\ndata: "ab"}}],\r\ndata: "usage":null}\r\n\r\n'
    )
    for at in range(len(body)):
        meter = Meter("openai", "chat", streaming=True)
        ended = meter.feed(body[:at]) + meter.feed(body[at:])
        assert [(flags, text) for _, flags, text in ended if flags] == [({"dispatch", "text"}, 2)]
