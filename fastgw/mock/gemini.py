"""Google's Gemini API, and the same of Vertex AI (WIRE.md 1.6): model and method in the path."""

import orjson

from fastgw.mock.call import Call
from fastgw.mock.framing import Frame
from fastgw.mock.plan import MARK
from fastgw.mock.refusal import Json, Refusal
from fastgw.mock.shape import Shape
from fastgw.mock.words import Words

_MARK = MARK.decode()
PREFIX = ""
MODELS = ("gemini-3-pro-preview", "gemini-2.5-flash", "gemini-embedding-001")
# method of the path -> operation, whether it streams
METHODS = {
    "generateContent": ("generate", False), "streamGenerateContent": ("generate", True),
    "embedContent": ("embed", False), "batchEmbedContents": ("embed", False),
    "countTokens": ("count", False),
}  # fmt: skip
_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def route(path: str) -> tuple[str, str, bool]:
    """Operation ("" unknown), model and whether it streams, of a path of this API."""
    before, found, last = path.rpartition("/models/")
    model, colon, method = last.rpartition(":")
    if found and colon and model and method in METHODS:
        return METHODS[method][0], model, METHODS[method][1]
    return "", "", False


def headers(stream: bool, events: bool) -> tuple[tuple[str, str], ...]:
    kind = "text/event-stream" if stream and events else "application/json; charset=UTF-8"
    return (("content-type", kind), ("x-gemini-service-tier", "standard"),
            ("server-timing", "gfet4t7; dur=12"))


def error(status: int, message: str, code: str = "", retry_after: str = "") -> Json:
    usual = _STATUSES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    inner: Json = {"code": status, "message": message, "status": code or usual}
    if retry_after:
        inner["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo",
                             "retryDelay": f"{retry_after}s"}]
    return {"error": inner}


def refusal_body(refusal: Refusal, wrapped: bool, retry_after: str) -> bytes:
    told: object = error(refusal.status, str(refusal), refusal.code, retry_after)
    return orjson.dumps([told] if wrapped else told, option=orjson.OPT_INDENT_2)


def fault(code: str, events: bool) -> Frame:
    """An error within a stream: of events, a bare document of many lines."""
    told = error(503, "The mock was asked to fail here.", code)
    text = orjson.dumps(told, option=orjson.OPT_INDENT_2)
    return Frame("", text + b"\r\n" if events else text, 0, False, bare=events)


def usage(shape: Shape, visible: int) -> Json:
    told: Json = {"promptTokenCount": shape.input_tokens, "candidatesTokenCount": visible,
                  "totalTokenCount": shape.input_tokens + visible + shape.reasoning,
                  "promptTokensDetails": [{"modality": "TEXT", "tokenCount": shape.input_tokens}],
                  "serviceTier": "standard"}
    if shape.cached:
        told["cachedContentTokenCount"] = shape.cached
        told["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": shape.cached}]
    if shape.reasoning:
        told["thoughtsTokenCount"] = shape.reasoning
    return told


def _part(call: Call, text: str) -> Json:
    if not call.tool:
        return {"text": text}
    try:  # cut by the limit, arguments are not whole
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        arguments = {}
    return {"functionCall": {"name": call.tool["name"], "args": arguments}}


def _candidate(call: Call, shape: Shape, at: int, text: str, ended: bool) -> Json:
    candidate: Json = {"content": {"parts": [_part(call, text)], "role": "model"}, "index": at}
    if ended:
        candidate["finishReason"] = "MAX_TOKENS" if shape.cut else "STOP"
    return candidate


def _chunk(call: Call, candidates: list[Json], told: Json | None) -> Json:
    chunk: Json = {"candidates": candidates, "modelVersion": call.model, "responseId": _MARK}
    return chunk | {"usageMetadata": told} if told else chunk


def body(call: Call, shape: Shape) -> bytes:
    candidates = [_candidate(call, shape, at, shape.text(at), True) for at in range(call.choices)]
    told = usage(shape, shape.output_tokens - shape.reasoning) if shape.usage != "none" else None
    return orjson.dumps(_chunk(call, candidates, told), option=orjson.OPT_INDENT_2)


def _pieces(call: Call, shape: Shape) -> list[list[tuple[str, int]]]:
    """A call comes whole."""
    if not call.tool:
        return shape.pieces
    return [[("".join(text for text, _ in one), sum(tokens for _, tokens in one))]
            for one in shape.pieces]


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    """A chunk each piece, with usage so far; the last piece of a candidate bears its reason."""
    told: list[Frame] = []
    pieces = _pieces(call, shape)
    visible, longest = 0, max(len(one) for one in pieces)
    for number in range(longest + 1):
        for at in range(call.choices):
            if number < len(pieces[at]):
                text, tokens = pieces[at][number]
                visible += tokens
                candidates = [_candidate(call, shape, at, text, False)]
            elif number == len(pieces[at]):
                candidates = [_candidate(call, shape, at, "", True)]
                if call.tool:
                    candidates[0]["content"]["parts"] = [{"text": ""}]
            else:
                continue
            content = number < len(pieces[at])
            silent = shape.usage == "none" or (shape.usage == "last" and content)
            chunk = _chunk(call, candidates, None if silent else usage(shape, visible))
            told.append(Frame("", orjson.dumps(chunk), shape.reasoning + visible, content))
    return tuple(told)


def embeddings(call: Call, shape: Shape, words: Words) -> bytes:
    rows = [{"values": [words.number(at * 31 + place) for place in range(call.dimensions)]}
            for at in range(call.inputs)]
    document: Json = {"embeddings": rows} if call.echoed.get("batch") else {"embedding": rows[0]}
    if shape.usage != "none":
        document["usageMetadata"] = {"promptTokenCount": shape.input_tokens}
    return orjson.dumps(document)


def count(call: Call) -> bytes:
    details = [{"modality": "TEXT", "tokenCount": call.input_tokens}]
    return orjson.dumps({"totalTokens": call.input_tokens, "promptTokensDetails": details})


def model(name: str) -> Json:
    return {"name": f"models/{name}", "version": "001", "displayName": name,
            "inputTokenLimit": 1048576, "outputTokenLimit": 65536,
            "supportedGenerationMethods": ["generateContent", "countTokens"]}


def models() -> bytes:
    return orjson.dumps({"models": [model(name) for name in MODELS]})
