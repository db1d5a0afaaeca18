"""How Google's API words things, Gemini's own and Vertex AI: errors, the ends of its streams.

A stream comes as events (`?alt=sse`) or as the elements of one JSON array; what the gateway says
in it takes the form that it has. Nothing follows the last chunk: a stream ends where its body
does.
"""

from typing import Any

import orjson

from fastgw.dialect.face import Cut, Face, Fault, Shape

# status -> google.rpc.Code
ERRORS: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

# kind of the catalogue -> google.rpc.Code
KINDS = {
    "invalid": "INVALID_ARGUMENT",
    "too_large": "INVALID_ARGUMENT",
    "context": "INVALID_ARGUMENT",
    "authentication": "UNAUTHENTICATED",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "model": "NOT_FOUND",
    "requests": "RESOURCE_EXHAUSTED",
    "tokens": "RESOURCE_EXHAUSTED",
    "quota": "RESOURCE_EXHAUSTED",
    "overloaded": "UNAVAILABLE",
    "timeout": "DEADLINE_EXCEEDED",
    "server": "INTERNAL",
}

RPC = "type.googleapis.com/google.rpc."
WAIT = b'{"@type":"%bRetryInfo","retryDelay":"' % RPC.encode()


def shape(kind: str, status: int, param: str | None, own: bytes) -> Shape:
    """`details` has the wait, where one is known, and which of our codes it is: SDKs and clients
    of Google's APIs look there."""
    code = orjson.loads(b"{" + own.removesuffix(b',"rule":') + b"}}")["fastgw"]["code"]
    detail = {"@type": RPC + "ErrorInfo", "reason": code, "domain": "fastgw"}
    rest = b'","status":%b,"details":[' % orjson.dumps(KINDS[kind])
    return Shape(b'{"error":{"code":%d,"message":"' % status, rest, b'"}}}',
                 wait=WAIT, behind=orjson.dumps(detail) + b"]," + own)


def wrapped(kind: str, status: int, param: str | None, own: bytes) -> Shape:
    """The same to who has asked for a stream as one array."""
    one = shape(kind, status, param, own)
    return Shape(b"[" + one.opening, one.rest, one.end + b"]", wait=one.wait, behind=one.behind)


def error(fault: Fault) -> dict[str, Any]:
    usual = ERRORS.get(fault.status, ERRORS[500] if fault.status >= 500 else ERRORS[400])
    inner: dict[str, Any] = {"code": fault.status, "message": fault.message,
                             "status": fault.type or usual}
    return {"error": {**inner, "fastgw": fault.fastgw} if fault.fastgw else inner}


def _framed(document: dict[str, Any], stream: str, begun: bool) -> bytes:
    """The last of a stream: an event, or an array's last element."""
    text = orjson.dumps(document)
    if stream == "array":
        return (b",\r\n" if begun else b"[") + text + b"\n]"
    return b"data: " + text + b"\r\n\r\n"


def stream_error(operation: str, fault: Fault) -> bytes:
    """The SDK raises on a member `error` of any chunk."""
    return _framed(error(fault), fault.stream, fault.begun)


def stream_end(operation: str, cut: Cut) -> bytes:
    """A chunk that gives each candidate without one its `finishReason`. (No comment: the SDK takes
    one for JSON.)"""
    reason = "SAFETY" if cut.filtered else "MAX_TOKENS"
    document = {
        "candidates": [
            {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": reason,
             "finishMessage": cut.reason, "index": index}
            for index in range(cut.choices) if index not in cut.finished
        ],
        "usageMetadata": {
            "promptTokenCount": cut.input_tokens, "candidatesTokenCount": cut.output_tokens,
            "totalTokenCount": cut.input_tokens + cut.output_tokens,
        },
        "modelVersion": cut.model, "responseId": cut.identity, "fastgw": cut.fastgw,
    }  # fmt: skip
    return _framed(document, cut.stream, cut.begun)


FACE = Face(name="gemini", strip=b"", credential="x-goog-api-key: ", kinds=KINDS, shape=shape,
            error=error, stream_error=stream_error, stream_end=stream_end, wrapped=wrapped,
            tokens=("ya29.",))  # of Google's OAuth, as Vertex AI wants them
