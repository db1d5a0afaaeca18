"""How each API says no: bodies that its own SDK turns into its own exception, with our reason
inside.

``type`` and ``code`` are what the provider itself would use for that status, because clients
branch on them; a caller that knows better (``insufficient_quota``) says so. Everything that comes
from outside goes through a JSON encoder: no byte of it can end a line or an event.
"""

from collections.abc import Mapping
from typing import Any

import orjson

# status -> (type, code)
OPENAI: dict[int, tuple[str, str | None]] = {
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
ANTHROPIC: dict[int, str] = {
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


def openai_kind(status: int) -> tuple[str, str | None]:
    """The ``type`` and ``code`` that OpenAI gives with ``status``."""
    return OPENAI.get(status, OPENAI[500] if status >= 500 else OPENAI[400])


def anthropic_kind(status: int) -> str:
    """The ``type`` that Anthropic gives with ``status``."""
    return ANTHROPIC.get(status, ANTHROPIC[500] if status >= 500 else ANTHROPIC[400])


def openai_error(
    status: int, message: str, type: str | None, code: str | None, param: str | None, fastgw: Any
) -> dict[str, Any]:
    usual_type, usual_code = openai_kind(status)
    error = {
        "message": message,
        "type": type or usual_type,
        "param": param,
        "code": code or usual_code,
    }
    return {**error, "fastgw": fastgw} if fastgw else error


def anthropic_error(status: int, message: str, type: str | None, fastgw: Any) -> dict[str, Any]:
    error = {"type": type or anthropic_kind(status), "message": message}
    return {**error, "fastgw": fastgw} if fastgw else error


def anthropic_document(error: dict[str, Any], fastgw: Any) -> dict[str, Any]:
    return {
        "type": "error",
        "error": error,
        "request_id": (fastgw or {}).get("request_id"),
    }


def error_body(
    dialect: str,
    status: int,
    message: str,
    *,
    type: str | None = None,
    code: str | None = None,
    param: str | None = None,
    fastgw: Mapping[str, Any] | None = None,
) -> bytes:
    """The JSON body of a refusal with ``status``.

    ``type`` and ``code`` replace the dialect's usual ones (Anthropic has no code); ``param`` names
    the member at fault (OpenAI); ``fastgw`` is our own member: code, rule, limit, retry_after_ms,
    request_id, url.
    """
    if dialect == "anthropic":
        return orjson.dumps(
            anthropic_document(anthropic_error(status, message, type, fastgw), fastgw)
        )
    return orjson.dumps({"error": openai_error(status, message, type, code, param, fastgw)})


def sse(document: dict[str, Any], event: str | None = None) -> bytes:
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + orjson.dumps(document) + b"\n\n"


def stream_error(
    dialect: str,
    operation: str,
    status: int,
    message: str,
    *,
    type: str | None = None,
    code: str | None = None,
    fastgw: Mapping[str, Any] | None = None,
) -> bytes:
    """The event that tells of a failure in a stream that has begun; nothing follows it.

    Must begin where an event may begin. SDKs raise on it: OpenAI's on a member `error` of any
    event, Anthropic's on the event's name.
    """
    if dialect == "anthropic":
        error = anthropic_error(status, message, type, fastgw)
        return sse(anthropic_document(error, fastgw), "error")
    error = openai_error(status, message, type, code, None, fastgw)
    if operation == "responses":
        typed = {"type": "error", "code": error["code"], "message": message, "param": None}
        return sse({**typed, "error": error}, "error")
    return sse({"error": error})
