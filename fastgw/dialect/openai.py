"""How OpenAI's API words things: errors, the ends of its streams."""

from collections.abc import Mapping
from typing import Any

import orjson

from fastgw.dialect.face import Cut, Face, Fault, Shape, comment, sse

# status -> (type, code)
ERRORS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("invalid_request_error", "insufficient_permissions"),
    404: ("invalid_request_error", "model_not_found"),
    405: ("invalid_request_error", "method_not_supported"),
    408: ("invalid_request_error", "request_timeout"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "unsupported_content_type"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("server_error", "service_unavailable"),
    529: ("server_error", "overloaded"),
}

# kind of the catalogue -> (type, code)
KINDS: dict[str, tuple[str, str | None]] = {
    "invalid": ("invalid_request_error", None),
    "too_large": ("invalid_request_error", None),
    "context": ("invalid_request_error", "context_length_exceeded"),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "permission": ("invalid_request_error", "permission_denied"),
    "not_found": ("invalid_request_error", None),
    "model": ("invalid_request_error", "model_not_found"),
    "requests": ("requests", "rate_limit_exceeded"),
    "tokens": ("tokens", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "overloaded": ("server_error", "service_unavailable"),
    "timeout": ("server_error", "timeout"),
    "server": ("server_error", None),
}


def shape_of(words: tuple[str | None, str | None], param: str | None, own: bytes) -> Shape:
    """A refusal with this (type, code)."""
    type, code = words
    rest = b'","type":%b,"param":%b,"code":%b,' % tuple(map(orjson.dumps, (type, param, code)))
    return Shape(b'{"error":{"message":"', rest + own, b'"}}}')


def shape(kind: str, status: int, param: str | None, own: bytes) -> Shape:
    return shape_of(KINDS[kind], param, own)


def inner(fault: Fault, errors: Mapping[int, tuple[str | None, str | None]]) -> dict[str, Any]:
    """The member `error`; ``errors``: what an API calls each status."""
    usual = errors.get(fault.status, errors[500] if fault.status >= 500 else errors[400])
    error = {"message": fault.message, "type": fault.type or usual[0], "param": fault.param,
             "code": fault.code or usual[1]}
    return {**error, "fastgw": fault.fastgw} if fault.fastgw else error


def error(fault: Fault) -> dict[str, Any]:
    return {"error": inner(fault, ERRORS)}


def told_in_stream(operation: str, error: dict[str, Any]) -> bytes:
    """The SDK raises on a member `error` of any event."""
    if operation == "responses":
        typed = {"type": "error", "code": error["code"], "message": error["message"],
                 "param": None}
        return sse({**typed, "error": error}, "error")
    return sse({"error": error})


def stream_error(operation: str, fault: Fault) -> bytes:
    return told_in_stream(operation, inner(fault, ERRORS))


def _chat_usage(cut: Cut) -> dict[str, int]:
    return {
        "prompt_tokens": cut.input_tokens,
        "completion_tokens": cut.output_tokens,
        "total_tokens": cut.input_tokens + cut.output_tokens,
    }


def _chat_ending(operation: str, cut: Cut) -> bytes:
    """A last chunk for each choice that has none, the usage chunk if asked for, [DONE]."""
    kind = "chat.completion.chunk" if operation == "chat" else "text_completion"
    chunk: dict[str, Any] = {
        "id": cut.identity, "object": kind, "created": cut.created, "model": cut.model,
    }  # fmt: skip
    delta = {} if cut.begun else {"role": "assistant", "content": ""}
    bears: dict[str, Any] = {"delta": delta} if operation == "chat" else {"text": ""}
    empty = {"usage": None} if cut.usage else {}
    out = b""
    reason = "content_filter" if cut.filtered else "length"
    for index in range(cut.choices):
        if index not in cut.finished:
            choice = {"index": index, **bears, "logprobs": None, "finish_reason": reason}
            out += sse({**chunk, "choices": [choice], **empty, "fastgw": cut.fastgw})
    if cut.usage:
        out += sse({**chunk, "choices": [], "usage": _chat_usage(cut)})
    return out + b"data: [DONE]\n\n"


def _response(cut: Cut, done: bool) -> dict[str, Any]:
    reason = "content_filter" if cut.filtered else "max_output_tokens"
    usage = {
        "input_tokens": cut.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": cut.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": cut.input_tokens + cut.output_tokens,
    }
    return {
        "id": cut.identity,
        "object": "response",
        "created_at": cut.created,
        "status": "incomplete" if done else "in_progress",
        "error": None,
        "incomplete_details": {"reason": reason} if done else None,
        "instructions": None,
        "metadata": {},
        "model": cut.model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if done else None,
    }


def _responses_ending(cut: Cut) -> bytes:
    """`response.incomplete`: terminal wherever it stands, so items are not closed one by one (that
    would need the text of each, which is kept nowhere)."""
    out, sequence = b"", cut.sequence + 1
    if not cut.begun:
        created = {"type": "response.created", "response": _response(cut, False)}
        out = sse({**created, "sequence_number": sequence}, "response.created")
        sequence += 1
    last = {"type": "response.incomplete", "response": _response(cut, True)}
    numbered = {**last, "sequence_number": sequence, "fastgw": cut.fastgw}
    return out + sse(numbered, "response.incomplete")


def stream_end(operation: str, cut: Cut) -> bytes:
    if operation == "responses":
        return comment(cut.reason) + _responses_ending(cut)
    return comment(cut.reason) + _chat_ending(operation, cut)


FACE = Face(name="openai", strip=b"/v1", credential="authorization: Bearer ", kinds=KINDS,
            shape=shape, error=error, stream_error=stream_error, stream_end=stream_end)
