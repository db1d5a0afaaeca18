"""How Azure words OpenAI's API: its gateway's errors. Streams end as OpenAI's do.

What refuses before a model is asked is Azure's own and has its code, mostly the status as text,
and no type; what the model's server says is OpenAI's.
"""

from typing import Any

from fastgw.dialect import openai
from fastgw.dialect.face import Face, Fault, Shape

Words = tuple[str | None, str | None]

# kind of the catalogue -> (type, code)
KINDS: dict[str, Words] = {
    **openai.KINDS,
    "authentication": (None, "401"),
    "permission": (None, "PermissionDenied"),
    "not_found": (None, "404"),
    "model": ("invalid_request_error", "DeploymentNotFound"),
    "requests": ("requests", "429"),
    "tokens": ("tokens", "429"),
    "overloaded": ("server_error", "ServiceUnavailable"),
    "timeout": ("server_error", "Timeout"),
    "server": ("server_error", "InternalServerError"),
}

# status -> (type, code)
ERRORS: dict[int, Words] = {
    **openai.ERRORS,
    401: KINDS["authentication"],
    403: KINDS["permission"],
    404: KINDS["model"],
    408: (None, "Timeout"),
    429: KINDS["requests"],
    500: KINDS["server"],
    503: KINDS["overloaded"],
}


def shape(kind: str, status: int, param: str | None, own: bytes) -> Shape:
    return openai.shape_of(KINDS[kind], param, own)


def error(fault: Fault) -> dict[str, Any]:
    return {"error": openai.inner(fault, ERRORS)}


def stream_error(operation: str, fault: Fault) -> bytes:
    return openai.told_in_stream(operation, openai.inner(fault, ERRORS))


FACE = Face(name="azure", strip=b"", credential="api-key: ", kinds=KINDS, shape=shape,
            error=error, stream_error=stream_error, stream_end=openai.stream_end)
