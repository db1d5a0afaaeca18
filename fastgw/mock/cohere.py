"""Cohere's API, v2 (WIRE.md 1.9): two sums of tokens, of which the smaller one is billed."""

import orjson

from fastgw.mock.call import Call, body_object, input_tokens, limit_of, message_tokens, tool_of
from fastgw.mock.framing import Frame
from fastgw.mock.plan import MARK
from fastgw.mock.refusal import Json, Refusal
from fastgw.mock.shape import Shape
from fastgw.mock.words import Words

_MARK = MARK.decode()
PREFIX = ""
ROUTES = (("/v2/chat", "cohere_chat"), ("/v2/embed", "cohere_embed"),
          ("/v2/rerank", "cohere_rerank"))
OPERATIONS = tuple(operation for _, operation in ROUTES)


def headers(stream: bool) -> tuple[tuple[str, str], ...]:
    kind = "text/event-stream" if stream else "application/json"
    return (("content-type", kind), ("x-endpoint-monthly-call-limit", "1000"))


def error(message: str) -> Json:
    return {"id": _MARK, "message": message}


def read(operation: str, raw: bytes, forced_tool: bool) -> Call:
    """Refusal(400) where the API would refuse the body."""
    body = body_object(raw)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "invalid request: model is required")
    call = Call(operation, model)
    if operation == "cohere_chat":
        turns = body.get("messages")
        if not isinstance(turns, list) or not turns:
            raise Refusal(400, "invalid request: messages must be at least 1 message long")
        call.stream = body.get("stream") is True
        call.limit = limit_of(body, "max_tokens")
        call.input_tokens = message_tokens(turns, None, body.get("tools"))
        call.tool = tool_of(body, turns, forced_tool)
        return call
    given = body.get("texts" if operation == "cohere_embed" else "documents")
    if not isinstance(given, list) or not given:
        raise Refusal(400, "invalid request: nothing to work on")
    call.inputs = len(given)
    call.input_tokens = input_tokens(given)
    return call


def usage(shape: Shape) -> Json:
    """What came from the cache is not billed."""
    told: Json = {
        "billed_units": {"input_tokens": shape.input_tokens - shape.cached,
                         "output_tokens": shape.output_tokens},
        "tokens": {"input_tokens": shape.input_tokens, "output_tokens": shape.output_tokens},
    }
    if shape.reasoning:
        told["tokens"]["reasoning_tokens"] = shape.reasoning
    if shape.cached:
        told["cached_tokens"] = shape.cached
    return told


def _reason(call: Call, shape: Shape) -> str:
    if shape.cut:
        return "MAX_TOKENS"
    return "TOOL_CALL" if call.tool else "COMPLETE"


def _tool_call(call: Call, arguments: str) -> Json:
    assert call.tool is not None
    return {"id": f"{call.tool['name']}_{_MARK}", "type": "function",
            "function": {"name": call.tool["name"], "arguments": arguments}}


def body(call: Call, shape: Shape) -> bytes:
    message: Json = {"role": "assistant", "content": [{"type": "text", "text": shape.text(0)}]}
    if call.tool:
        message = {"role": "assistant", "tool_plan": "",
                   "tool_calls": [_tool_call(call, shape.text(0))]}
    document = {"id": _MARK, "message": message, "finish_reason": _reason(call, shape)}
    if shape.usage != "none":
        document["usage"] = usage(shape)
    return orjson.dumps(document)


def _frame(kind: str, members: Json, output: int, content: bool = False) -> Frame:
    return Frame(kind, orjson.dumps({"type": kind, **members}), output, content)


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    start: Json = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [],
                   "citations": []}
    output = shape.reasoning
    if call.tool:
        part, first = "tool-call", {"tool_calls": _tool_call(call, "")}
    else:
        part, first = "content", {"content": {"type": "text", "text": ""}}
    told = [_frame("message-start", {"id": _MARK, "delta": {"message": start}}, output),
            _frame(f"{part}-start", {"index": 0, "delta": {"message": first}}, output)]
    for text, tokens in shape.pieces[0]:
        output += tokens
        message: Json = {"tool_calls": {"function": {"arguments": text}}} if call.tool else {
            "content": {"text": text}}
        told.append(_frame(f"{part}-delta", {"index": 0, "delta": {"message": message}}, output,
                           True))
    end: Json = {"finish_reason": _reason(call, shape)}
    if shape.usage != "none":
        end["usage"] = usage(shape)
    return (*told, _frame(f"{part}-end", {"index": 0}, output),
            _frame("message-end", {"id": _MARK, "delta": end}, output),
            Frame("", b"[DONE]", output, False))


def fault(message: str) -> Frame:
    """What ends a stream that failed: the API has no event of its own for it."""
    return _frame("message-end", {"delta": {"finish_reason": "ERROR", "error": message}}, 0)


def embeddings(call: Call, shape: Shape, words: Words) -> bytes:
    rows = [[words.number(at * 31 + place) for place in range(64)] for at in range(call.inputs)]
    meta: Json = {"api_version": {"version": "2"}}
    if shape.usage != "none":
        meta["billed_units"] = {"input_tokens": shape.input_tokens}
    return orjson.dumps({"id": _MARK, "embeddings": {"float": rows}, "texts": [], "meta": meta,
                         "response_type": "embeddings_by_type"})


def rerank(call: Call) -> bytes:
    """Paid by the search, not by tokens."""
    rows = [{"index": at, "relevance_score": 1 / (at + 1)} for at in range(call.inputs)]
    return orjson.dumps({"id": _MARK, "results": rows,
                         "meta": {"api_version": {"version": "2"},
                                  "billed_units": {"search_units": 1}}})
