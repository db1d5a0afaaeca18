"""Ollama's API (WIRE.md 1.14): lines of JSON, and a prompt of no tokens that is not told."""

import time
from datetime import UTC, datetime

import orjson

from fastgw.mock.call import Call, body_object, input_tokens, limit_of, message_tokens, tool_of
from fastgw.mock.framing import Frame
from fastgw.mock.refusal import Json, Refusal
from fastgw.mock.shape import Shape
from fastgw.mock.words import Words

PREFIX = ""
MODELS = ("llama3.2:latest", "qwen3:8b", "nomic-embed-text:latest")
ROUTES = (("/api/chat", "ollama_chat"), ("/api/generate", "ollama_generate"),
          ("/api/embed", "ollama_embed"))
OPERATIONS = tuple(operation for _, operation in ROUTES)


def headers(stream: bool) -> tuple[tuple[str, str], ...]:
    kind = "application/x-ndjson" if stream else "application/json; charset=utf-8"
    return (("content-type", kind),)


def error(message: str) -> Json:
    return {"error": message}


def read(operation: str, raw: bytes, forced_tool: bool) -> Call:
    """Refusal(400) where the server would refuse the body."""
    body = body_object(raw)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "model is required")
    call = Call(operation, model)
    if operation == "ollama_embed":
        given = body.get("input")
        call.input_tokens = input_tokens(given)
        call.inputs = len(given) if isinstance(given, list) else 1
        return call
    call.stream = body.get("stream") is not False
    options = body.get("options")
    limit = options.get("num_predict") if isinstance(options, dict) else None
    call.limit = None if isinstance(limit, int) and limit < 0 else limit_of(
        options if isinstance(options, dict) else {}, "num_predict")
    if operation == "ollama_chat":
        turns = body.get("messages")
        if not isinstance(turns, list):
            raise Refusal(400, "messages is required")
        call.input_tokens = message_tokens(turns, None, body.get("tools"))
        call.tool = tool_of(body, turns, forced_tool)
    else:
        call.input_tokens = input_tokens(body.get("prompt") or "") + (
            input_tokens(body["system"]) if body.get("system") else 0)
    return call


def _base(call: Call) -> Json:
    now = datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")
    return {"model": call.model, "created_at": now}


def _text(call: Call, text: str) -> Json:
    if call.operation == "ollama_generate":
        return {"response": text}
    if not call.tool:
        return {"message": {"role": "assistant", "content": text}}
    try:  # cut by the limit, arguments are not whole
        arguments = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        arguments = {}
    calls = [{"function": {"name": call.tool["name"], "arguments": arguments}}]
    return {"message": {"role": "assistant", "content": "", **({"tool_calls": calls} if text
                                                               else {})}}


def _end(call: Call, shape: Shape) -> Json:
    told: Json = {"done": True, "done_reason": "length" if shape.cut else "stop",
                  "total_duration": 2_000_000, "load_duration": 1_000_000}
    if shape.usage != "none":
        if shape.input_tokens:  # as the server has it: a zero is left out
            told["prompt_eval_count"] = shape.input_tokens
        if shape.cached:
            told["prompt_eval_cached_count"] = shape.cached
        told |= {"eval_count": shape.output_tokens, "eval_duration": 1_000_000}
    return told


def body(call: Call, shape: Shape) -> bytes:
    return orjson.dumps({**_base(call), **_text(call, shape.text(0)), **_end(call, shape)})


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    """A line each piece (a call comes whole), and the one with the counts."""
    base, output, told = _base(call), shape.reasoning, []
    pieces = shape.pieces[0]
    if call.tool:
        pieces = [(shape.text(0), sum(tokens for _, tokens in pieces))]
    for text, tokens in pieces:
        output += tokens
        line = {**base, **_text(call, text), "done": False}
        told.append(Frame("", orjson.dumps(line), output, True))
    last = {**base, **_text(call, ""), **_end(call, shape)}
    return (*told, Frame("", orjson.dumps(last), output, False))


def embeddings(call: Call, shape: Shape, words: Words) -> bytes:
    rows = [[words.number(at * 31 + place) for place in range(64)] for at in range(call.inputs)]
    document: Json = {"model": call.model, "embeddings": rows, "total_duration": 2_000_000,
                      "load_duration": 1_000_000}
    if shape.usage != "none" and shape.input_tokens:
        document["prompt_eval_count"] = shape.input_tokens
    return orjson.dumps(document)


def model(name: str) -> Json:
    return {"name": name, "model": name, "size": 1, "digest": "0" * 64,
            "modified_at": "2026-01-01T00:00:00Z", "details": {"family": "mock"}}


def models() -> bytes:
    return orjson.dumps({"models": [model(name) for name in MODELS]})
