"""Endings: a stream cut at a cap ends as the provider itself would end it, for SDK and meter
alike."""

import openai
import pytest

from fastgw.dialect.endings import stream_end
from fastgw.dialect.meter import Meter


def end_of(operation: str, **more) -> bytes:
    return stream_end(operation, identity="i", model="m", reason="FGW-403\r\ndata: x", **more)


@pytest.mark.parametrize(
    "dialect, operation",
    [("openai", "chat"), ("openai", "completions"), ("openai", "responses"),
     ("anthropic", "messages")],
)  # fmt: skip
def test_an_ending_is_one_by_its_own_rules(dialect, operation):
    meter = Meter(dialect, operation, streaming=True)
    ended = meter.feed(end_of(operation, **({"open_block": 2} if dialect == "anthropic" else {})))

    assert meter.ever >= {"finish", "done"}
    assert not meter.ever & {"error", "broken", "text"}
    assert ended[0][1] == set()  # the comment
    assert ended[-1][0] == len(end_of(operation, **(
        {"open_block": 2} if dialect == "anthropic" else {})))  # fmt: skip


def test_the_sdks_types_take_it():
    chunk = end_of("chat").split(b"data: ")[2].split(b"\n\n")[0]
    parsed = openai.types.chat.ChatCompletionChunk.model_validate_json(chunk)
    assert parsed.choices[0].finish_reason == "length"
    assert b"content_block_stop" not in end_of("messages")
