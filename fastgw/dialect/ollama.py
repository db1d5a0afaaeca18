"""How Ollama's API words things: errors, the end of its streams (lines of JSON)."""

from typing import Any

import orjson

from fastgw.dialect.face import Cut, Face, Fault, Shape

# Its errors have a text and no type: the status says the rest.
KINDS = dict.fromkeys((
    "invalid", "too_large", "context", "authentication", "permission", "not_found", "model",
    "requests", "tokens", "quota", "overloaded", "timeout", "server",
))  # fmt: skip


def shape(kind: str, status: int, param: str | None, own: bytes) -> Shape:
    return Shape(b'{"error":"', b'",' + own, b'"}}')


def error(fault: Fault) -> dict[str, Any]:
    document: dict[str, Any] = {"error": fault.message}
    return {**document, "fastgw": fault.fastgw} if fault.fastgw else document


def stream_error(operation: str, fault: Fault) -> bytes:
    """A line with `error`, on which the SDK raises."""
    return orjson.dumps(error(fault)) + b"\n"


def stream_end(operation: str, cut: Cut) -> bytes:
    """The line with `done`. Ollama has no word for an answer that was filtered: it ends plainly,
    and only our member tells."""
    text: dict[str, Any] = {"response": ""}
    if operation == "chat":
        text = {"message": {"role": "assistant", "content": ""}}
    return orjson.dumps({
        "model": cut.model, **text, "done": True,
        "done_reason": "stop" if cut.filtered else "length",
        "prompt_eval_count": cut.input_tokens, "eval_count": cut.output_tokens,
        "fastgw": cut.fastgw,
    }) + b"\n"  # fmt: skip


FACE = Face(name="ollama", strip=b"", credential="authorization: Bearer ", kinds=KINDS,
            shape=shape, error=error, stream_error=stream_error, stream_end=stream_end)
