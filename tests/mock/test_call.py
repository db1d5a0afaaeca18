"""Goal: a request is understood and weighed as `fastgw.mock` says.

Method: bodies one by one; the expected number of tokens is worked out in the test's own words.
"""

import json

import pytest

from fastgw.mock.call import Call, read_call, text_bytes
from fastgw.mock.refusal import Refusal


def read(operation: str, forced: bool = False, **body: object) -> Call:
    return read_call(operation, json.dumps({"model": "m", **body}).encode(), forced)


def turn(content: object, role: str = "user") -> dict:
    return {"role": role, "content": content}


@pytest.mark.parametrize(("operation", "body", "tokens"), [
    ("chat", {"messages": [turn("12345678")]}, 3 + 2),
    ("chat", {"messages": [turn("123"), turn("45")]}, 6 + 2),
    ("chat", {"messages": [turn(None, "assistant"), turn([{"type": "text", "text": "1234"}])]},
     6 + 1),
    ("chat", {"messages": []}, 0),
    ("messages", {"messages": [turn("1234")], "system": "1234", "max_tokens": 1}, 3 + 2),
    ("messages", {"messages": [turn("1234")], "max_tokens": 1,
                  "system": [{"type": "text", "text": "1"}]}, 3 + 2),
    ("count_tokens", {"messages": [turn("1234")]}, 3 + 1),
    ("responses", {"input": "1234", "instructions": "12345"}, 3 + 3),
    ("responses", {"input": [turn("1234"), {"type": "function_call_output", "output": "1234"}]},
     6 + 2),
    ("completions", {"prompt": "12345"}, 2),
    ("completions", {"prompt": [1, 2, 3]}, 3),
    ("embeddings", {"input": ["12345", ""]}, 2 + 1),
    ("embeddings", {"input": [[1, 2], [3]]}, 3),
])
def test_input_is_counted_by_the_stated_rule(operation: str, body: dict, tokens: int) -> None:
    assert read(operation, **body).input_tokens == tokens


def test_text_is_counted_in_bytes_of_utf_8() -> None:
    assert text_bytes("é") == 2 and text_bytes(["ab", {"text": "c", "type": "text"}]) == 3
    assert text_bytes({"type": "image_url", "image_url": {"url": "x" * 99}}) == 0


def test_tools_weigh_their_json() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    size = len(json.dumps(tools, separators=(",", ":")))
    assert read("chat", messages=[], tools=tools).input_tokens == -(-size // 4)


@pytest.mark.parametrize(("operation", "body", "limit"), [
    ("chat", {"max_tokens": 5}, 5), ("chat", {"max_completion_tokens": 7, "max_tokens": 5}, 5),
    ("chat", {"max_tokens": None}, None), ("messages", {"max_tokens": 9}, 9),
    ("completions", {"max_tokens": 4, "prompt": ""}, 4),
    ("responses", {"max_output_tokens": 3, "input": ""}, 3),
])
def test_limit_is_the_smallest_that_was_given(operation: str, body: dict, limit: int) -> None:
    assert read(operation, **{"messages": [], **body}).limit == limit


@pytest.mark.parametrize(("operation", "body"), [
    ("chat", {}), ("chat", {"messages": "x"}), ("chat", {"messages": [], "model": 3}),
    ("chat", {"messages": [], "n": 0}), ("chat", {"messages": [], "max_tokens": "5"}),
    ("chat", {"messages": [], "max_tokens": True}), ("messages", {"messages": []}),
    ("responses", {}), ("embeddings", {}), ("completions", {"prompt": {}}),
])
def test_wrong_bodies_are_refused(operation: str, body: dict) -> None:
    with pytest.raises(Refusal) as caught:
        read(operation, **body)
    assert caught.value.status == 400


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(("body", "forced", "called"), [
    ({"tools": [TOOL]}, False, False), ({"tools": [TOOL]}, True, True), ({}, True, False),
    ({"tools": [TOOL], "tool_choice": "required"}, False, True),
    ({"tools": [TOOL], "tool_choice": "none"}, False, False),
    ({"tools": [TOOL], "tool_choice": {"type": "auto"}}, False, False),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}}, False, True),
    ({"tools": [TOOL], "messages": [turn("please tool=1")]}, False, True),
    ({"tools": [TOOL], "messages": [turn("tool=1"), turn("thanks")]}, False, False),
    ({"tools": [{"type": "web_search"}]}, True, False),
])
def test_tool_is_called_where_somebody_asks(body: dict, forced: bool, called: bool) -> None:
    call = read("chat", forced, **{"messages": [turn("hi")], **body})
    assert (call.tool is not None) is called
