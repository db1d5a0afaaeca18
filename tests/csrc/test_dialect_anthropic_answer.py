"""Answers of the anthropic dialect: what no recording shows.

Method: events written here, fed at every cut where it matters.
"""

import json

import pytest

from fastgw.dialect.meter import Meter


def event_of(**members) -> bytes:
    name = members["type"].encode()
    return b"event: " + name + b"\ndata: " + json.dumps(members).encode() + b"\n\n"


def start_event(identity: str, tokens: int, **more) -> bytes:
    usage = {"input_tokens": tokens, "output_tokens": 1, **more}
    message = {"id": identity, "model": "claude", "usage": usage}
    return event_of(type="message_start", message=message)


def delta_event(tokens: int, **more) -> bytes:
    usage = {"output_tokens": tokens, "input_tokens": None, **more}
    return event_of(type="message_delta", delta={"stop_reason": "end_turn"}, usage=usage)


def read(*events: bytes) -> Meter:
    meter = Meter("anthropic", "messages", streaming=True)
    meter.feed(b"".join(events))
    return meter


@pytest.mark.parametrize(
    "document, flags",
    [
        ({"type": "error", "error": {"type": "overloaded_error"}}, {"error"}),
        ({"type": "ping"}, set()),
        ({"type": "message_stop"}, {"done"}),
        ({"type": "content_block_delta", "delta": {"thinking": "a"}}, {"text"}),
        ({"type": "content_block_delta", "delta": {"partial_json": "{"}}, {"text"}),
        ({"type": "content_block_delta", "delta": {"signature": "a"}}, set()),
        ({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}, set()),
        (
            {"type": "content_block_start", "content_block": {"content": [{"text": "found"}]}},
            set(),
        ),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"finish"}),
    ],
)
def test_an_event_is_what_it_says(document, flags):
    meter = Meter("anthropic", "messages", streaming=True)
    ended = meter.feed(event_of(**document))
    expected = flags | {"dispatch"}
    if document["type"] == "error":
        expected |= {"error"}
    assert [got for _, got, _ in ended] == [expected]


def test_what_the_start_says_is_not_the_last_word():
    classes, flags = read(start_event("a", 10)).usage()
    assert (classes["input"], flags) == (10, {"partial"})


def test_the_delta_overwrites_field_by_field():
    start = start_event("a", 10, cache_read_input_tokens=3, cache_creation_input_tokens=9,
                        cache_creation={"ephemeral_1h_input_tokens": 4})  # fmt: skip
    more = {"input_tokens": 12, "cache_read_input_tokens": None}
    details = {"thinking_tokens": 2}
    meter = read(start, delta_event(5, **more, output_tokens_details=details))
    classes, flags = meter.usage()

    assert flags == {"provider"}
    assert {name: count for name, count in classes.items() if count} == {
        "input": 12, "cached_input": 3, "cache_write": 5, "cache_write_1h": 4,
        "output": 3, "reasoning": 2,
    }  # fmt: skip


def test_a_repeated_message_start_counts_once_and_another_message_on_top():
    meter = read(start_event("a", 10), delta_event(5), start_event("a", 10))
    classes, flags = meter.usage()
    assert (classes["input"], classes["output"], flags) == (10, 5, {"provider"})

    meter.feed(start_event("b", 100) + delta_event(50))
    classes, _ = meter.usage()
    assert (classes["input"], classes["output"], meter.id) == (110, 55, "b")


def passes(*rows) -> list[dict]:
    return [
        {"type": kind, "input_tokens": put_in, "output_tokens": out, "model": "x"}
        for kind, put_in, out in rows
    ]


def test_passes_beside_the_conversation_are_added_at_any_cut():
    listed = passes(("compaction", 100, 7), ("message", 10, 5), ("advisor_message", 20, 2),
                    ("fallback_message", 1, 1))  # fmt: skip
    body = start_event("a", 10, iterations=passes(("compaction", 9999, 1)))
    body += delta_event(5, iterations=listed)
    for at in range(len(body)):
        meter = Meter("anthropic", "messages", streaming=True)
        meter.feed(body[:at])
        meter.feed(body[at:])
        classes, flags = meter.usage()
        assert (classes["input"], classes["output"]) == (10 + 100 + 20, 5 + 7 + 2)
        assert flags == {"provider", "iterations", "other_model"}
        assert meter.report["input"] == 10


def test_counting_tokens_is_not_billed():
    meter = Meter("anthropic", "count_tokens", streaming=False)
    meter.feed(b'{"input_tokens": 12}')
    meter.end()
    assert meter.report["input"] == 12
    assert meter.usage() == (dict.fromkeys(meter.usage()[0], 0), frozenset())
