"""Errors as each provider words them (WIRE.md 1.1, 1.2, 1.5)."""

from typing import Any

import orjson

from fastgw.mock.plan import MARK

Json = dict[str, Any]

_OPENAI = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    409: ("invalid_request_error", "conflict"),
    429: ("requests", "rate_limit_exceeded"),
}
_ANTHROPIC = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
    403: "permission_error", 404: "not_found_error", 405: "invalid_request_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error",
    504: "timeout_error", 529: "overloaded_error",
}


class Refusal(Exception):
    """The provider says no: a status and what stands in the body."""

    def __init__(
        self, status: int, message: str, code: str = "", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param

    def body(self, anthropic: bool) -> bytes:
        return orjson.dumps(
            anthropic_error(self.status, str(self), self.code) if anthropic
            else openai_error(self.status, str(self), self.code, self.param)
        )


def openai_error(status: int, message: str, code: str, param: str | None = None) -> Json:
    kind, usual = _OPENAI.get(
        status, ("server_error" if status >= 500 else "invalid_request_error", None)
    )
    if code == "insufficient_quota":
        kind = code
    return {"error": {"message": message, "type": kind, "param": param, "code": code or usual}}


def anthropic_error(status: int, message: str, code: str) -> Json:
    usual = _ANTHROPIC.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {
        "type": "error",
        "error": {"type": code or usual, "message": message},
        "request_id": "req_" + MARK.decode(),
    }
