"""What the gateway says of its own that is rare: its own paths, a stream's error event, names.

Off the hot path, with Python objects; refusals themselves are rendered by explain/refusal.pyx.
"""

from __future__ import annotations

import traceback
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import orjson

from fastgw.clock import wall_ns
from fastgw.dialect.face import Cut, Fault
from fastgw.dialect.faces import BY_NUMBER
from fastgw.dialect.names import OPERATIONS, STREAMS
from fastgw.errors import Code
from fastgw.explain.catalogue import entry, url
from fastgw.limit.windows import bounds

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


class Refusals:
    """Renders for one policy version."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy

    def head_code(self, error: int, status: int) -> int:
        return HEAD_CODES.get(error, Code.HEAD_MALFORMED)

    def bucket_name(self, limit: int, key: bytes, enforced: int) -> bytes:
        """What a word of the shared table stands for, as the ledger keeps it."""
        spec = self.policy.limits[limit]
        ends_ns = 0
        if spec.window:
            ends_ns = bounds(spec.window, spec.time_zone or "UTC", wall_ns())[1]
        return spec.bucket_text(key, bool(enforced), ends_ns)

    def queue_name(self, limit: int, key: bytes) -> bytes:
        """The same of the word that counts the places in a limit's queue."""
        spec = self.policy.limits[limit]
        places = replace(spec, name=f"{spec.name} queue", capacity=spec.queue_max)
        return places.bucket_text(key, True)

    def own(self, path: bytes, method: bytes, request_id: bytes, close: bool) -> bytes:
        """The gateway's own paths. Health needs no key, and says nothing about anybody."""
        status = 404
        document: dict[str, object] = {"error": {"message": "the gateway has no such path"}}
        if path == b"/fastgw/health":
            status, document = 200, {"status": "ok"}
        elif path in (b"/fastgw/usage", b"/fastgw/limits"):
            status, document = 503, {"error": {"message": "nobody here can tell"}}
        fields = [
            ("content-type", "application/json"), ("x-fastgw-request-id", request_id.decode()),
        ]
        if status != 404 and method not in (b"GET", b"HEAD"):
            status, document = 405, {"error": {"message": "GET or HEAD"}}
            fields.append(("allow", "GET, HEAD"))
        return _answer(status, fields, orjson.dumps(document), close, method == b"HEAD")

    def told(self, status: int, text: bytes, request_id: bytes, close: bool,
             method: bytes) -> bytes:
        """What a key's holder asked for: a JSON text (fastgw.process.holders)."""
        fields = [
            ("content-type", "application/json"), ("cache-control", "no-store"),
            ("x-fastgw-request-id", request_id.decode()),
        ]
        if status == 503:
            fields.append(("retry-after", "1"))
        return _answer(status, fields, text, close, method == b"HEAD")

    def stream_error(self, dialect: int, operation: int, code: int, request_id: str,
                     stream: int = 1, begun: bool = True) -> bytes:
        """The event that ends a stream which the provider left unfinished; ``stream``: enum
        fgw_stream_kind, ``begun``: an event was passed on."""
        known = entry(code)
        own = {"code": known.text, "request_id": request_id, "url": url(code)}
        fault = Fault(known.status, f"{known.text}: {known.title}. {known.remedy}", fastgw=own,
                      stream=STREAMS[stream], begun=begun)
        return BY_NUMBER[dialect].stream_error(OPERATIONS[operation], fault)

    def stream_end(self, where: dict[str, Any]) -> bytes:
        """The events that end a stream at the edge of a cap. ``where``: fields of Cut, and
        dialect, operation, code and request_id."""
        face, operation = BY_NUMBER[where.pop("dialect")], OPERATIONS[where.pop("operation")]
        code, request_id = where.pop("code"), where.pop("request_id")
        known = entry(code)
        own = {"code": known.text, "request_id": request_id, "url": url(code)}
        reason = f"{known.text}: {known.title}. {known.remedy}"
        return face.stream_end(operation, Cut(**where, reason=reason, fastgw=own))

    def finding(self, rule: str, effect: str, enforced: bool) -> bytes:
        """What a `detect` action has found, as the ledger keeps it beside its request."""
        return orjson.dumps({"name": rule, "effect": effect, "enforced": enforced})

    def where(self, exception: BaseException) -> str:
        """Where it was raised: file and line, nothing of the values involved."""
        frames = traceback.extract_tb(exception.__traceback__)
        return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _answer(status: int, fields: list[tuple[str, str]], text: bytes, close: bool,
            head_only: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in fields]
    lines.append(f"content-length: {len(text)}")
    if close:
        lines.append("connection: close")
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head if head_only else head + text
