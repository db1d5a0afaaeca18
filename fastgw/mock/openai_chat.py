"""OpenAI chat completions and legacy completions (WIRE.md 1.1, 1.3)."""

import time

import orjson

from fastgw.mock.call import Call
from fastgw.mock.framing import Frame
from fastgw.mock.plan import MARK
from fastgw.mock.refusal import Json
from fastgw.mock.shape import Shape

_MARK = MARK.decode()
PREFIX = {"chat": "chatcmpl-", "completions": "cmpl-"}


def usage(shape: Shape, output: int, reasoning: int) -> Json:
    """The usage object, for `output` tokens so far."""
    prompt = {"cached_tokens": shape.cached, "audio_tokens": 0}
    if shape.cache_write:
        prompt["cache_write_tokens"] = shape.cache_write
    return {
        "prompt_tokens": shape.input_tokens,
        "completion_tokens": output,
        "total_tokens": shape.input_tokens + output,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {
            "reasoning_tokens": reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    }


def _base(call: Call, kind: str) -> Json:
    base = {"id": PREFIX[call.operation] + _MARK, "object": kind, "created": int(time.time()),
            "model": call.model, "system_fingerprint": "fp_mock"}
    if call.operation == "chat":
        base["service_tier"] = "default"
    return base


def _reason(call: Call, shape: Shape) -> str:
    if shape.cut:
        return "length"
    return "tool_calls" if call.tool else "stop"


def _tool_call(call: Call, choice: int, arguments: str) -> Json:
    assert call.tool is not None
    return {"id": f"call_{_MARK}{choice}", "type": "function",
            "function": {"name": call.tool["name"], "arguments": arguments}}


def _choice(call: Call, shape: Shape, at: int) -> Json:
    choice: Json = {"index": at, "logprobs": None, "finish_reason": _reason(call, shape)}
    text = shape.text(at)
    if call.operation == "completions":
        return {"text": text, **choice}
    message: Json = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if call.tool:
        message |= {"content": None, "tool_calls": [_tool_call(call, at, text)]}
    return {**choice, "message": message}


def body(call: Call, shape: Shape) -> bytes:
    kind = "chat.completion" if call.operation == "chat" else "text_completion"
    document = _base(call, kind)
    document["choices"] = [_choice(call, shape, at) for at in range(call.choices)]
    if shape.usage != "none":
        document["usage"] = usage(shape, shape.output_tokens, shape.reasoning)
    return orjson.dumps(document)


class _Stream:
    """Builds the chunks of one stream; they interleave by choice as they do at OpenAI."""

    def __init__(self, call: Call, shape: Shape) -> None:
        self.call, self.shape = call, shape
        self.chat = call.operation == "chat"
        self.base = _base(call, "chat.completion.chunk" if self.chat else "text_completion")
        self.frames: list[Frame] = []
        self.output = shape.reasoning
        self.asked = shape.usage != "none" and (
            call.include_usage or shape.usage in ("every", "last"))

    def add(self, choices: list[Json], tokens: int = -1, final: bool = False) -> None:
        self.output += max(tokens, 0)
        chunk = {**self.base, "choices": choices}
        if final or self.shape.usage == "every":
            chunk["usage"] = usage(self.shape, self.output, self.shape.reasoning)
        elif self.asked and self.call.include_usage:
            chunk["usage"] = None
        self.frames.append(Frame("", orjson.dumps(chunk), self.output, tokens >= 0))

    def delta(self, at: int, delta: Json, tokens: int = -1, reason: str | None = None) -> None:
        choice = {"index": at, "delta": delta, "logprobs": None, "finish_reason": reason}
        self.add([choice], tokens)

    def text(self, at: int, text: str, reason: str | None, tokens: int = -1) -> None:
        choice = {"text": text, "index": at, "logprobs": None, "finish_reason": reason}
        self.add([choice], tokens)

    def piece(self, at: int, text: str, tokens: int) -> None:
        if not self.chat:
            self.text(at, text, None, tokens)
        elif self.call.tool:
            part = {"index": 0, "function": {"arguments": text}}
            self.delta(at, {"tool_calls": [part]}, tokens)
        else:
            self.delta(at, {"content": text}, tokens)

    def open(self, at: int) -> None:
        start: Json = {"role": "assistant", "content": "", "refusal": None}
        if self.call.tool:
            call = {"index": 0, **_tool_call(self.call, at, "")}
            start |= {"content": None, "tool_calls": [call]}
        self.delta(at, start)

    def close(self, at: int) -> None:
        reason = _reason(self.call, self.shape)
        if self.chat:
            self.delta(at, {}, -1, reason)
        else:
            self.text(at, "", reason)


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    stream = _Stream(call, shape)
    everyone = range(call.choices)
    if stream.chat:
        for at in everyone:
            stream.open(at)
    for number in range(max(len(pieces) for pieces in shape.pieces)):
        for at in everyone:
            if number < len(shape.pieces[at]):
                stream.piece(at, *shape.pieces[at][number])
    for at in everyone:
        stream.close(at)
    if stream.asked:
        stream.add([], final=True)
    stream.frames.append(Frame("", b"[DONE]", stream.output, False))
    return tuple(stream.frames)
