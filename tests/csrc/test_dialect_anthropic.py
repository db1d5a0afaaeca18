"""The anthropic dialect's request spec finds text, binaries and open ends where the API has them.

Method: bodies of the API's own reference (that the tables are sound: test_dialect_openai).
"""

import orjson
import pytest

from fastgw.dialect.request import Ask, Route

MESSAGES = Route("POST", "/v1/messages")
TOOL_RESULT = {"type": "tool_result", "tool_use_id": "t"}


def ask(body: dict) -> Ask:
    return Ask(MESSAGES, orjson.dumps({"model": "m", "max_tokens": 9, **body}))


def block(**members) -> dict:
    return {"messages": [{"role": "user", "content": [members]}]}


@pytest.mark.parametrize(
    "body",
    [
        {"system": "some words", "messages": []},
        {"system": [{"type": "text", "text": "some words", "cache_control": {"type": "x"}}]},
        {"messages": [{"role": "user", "content": "some words"}]},
        block(type="text", text="some words"),
        block(**TOOL_RESULT, content="some words"),
        block(**TOOL_RESULT, content=[{"type": "text", "text": "some words"}]),
        block(type="document", source={"type": "content", "content": "some words"}),
    ],
)
def test_text_is_found(body):
    assert ask(body).sizes["text"] == 10


def test_what_a_tool_was_called_with_is_text_and_a_signature_is_none():
    assert ask(block(type="tool_use", id="i", input={"a": ["b", 1]})).sizes["text"] == 2
    assert ask(block(type="thinking", thinking="ab", signature="x" * 99)).sizes["text"] == 2


def test_binaries_are_counted_apart():
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 40}
    got = ask(block(type="image", source=source))
    assert (got.sizes["binary"], got.sizes["binaries"], got.sizes["text"]) == (40, 1, 0)
    assert not got.unbounded


@pytest.mark.parametrize(
    "body, unbounded",
    [
        ({"tools": [{"name": "f"}, {"type": "bash_20250124"}, {"type": "custom"}]}, False),
        ({"tools": [{"type": "web_search_20250305"}]}, True),
        ({"mcp_servers": [{"url": "x"}]}, True),
        ({"mcp_servers": []}, False),
        (block(type="image", source={"type": "url", "url": "u"}), True),
        (block(type="image", source={"type": "file", "file_id": "f"}), True),
        (block(type="document", source={"media_type": "application/pdf", "data": "AAAA"}), True),
        (block(type="document", source={"media_type": "text/plain", "data": "words"}), False),
    ],
)  # fmt: skip
def test_input_that_the_body_does_not_bound_is_told(body, unbounded):
    assert ask(body).unbounded == unbounded


def test_user_limit_and_further_models():
    got = ask({"metadata": {"user_id": "é" * 100}, "fallbacks": [{"model": "n"}], "messages": []})
    assert (got.user, got.output_limit, got.more_models) == ("é" * 64, 9, True)
