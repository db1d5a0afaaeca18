"""Phase EXPLAIN, for the client: a refusal as bytes, in the shape of the dialect's own API.

Off the hot path: it runs once a refusal, with Python objects.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any

import orjson

from fastgw.errors import Code

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
STATUS = {1: 400, 2: 404, 3: 401, 4: 400, 5: 400, 6: 403, 7: 503, 8: 429, 9: 502}
EXACT = {102: 408, 103: 414, 104: 431, 105: 501, 106: 505, 107: 501, 202: 405, 306: 403, 402: 413,
         405: 408, 406: 417, 407: 415, 509: 404, 603: 500, 807: 503, 904: 504, 905: 504, 906: 504,
         907: 504, 991: 500}


class Refusals:
    """Renders for one policy version. ``status`` is that of the last refusal rendered."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        self.status = 0
        self._names = {hash0: text for _, hash0, text in policy.names()}

    def head_code(self, error: int, status: int) -> int:
        return HEAD_CODES.get(error, Code.HEAD_MALFORMED)

    def rule_line(self, rule: int) -> bytes:
        return f"x-fastgw-rule: {self._names.get(rule, '')}\r\n".encode()

    def bucket_name(self, limit: int, key: bytes, enforced: int) -> bytes:
        spec = self.policy.limits[limit]
        return orjson.dumps({
            "name": spec.name, "unit": spec.unit, "algorithm": spec.algorithm,
            "key": orjson.loads(key or b"[]"), "limit": spec.capacity,
            "period_ns": spec.period_ns, "enforced": bool(enforced),
        })

    def render(self, view: dict[str, Any]) -> bytes:
        code = view["code"]
        self.status = view["status"] or EXACT.get(code) or STATUS[code // 100]
        text = f"refused by the gateway: FGW-{code}"
        wait = max([limit[4] for limit in view["limits"] if limit[6] == 2], default=0)
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines.append("content-type: application/json")
        lines.append(f"x-fastgw-request-id: {view['request_id']}")
        lines.append(f"x-fastgw-code: FGW-{code}")
        if wait:
            lines.append(f"retry-after: {-(-wait // 10**9)}")
            lines.append(f"retry-after-ms: {-(-wait // 10**6)}")
        if view["close"]:
            lines.append("connection: close")
        error = {"message": text, "type": "invalid_request_error", "code": str(code)}
        body = orjson.dumps({"error": error})
        lines.append(f"content-length: {len(body)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return head if view["head_only"] else head + body

    def own(self, path: bytes, method: bytes, request_id: bytes, close: bool) -> bytes:
        status, body = 404, {"error": "no such path"}
        if path == b"/fastgw/health":
            status, body = 200, {"status": "ok"}
        text = orjson.dumps(body)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        head += f"x-fastgw-request-id: {request_id.decode()}\r\ncontent-length: {len(text)}\r\n"
        head += "connection: close\r\n\r\n" if close else "\r\n"
        return head.encode() + (b"" if method == b"HEAD" else text)

    def stream_error(self, dialect: int, operation: int, code: int, request_id: bytes) -> bytes:
        return b'data: {"error":{"message":"cut","code":"%d"}}\n\n' % code

    def where(self, exception: BaseException) -> str:
        """Where it was raised: file and line, nothing of the values involved."""
        frames = traceback.extract_tb(exception.__traceback__)
        return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
