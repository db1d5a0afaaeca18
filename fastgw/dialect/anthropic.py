"""How Anthropic's API words things: errors, the end of its streams."""

from typing import Any

import orjson

from fastgw.dialect.face import Cut, Face, Fault, Shape, comment, sse

ERRORS: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

# kind of the catalogue -> type
KINDS = {
    "invalid": "invalid_request_error",
    "too_large": "request_too_large",
    "context": "request_too_large",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "model": "not_found_error",
    "requests": "rate_limit_error",
    "tokens": "rate_limit_error",
    "quota": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "server": "api_error",
}


def shape(kind: str, status: int, param: str | None, own: bytes) -> Shape:
    opening = b'{"type":"error","error":{"type":%b,"message":"' % orjson.dumps(KINDS[kind])
    return Shape(opening, b'",' + own, b'"}},"request_id":"', repeats_id=True)


def error(fault: Fault) -> dict[str, Any]:
    usual = ERRORS.get(fault.status, ERRORS[500] if fault.status >= 500 else ERRORS[400])
    inner: dict[str, Any] = {"type": fault.type or usual, "message": fault.message}
    if fault.fastgw:
        inner["fastgw"] = fault.fastgw
    return {"type": "error", "error": inner, "request_id": (fault.fastgw or {}).get("request_id")}


def stream_error(operation: str, fault: Fault) -> bytes:
    """The SDK raises on the event's name."""
    return sse(error(fault), "error")


def stream_end(operation: str, cut: Cut) -> bytes:
    """The open blocks closed, `message_delta` with reason and usage, `message_stop`."""
    out = comment(cut.reason)
    if not cut.begun:
        message: dict[str, Any] = {
            "id": cut.identity, "type": "message", "role": "assistant", "model": cut.model,
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": cut.input_tokens, "output_tokens": 0},
        }  # fmt: skip
        out += sse({"type": "message_start", "message": message}, "message_start")
    for index in cut.blocks:
        out += sse({"type": "content_block_stop", "index": index}, "content_block_stop")
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal" if cut.filtered else "max_tokens",
                  "stop_sequence": None},
        "usage": {"output_tokens": cut.output_tokens},
        "fastgw": cut.fastgw,
    }
    return out + sse(delta, "message_delta") + sse({"type": "message_stop"}, "message_stop")


FACE = Face(name="anthropic", strip=b"", credential="x-api-key: ", kinds=KINDS, shape=shape,
            error=error, stream_error=stream_error, stream_end=stream_end,
            tokens=("sk-ant-oat", "ya29."))  # Anthropic's own, and Google's for Vertex AI
