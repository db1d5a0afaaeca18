"""How much of what an answer consists of: pieces of text, tokens, why it ends."""

from dataclasses import dataclass

import orjson

from fastgw.mock.asked import Asked
from fastgw.mock.call import Call
from fastgw.mock.words import Words


@dataclass(slots=True)
class Shape:
    """`pieces[c]`: the content events of choice c as (text, tokens)."""

    pieces: list[list[tuple[str, int]]]
    cut: bool
    input_tokens: int
    cached: int
    cache_write: int
    reasoning: int
    output_tokens: int
    usage: str

    def text(self, choice: int) -> str:
        return "".join(text for text, _ in self.pieces[choice])


def argument(schema: object, words: Words, depth: int = 0) -> object:
    """A value that fits a JSON schema well enough to be a tool's argument."""
    if not isinstance(schema, dict):
        return {} if depth == 0 else None
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    kind = schema.get("type", "object" if depth == 0 or "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    kind = str(kind).lower()  # (Google writes OBJECT)
    if kind == "object":
        inner = schema.get("properties")
        inner = inner if isinstance(inner, dict) and depth < 8 else {}
        return {name: argument(value, words, depth + 1) for name, value in inner.items()}
    if kind == "array":
        return [argument(schema.get("items"), words, depth + 1)] if depth < 8 else []
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(
        str(kind), words.text(0, depth, 3).strip())


def _text_pieces(asked: Asked, words: Words, choice: int, tokens: int) -> list[tuple[str, int]]:
    each = asked.tokens_per_event
    return [
        (words.text(choice, start, min(each, tokens - start)), min(each, tokens - start))
        for start in range(0, tokens, each)
    ]


def _tool_pieces(call: Call, asked: Asked, words: Words, room: int) -> list[tuple[str, int]]:
    assert call.tool is not None
    text = orjson.dumps(argument(call.tool["schema"], words)).decode()
    step = 4 * asked.tokens_per_event
    pieces = []
    for start in range(0, len(text), step):
        part = text[start : start + 4 * min(asked.tokens_per_event, room)]
        if not part:
            break
        tokens = -(-len(part) // 4)
        pieces.append((part, tokens))
        room -= tokens
    return pieces


def _given_pieces(asked: Asked, room: int) -> list[tuple[str, int]]:
    """The text that was asked for, a token an event."""
    starts = range(0, len(asked.text), asked.piece)
    return [(asked.text[start : start + asked.piece], 1) for start in starts][:room]


def shape_of(call: Call, asked: Asked, words: Words) -> Shape:
    """What this call generates; the limit holds for each choice, reasoning included."""
    limit = 10**12 if call.limit is None or asked.ignore_max else call.limit
    reasoning = min(asked.reasoning, limit)
    room = limit - reasoning
    wanted = asked.events * asked.tokens_per_event
    if asked.text:
        pieces = [_given_pieces(asked, room)] * call.choices
        cut = len(pieces[0]) * asked.piece < len(asked.text)
    elif call.tool is None:
        pieces = [
            _text_pieces(asked, words, choice, min(wanted, room)) for choice in range(call.choices)
        ]
        cut = wanted > room
    else:
        pieces = [_tool_pieces(call, asked, words, room)] * call.choices
        whole = len(orjson.dumps(argument(call.tool["schema"], words)).decode())
        cut = sum(len(text) for text, _ in pieces[0]) < whole
    given = call.input_tokens if asked.prompt_tokens < 0 else asked.prompt_tokens
    cached = min(asked.cached, given)
    visible = sum(tokens for choice in pieces for _, tokens in choice)
    return Shape(
        pieces=pieces, cut=cut or asked.reasoning > limit, input_tokens=given, cached=cached,
        cache_write=min(asked.cache_write, given - cached), reasoning=reasoning,
        output_tokens=reasoning + visible, usage=asked.usage,
    )
