"""Goal: an answer is as long as asked, cut at the limit, and its tokens add up.

Method: every combination of limit, reasoning and tokens an event in small numbers, against the
sums worked out here.
"""

import itertools
import json

import orjson
import pytest

from fastgw.mock.asked import Asked
from fastgw.mock.call import Call
from fastgw.mock.shape import argument, shape_of
from fastgw.mock.words import Words

WORDS = Words(1)


@pytest.mark.parametrize("choices", [1, 2])
def test_tokens_add_up_and_keep_the_limit(choices: int) -> None:
    for limit, reasoning, each, events in itertools.product(
        (None, 1, 3, 7, 100), (0, 2, 9), (1, 3), (0, 4)
    ):
        call = Call("chat", "m", choices=choices, limit=limit)
        asked = Asked(events=events, tokens_per_event=each, reasoning=reasoning)
        shape = shape_of(call, asked, WORDS)
        visible = [sum(tokens for _, tokens in pieces) for pieces in shape.pieces]
        wanted = events * each
        room = wanted if limit is None else max(0, limit - shape.reasoning)
        assert visible == [min(wanted, room)] * choices
        assert shape.reasoning == (reasoning if limit is None else min(reasoning, limit))
        assert shape.output_tokens == shape.reasoning + sum(visible)
        assert shape.cut == (wanted > room or shape.reasoning < reasoning)
        assert all(len(shape.text(at).split()) == visible[at] for at in range(choices))


def test_cached_tokens_are_part_of_the_input() -> None:
    call = Call("chat", "m", input_tokens=10)
    shape = shape_of(call, Asked(cached=8, cache_write=8), WORDS)
    assert (shape.input_tokens, shape.cached, shape.cache_write) == (10, 8, 2)
    shape = shape_of(call, Asked(prompt_tokens=5, cached=8), WORDS)
    assert (shape.input_tokens, shape.cached) == (5, 5)


@pytest.mark.parametrize("limit", [None, 3])
@pytest.mark.parametrize("each", [1, 2, 50])
def test_tool_call_bills_its_arguments(limit: int | None, each: int) -> None:
    schema = {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "number"}}}
    call = Call("chat", "m", limit=limit, tool={"name": "f", "schema": schema})
    shape = shape_of(call, Asked(tokens_per_event=each), WORDS)
    text = shape.text(0)
    assert shape.output_tokens == -(-len(text) // 4)
    assert shape.cut is (limit is not None)
    assert limit is None or shape.output_tokens == limit
    if limit is None:
        assert json.loads(text).keys() == {"q", "n"}


def test_argument_fits_its_schema() -> None:
    schema = {"type": "object", "properties": {
        "a": {"type": "array", "items": {"type": "integer"}}, "b": {"enum": ["x", "y"]},
        "c": {"type": ["string", "null"]}, "d": {"type": "boolean"},
        "e": {"properties": {"f": {"type": "null"}}}}}
    made = argument(schema, WORDS)
    assert made["a"] == [1] and made["b"] == "x" and isinstance(made["c"], str)
    assert made["d"] is True and made["e"] == {"f": None}
    assert argument(None, WORDS) == {}


def test_schema_without_end_has_an_end() -> None:
    schema: dict = {"type": "object", "properties": {}}
    schema["properties"]["again"] = schema
    assert len(orjson.dumps(argument(schema, WORDS))) < 500
