"""Phase EXPLAIN, for the client: a refusal as bytes, in the shape of the dialect's own API.

Off the hot path: it runs once a refusal, with Python objects.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any

import orjson

from fastgw.dialect.endings import Cut, stream_end
from fastgw.dialect.errors import stream_error
from fastgw.errors import Code
from fastgw.explain.catalogue import url
from fastgw.explain.refusal import LimitState, Refusal, body, headers, message
from fastgw.identity.facts import OPERATIONS

DIALECTS = ("openai", "openai", "anthropic")
MODEL_CODES = {Code.MODEL_MISSING, Code.MODEL_INVALID, Code.MODEL_UNKNOWN, Code.MODEL_RESTRICTED}
PHRASES = {status.value for status in HTTPStatus}

# enum fgw_http1_error -> the catalogue's codes; what is not named is HEAD_MALFORMED.
HEAD_CODES = {
    2: Code.METHOD_NOT_IMPLEMENTED,
    3: Code.METHOD_NOT_ALLOWED,
    5: Code.TARGET_TOO_LONG,
    8: Code.VERSION_NOT_SUPPORTED,
    14: Code.HEAD_TOO_LARGE,
    15: Code.HEAD_TOO_LARGE,
    16: Code.HOST_INVALID,
    17: Code.HOST_INVALID,
    18: Code.HOST_INVALID,
    19: Code.FRAMING_AMBIGUOUS,
    20: Code.FRAMING_AMBIGUOUS,
    21: Code.FRAMING_AMBIGUOUS,
    22: Code.TRANSFER_CODING_UNKNOWN,
    23: Code.FRAMING_AMBIGUOUS,
    24: Code.FRAMING_AMBIGUOUS,
    25: Code.FRAMING_AMBIGUOUS,
    27: Code.EXPECTATION_FAILED,
}
METHODS = {1: "GET", 2: "POST", 4: "DELETE"}


class Refusals:
    """Renders for one policy version. ``status`` is that of the last refusal rendered."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        self.status = 0
        self._names = {hash0: text for _, hash0, text in policy.names()}
        self._version = policy.version

    def head_code(self, error: int, status: int) -> int:
        return HEAD_CODES.get(error, Code.HEAD_MALFORMED)

    def rule_line(self, rule: int) -> bytes:
        """``x-fastgw-rule`` of an answer that a rule has shaped."""
        name = "".join(c if " " <= c <= "~" else "?" for c in self._names.get(rule, ""))
        return f"x-fastgw-rule: {name}\r\n".encode()

    def bucket_name(self, limit: int, key: bytes, enforced: int) -> bytes:
        """What a word of the shared table stands for, as the ledger keeps it."""
        return self.policy.limits[limit].bucket_text(key, bool(enforced))

    def render(self, view: dict[str, Any]) -> bytes:
        """The whole answer. ``view`` is what ``Attempts._view`` makes of an exchange."""
        refused = self._refusal(view)
        self.status = refused.http_status
        document = body(refused, DIALECTS[view["dialect"]])
        fields = [("content-type", "application/json"), *headers(refused)]
        fields.append(("x-fastgw-policy", self._version))
        if view["attempts"]:
            fields.append(("x-fastgw-attempts", str(view["attempts"])))
        if self.status == 405:
            allowed = [name for bit, name in METHODS.items() if view["allow"] & bit]
            fields.append(("allow", ", ".join(allowed)))
        if self.status == 401:
            fields.append(("www-authenticate", "Bearer"))
        text = orjson.dumps(document)
        return _answer(self.status, fields, text, view["close"], view["head_only"])

    def _refusal(self, view: dict[str, Any]) -> Refusal:
        messages = self.policy.messages
        return Refusal(
            code=view["code"],
            request_id=view["request_id"],
            rule=self._names.get(view["rule"], ""),
            reason=messages[view["message"] - 1].decode() if view["message"] else "",
            status=view["status"],
            limits=[self._limit(*limit) for limit in view["limits"]],
            input_estimate=view["input_estimate"],
            output_max=view["output_max"],
            param="model" if view["code"] in MODEL_CODES else None,
        )

    def _limit(self, index: int, key: bytes, used: int, limit: int, taken: int, wait_ns: int,
               reset_ns: int, verdict: int, enforced: int) -> LimitState:
        spec = self.policy.limits[index]
        return LimitState(
            name=spec.name, unit=spec.unit, limit=limit, used=used, taken=taken,
            wait_ns=wait_ns, reset_ns=reset_ns, verdict=verdict, enforced=bool(enforced),
            key=", ".join(str(part) for part in orjson.loads(key or b"[]")),
            period_ns=spec.period_ns, window=spec.window,
        )

    def own(self, path: bytes, method: bytes, request_id: bytes, close: bool) -> bytes:
        """The gateway's own paths. Health needs no key, and says nothing about anybody."""
        status = 404
        document: dict[str, object] = {"error": {"message": "the gateway has no such path"}}
        if path == b"/fastgw/health":
            status, document = 200, {"status": "ok"}
            if method not in (b"GET", b"HEAD"):
                status, document = 405, {"error": {"message": "GET or HEAD"}}
        fields = [
            ("content-type", "application/json"), ("x-fastgw-request-id", request_id.decode()),
        ]
        return _answer(status, fields, orjson.dumps(document), close, method == b"HEAD")

    def stream_error(self, dialect: int, operation: int, code: int, request_id: str) -> bytes:
        """The event that ends a stream which the provider left unfinished."""
        refused = Refusal(code=code, request_id=request_id)
        own = {"code": refused.entry.text, "request_id": request_id, "url": url(code)}
        return stream_error(
            DIALECTS[dialect], OPERATIONS[operation].decode(), refused.http_status,
            message(refused), fastgw=own,
        )

    def stream_end(self, where: dict[str, Any]) -> bytes:
        """The events that end a stream at the edge of a cap. ``where``: fields of Cut, and
        operation, code and request_id."""
        operation = OPERATIONS[where.pop("operation")].decode()
        refused = Refusal(code=where.pop("code"), request_id=where.pop("request_id"))
        own = {
            "code": refused.entry.text, "request_id": refused.request_id, "url": url(refused.code)
        }
        return stream_end(operation, Cut(**where, reason=message(refused), fastgw=own))

    def where(self, exception: BaseException) -> str:
        """Where it was raised: file and line, nothing of the values involved."""
        frames = traceback.extract_tb(exception.__traceback__)
        return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _answer(status: int, fields: list[tuple[str, str]], text: bytes, close: bool,
            head_only: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status in PHRASES else ''}"]
    lines += [f"{name}: {value}" for name, value in fields]
    lines.append(f"content-length: {len(text)}")
    if close:
        lines.append("connection: close")
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head if head_only else head + text
