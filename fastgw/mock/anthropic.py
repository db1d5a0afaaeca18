"""Anthropic messages, count_tokens and models (WIRE.md 1.5)."""

from urllib.parse import unquote

import orjson

from fastgw.mock.call import Call
from fastgw.mock.framing import Frame
from fastgw.mock.plan import MARK
from fastgw.mock.refusal import Json
from fastgw.mock.shape import Shape

_MARK = MARK.decode()
PREFIX = "msg_"
MODELS = ("claude-sonnet-5", "claude-sonnet-4-6", "claude-haiku-4-5")


_METHODS = {"rawPredict": False, "streamRawPredict": True}


def route(path: str) -> tuple[str, str, bool]:
    """Operation ("" unknown), model and whether it streams, of a path of Vertex AI."""
    _, found, last = path.rpartition("/publishers/anthropic/models/")
    model, colon, method = last.rpartition(":")
    if not found or not colon or not model or method not in _METHODS:
        return "", "", False
    if model == "count-tokens":
        return "count_tokens", "", False
    return "messages", unquote(model), _METHODS[method]


def usage(shape: Shape, output: int, begun: bool) -> Json:
    """`begun`: as message_start has it, with the split that later events lack."""
    told: Json = {
        "input_tokens": shape.input_tokens - shape.cached - shape.cache_write,
        "cache_creation_input_tokens": shape.cache_write,
        "cache_read_input_tokens": shape.cached,
        "output_tokens": output,
    }
    if begun:
        told["cache_creation"] = {"ephemeral_5m_input_tokens": shape.cache_write,
                                  "ephemeral_1h_input_tokens": 0}
        told["service_tier"] = "standard"
    elif shape.reasoning:
        told["output_tokens_details"] = {"thinking_tokens": shape.reasoning}
    return told


def _reason(call: Call, shape: Shape) -> str:
    if shape.cut:
        return "max_tokens"
    return "tool_use" if call.tool else "end_turn"


def _block(call: Call, text: str) -> Json:
    if not call.tool:
        return {"type": "text", "text": text}
    # A call cut by the limit has no whole arguments: Anthropic sends what it could parse.
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        arguments = {}
    return {"type": "tool_use", "id": "toolu_" + _MARK, "name": call.tool["name"],
            "input": arguments}


def _message(call: Call, content: list[Json], reason: str | None) -> Json:
    return {"id": PREFIX + _MARK, "type": "message", "role": "assistant", "model": call.model,
            "content": content, "stop_reason": reason, "stop_sequence": None}


def body(call: Call, shape: Shape) -> bytes:
    message = _message(call, [_block(call, shape.text(0))], _reason(call, shape))
    if shape.usage != "none":
        message["usage"] = usage(shape, shape.output_tokens, True)
        if shape.reasoning:
            message["usage"]["output_tokens_details"] = {"thinking_tokens": shape.reasoning}
    return orjson.dumps(message)


def _frame(kind: str, members: Json, output: int = 0, content: bool = False) -> Frame:
    return Frame(kind, orjson.dumps({"type": kind, **members}), output, content)


def _delta(shape: Shape, reason: str | None, output: int) -> Frame:
    members: Json = {"delta": {"stop_reason": reason, "stop_sequence": None}}
    if shape.usage != "none":
        members["usage"] = usage(shape, output, False)
    return _frame("message_delta", members)


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    start = _message(call, [], None)
    if shape.usage != "none":
        start["usage"] = usage(shape, 1, True)
    block = _block(call, "") | ({"input": {}} if call.tool else {})
    told = [
        _frame("message_start", {"message": start}),
        _frame("content_block_start", {"index": 0, "content_block": block}),
        _frame("ping", {}),
    ]
    output = shape.reasoning
    kind, name = ("input_json_delta", "partial_json") if call.tool else ("text_delta", "text")
    for text, tokens in shape.pieces[0]:
        output += tokens
        delta = {"index": 0, "delta": {"type": kind, name: text}}
        told.append(_frame("content_block_delta", delta, output, True))
        if shape.usage == "every":
            told.append(_delta(shape, None, output))
    told += [
        _frame("content_block_stop", {"index": 0}),
        _delta(shape, _reason(call, shape), shape.output_tokens),
        _frame("message_stop", {}),
    ]
    return tuple(told)


def model(name: str) -> Json:
    return {"type": "model", "id": name, "display_name": name,
            "created_at": "2025-09-29T00:00:00Z"}


def models() -> bytes:
    return orjson.dumps({"data": [model(name) for name in MODELS], "has_more": False,
                         "first_id": MODELS[0], "last_id": MODELS[-1]})
