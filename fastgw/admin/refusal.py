"""JSON in, JSON out: also when the answer is no."""

import orjson
from starlette.responses import Response


def answer(content: object, status: int = 200) -> Response:
    body = orjson.dumps(content, default=str)
    return Response(body, status, media_type="application/json")


def refuse(status: int, code: str, message: str) -> Response:
    """``{"error": {"code", "message"}}``; ``code`` is for programs, ``message`` for people."""
    return answer({"error": {"code": code, "message": message}}, status)
