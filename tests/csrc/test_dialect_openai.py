"""The openai dialect's request spec: sound as a graph, and it finds text wherever the API has it.

Method: the tables are walked through the C structs (a forgotten initialiser would be slot 0 of
some node); bodies are those of the API's own reference.
"""

import ctypes
import json
import sys
from pathlib import Path

import orjson
import pytest

from fastgw.dialect.request import Ask, Route

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import NO_SLOT, library  # noqa: E402

CHAT = Route("POST", "/v1/chat/completions")
RESPONSES = Route("POST", "/v1/responses")
SPECS = {"openai ask": 0, "openai answer": 1, "anthropic ask": 2, "anthropic answer": 3,
         "gemini ask": 4, "gemini answer": 5, "ollama ask": 6, "ollama answer": 7,
         "cohere ask": 8, "cohere answer": 9, "bedrock ask": 10, "bedrock answer": 11,
         "realtime answer": 12}  # fmt: skip
KEY_MAX, COPY_MAX, HEAD_MAX, SLOTS_MAX = 47, 640, 16, 32


def numbers(function, count: int, *arguments) -> list[int]:
    out = (ctypes.c_int * count)()
    function(*arguments, out)
    return list(out)


@pytest.mark.parametrize("which", SPECS.values(), ids=SPECS.keys())
def test_a_spec_is_sound(which):
    lib = library()
    nodes, slots = numbers(lib.shim_spec_sizes, 2, which)
    used: dict[int, int] = {}
    reached = {0: {0, 1}, 1: {0, 1, 2, 3, 4}, 2: {0, 1}, 3: {0, 1, 2, 3}, 4: {0, 1},
               5: {0, 1, 2}, 7: {0, 1, 2}, 9: {0, 1, 2, 3}}.get(which, {0, 1})
    targets = set()
    for node in range(nodes):
        edges, other, element, slot, text, _ = numbers(lib.shim_spec_node, 6, which, node)
        keys = []
        for edge in range(edges):
            to, length = ctypes.c_int(), ctypes.c_int()
            key = lib.shim_spec_edge(which, node, edge, ctypes.byref(to), ctypes.byref(length))
            assert len(key) == length.value <= KEY_MAX
            keys.append(key)
            targets.add(to.value)
        assert len(set(keys)) == len(keys), f"node {node} names a key twice"
        targets |= {other, element}
        assert slot == NO_SLOT or slot < slots <= SLOTS_MAX
        if slot != NO_SLOT:
            used[slot] = used.get(slot, 0) + 1
        assert text < 8
    assert max(targets) < nodes
    assert reached | targets == set(range(nodes)), "a node that nothing leads to"
    # Only what nodes share on purpose: choices of bodies, of events and of tracked ones; `data[]`
    # of pictures, whose bodies have no choices.
    assert sum(count - 1 for count in used.values()) == {1: 3, 5: 1}.get(which, 0)


@pytest.mark.parametrize("which", SPECS.values(), ids=SPECS.keys())
def test_kept_strings_do_not_overlap(which):
    lib = library()
    _, slots = numbers(lib.shim_spec_sizes, 2, which)
    rooms = sorted(numbers(lib.shim_spec_room, 2, which, slot) for slot in range(slots))
    rooms = [(at, room) for at, room in rooms if room]
    for (at, room), (following, _) in zip(rooms, rooms[1:], strict=False):
        assert at + room <= following
    assert not rooms or rooms[-1][0] + rooms[-1][1] <= COPY_MAX
    assert lib.shim_spec_longest_word(which) <= HEAD_MAX


@pytest.mark.parametrize(
    "body",
    [
        {"input": "some words"},
        {"input": [{"role": "user", "content": "some words"}]},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "some words"}]}]},
        {"instructions": "some words", "input": []},
        {"input": [{"type": "function_call_output", "call_id": "x", "output": "some words"}]},
    ],
)
def test_the_text_of_a_responses_request_is_found(body):
    assert Ask(RESPONSES, orjson.dumps({"model": "m", **body})).sizes["text"] == 10


def test_the_arguments_of_earlier_calls_are_text():
    arguments = json.dumps({"a": "words"})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    got = Ask(CHAT, orjson.dumps({"model": "m", "messages": [message]}))

    assert got.sizes["text"] >= len(arguments)


@pytest.mark.parametrize(
    "route, body, unbounded",
    [
        (CHAT, {"tools": [{"type": "function"}, {"type": "custom"}]}, False),
        (CHAT, {"web_search_options": {"a": 1}}, True),
        (RESPONSES, {"tools": [{"type": "function"}, {"type": "web_search"}]}, True),
        (RESPONSES, {"tools": [{"type": "code_interpreter"}, {"type": "function"}]}, True),
        (RESPONSES, {"previous_response_id": "resp_1"}, True),
        (RESPONSES, {"previous_response_id": None}, False),
        (RESPONSES, {"conversation": {"id": "c"}}, True),
        (RESPONSES, {"prompt": {"id": "p"}}, True),
        (RESPONSES, {"input": [{"type": "input_file", "file_id": "f"}]}, True),
        (RESPONSES, {"input": [{"role": "user", "content": [
            {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}]}]}, True),
        (RESPONSES, {"input": [{"role": "user", "content": [
            {"type": "input_file", "file_data": "data:text/plain;base64,AAAA"}]}]}, False),
        (RESPONSES, {"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}]}, False),
    ],
)  # fmt: skip
def test_input_that_the_body_does_not_bound_is_told(route, body, unbounded):
    assert Ask(route, orjson.dumps({"model": "m", **body})).unbounded == unbounded
