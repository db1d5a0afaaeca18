"""OpenAI embeddings, moderations and models (WIRE.md 1.3)."""

import base64
import struct

import orjson

from fastgw.mock.call import Call
from fastgw.mock.plan import MARK
from fastgw.mock.refusal import Json
from fastgw.mock.shape import Shape
from fastgw.mock.words import Words

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-5", "gpt-5-nano", "o4-mini", "text-embedding-3-small")
_CREATED = 1715367049
_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit",
    "illicit/violent", "self-harm", "self-harm/instructions", "self-harm/intent", "sexual",
    "sexual/minors", "violence", "violence/graphic",
)


def embeddings(call: Call, shape: Shape, words: Words) -> bytes:
    rows = []
    for at in range(call.inputs):
        vector = [words.number(at * 31 + place) for place in range(call.dimensions)]
        packed: object = vector
        if call.base64:
            packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        rows.append({"object": "embedding", "index": at, "embedding": packed})
    document: Json = {"object": "list", "data": rows, "model": call.model}
    if shape.usage != "none":
        document["usage"] = {"prompt_tokens": shape.input_tokens,
                             "total_tokens": shape.input_tokens}
    return orjson.dumps(document)


def moderations(call: Call) -> bytes:
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0001),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    return orjson.dumps({"id": "modr-" + MARK.decode(), "model": call.model,
                         "results": [result] * call.inputs})


def model(name: str) -> Json:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "mock"}


def models() -> bytes:
    return orjson.dumps({"object": "list", "data": [model(name) for name in MODELS]})
