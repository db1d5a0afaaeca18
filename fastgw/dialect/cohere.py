"""How Cohere's API (v2) words things: errors, the end of its streams."""

from typing import Any

from fastgw.dialect.face import Cut, Face, Fault, Shape, comment, sse

# Its errors have a text and no type: the status says the rest.
KINDS = dict.fromkeys((
    "invalid", "too_large", "context", "authentication", "permission", "not_found", "model",
    "requests", "tokens", "quota", "overloaded", "timeout", "server",
))  # fmt: skip


def shape(kind: str, status: int, param: str | None, own: bytes) -> Shape:
    return Shape(b'{"message":"', b'",' + own, b'"},"id":"', repeats_id=True)


def error(fault: Fault) -> dict[str, Any]:
    document: dict[str, Any] = {"message": fault.message}
    if fault.fastgw:
        document["fastgw"] = fault.fastgw
    return {**document, "id": (fault.fastgw or {}).get("request_id")}


def _event(kind: str, members: dict[str, Any]) -> bytes:
    return sse({"type": kind, **members}, kind)


def stream_error(operation: str, fault: Fault) -> bytes:
    """`message-end` with the reason ERROR: the API has no event of its own for it."""
    members: dict[str, Any] = {"delta": {"finish_reason": "ERROR", "error": fault.message}}
    if fault.fastgw:
        members["fastgw"] = fault.fastgw
    return _event("message-end", members)


def stream_end(operation: str, cut: Cut) -> bytes:
    """The open blocks closed, `message-end` with reason and usage, [DONE]."""
    out = comment(cut.reason)
    if not cut.begun:
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [],
                   "citations": []}
        out += _event("message-start", {"id": cut.identity, "delta": {"message": message}})
    for block in cut.blocks:  # as fgw_dialect_cohere_answer.h has them
        if block < 0:
            out += _event("tool-call-end", {"index": ~block})
        else:
            out += _event("content-end", {"index": block})
    tokens = {"input_tokens": cut.input_tokens, "output_tokens": cut.output_tokens}
    delta: dict[str, Any] = {
        "finish_reason": "ERROR" if cut.filtered else "MAX_TOKENS",
        "usage": {"billed_units": tokens, "tokens": tokens},
    }
    if cut.filtered:
        delta["error"] = cut.reason
    members = {"id": cut.identity, "delta": delta, "fastgw": cut.fastgw}
    return out + _event("message-end", members) + b"data: [DONE]\n\n"


FACE = Face(name="cohere", strip=b"", credential="authorization: Bearer ", kinds=KINDS,
            shape=shape, error=error, stream_error=stream_error, stream_end=stream_end)
