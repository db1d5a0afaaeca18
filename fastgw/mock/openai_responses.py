"""OpenAI responses (WIRE.md 1.2): typed events, numbered, usage in the last, no [DONE]."""

import time

import orjson

from fastgw.mock.call import Call
from fastgw.mock.framing import Frame
from fastgw.mock.plan import MARK
from fastgw.mock.refusal import Json
from fastgw.mock.shape import Shape

_MARK = MARK.decode()
PREFIX = "resp_"


def usage(shape: Shape) -> Json:
    cached = {"cached_tokens": shape.cached}
    if shape.cache_write:
        cached["cache_write_tokens"] = shape.cache_write
    return {
        "input_tokens": shape.input_tokens,
        "input_tokens_details": cached,
        "output_tokens": shape.output_tokens,
        "output_tokens_details": {"reasoning_tokens": shape.reasoning},
        "total_tokens": shape.input_tokens + shape.output_tokens,
    }


def _part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _item(call: Call, shape: Shape, text: str, done: bool) -> Json:
    status = "in_progress" if not done else "incomplete" if shape.cut else "completed"
    if call.tool:
        return {"id": "fc_" + _MARK, "type": "function_call", "status": status,
                "arguments": text, "call_id": "call_" + _MARK, "name": call.tool["name"]}
    return {"id": "msg_" + _MARK, "type": "message", "status": status,
            "content": [_part(text)] if done else [], "role": "assistant"}


def document(call: Call, shape: Shape, done: bool) -> Json:
    """The response object, as it stands in events and alone."""
    echoed = call.echoed
    status = "in_progress" if not done else "incomplete" if shape.cut else "completed"
    told = usage(shape) if done and shape.usage != "none" else None
    return {
        "id": PREFIX + _MARK, "object": "response", "created_at": int(time.time()),
        "status": status, "background": False, "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if done and shape.cut else None,
        "instructions": echoed.get("instructions"), "max_output_tokens": call.limit,
        "max_tool_calls": None, "model": call.model,
        "output": [_item(call, shape, shape.text(0), True)] if done else [],
        "parallel_tool_calls": True, "previous_response_id": None, "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None}, "safety_identifier": None,
        "service_tier": "default" if done else "auto", "store": False, "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"}, "tool_choice": "auto",
        "tools": echoed.get("tools") or [], "top_logprobs": 0, "top_p": 1.0,
        "truncation": "disabled", "usage": told,
        "user": echoed.get("user"), "metadata": echoed.get("metadata") or {},
    }


def body(call: Call, shape: Shape) -> bytes:
    return orjson.dumps(document(call, shape, True))


class _Stream:
    def __init__(self, call: Call, shape: Shape) -> None:
        self.frames: list[Frame] = []
        self.output = shape.reasoning
        self.where = {"item_id": ("fc_" if call.tool else "msg_") + _MARK, "output_index": 0}

    def add(self, kind: str, members: Json, tokens: int = -1) -> None:
        self.output += max(tokens, 0)
        event = {"type": kind, **members, "sequence_number": len(self.frames)}
        self.frames.append(Frame(kind, orjson.dumps(event), self.output, tokens >= 0))


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    stream = _Stream(call, shape)
    where = stream.where
    place = {**where, "content_index": 0}
    text = shape.text(0)
    for kind in ("response.created", "response.in_progress"):
        stream.add(kind, {"response": document(call, shape, False)})
    item = _item(call, shape, "", False)
    stream.add("response.output_item.added", {"item": item, "output_index": 0})
    if call.tool:
        for piece, tokens in shape.pieces[0]:
            stream.add("response.function_call_arguments.delta", {"delta": piece, **where}, tokens)
        stream.add("response.function_call_arguments.done",
                   {"arguments": text, "name": call.tool["name"], **where})
    else:
        stream.add("response.content_part.added", {"part": _part(""), **place})
        for piece, tokens in shape.pieces[0]:
            stream.add("response.output_text.delta",
                       {"delta": piece, "logprobs": [], **place}, tokens)
        stream.add("response.output_text.done", {"text": text, "logprobs": [], **place})
        stream.add("response.content_part.done", {"part": _part(text), **place})
    done = _item(call, shape, text, True)
    stream.add("response.output_item.done", {"item": done, "output_index": 0})
    ending = "response.incomplete" if shape.cut else "response.completed"
    stream.add(ending, {"response": document(call, shape, True)})
    return tuple(stream.frames)


def fault(message: str, code: str) -> bytes:
    return orjson.dumps({"type": "error", "code": code, "message": message, "param": None,
                         "sequence_number": 0})
