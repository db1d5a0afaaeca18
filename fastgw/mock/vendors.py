"""Vendors of OpenAI's chat API with habits of their own (WIRE.md 1.8, 1.10, 1.13), below a path of
their name: `/mistral/v1/…`, `/groq/v1/…`, `/xai/v1/…`, `/openrouter/v1/…`.
"""

import orjson

from fastgw.mock import openai_chat
from fastgw.mock.call import Call, body_object
from fastgw.mock.framing import Frame
from fastgw.mock.refusal import Json, Refusal
from fastgw.mock.shape import Shape

VENDORS = ("mistral", "groq", "xai", "openrouter")
_WAITING = Frame("", b": OPENROUTER PROCESSING\n\n", 0, False, bare=True)
_NANO_USD = 150  # what OpenRouter says that a token costs


def vendor_of(path: str) -> str:
    """"": it is none of these."""
    name = path.partition("/")[2].partition("/")[0]
    return name if name in VENDORS and path.endswith("/chat/completions") else ""


def check(vendor: str, raw: bytes) -> None:
    """Refusal of what the vendor does not know."""
    if vendor == "mistral" and "stream_options" in body_object(raw):
        raise Refusal(422, "Extra inputs are not permitted: stream_options", "", "stream_options")


def _told(vendor: str, shape: Shape) -> Json:
    told = openai_chat.usage(shape, shape.output_tokens, shape.reasoning)
    if vendor == "xai":  # reasoning is beside the completion, and in the total
        told["completion_tokens"] -= shape.reasoning
    if vendor == "openrouter":
        told["cost"] = told["total_tokens"] * _NANO_USD / 1e9
        told["is_byok"] = False
    return told


def body(vendor: str, call: Call, shape: Shape) -> bytes:
    document = orjson.loads(openai_chat.body(call, shape))
    if "usage" in document:
        document["usage"] = _told(vendor, shape)
    waiting = b"\n         \n" if vendor == "openrouter" else b""  # sent while it generates
    return waiting + orjson.dumps(document)


def frames(vendor: str, call: Call, shape: Shape) -> tuple[Frame, ...]:
    """Usage unasked: Mistral's and OpenRouter's in the chunk that ends, Groq's there in a member
    of its own; asked for, in a chunk of its own as well."""
    told = list(openai_chat.frames(call, shape))
    if shape.usage == "none":
        return tuple(told)
    for at, frame in enumerate(told[:-1]):  # the last is [DONE]
        chunk = orjson.loads(frame.payload)
        ends = all(one["finish_reason"] for one in chunk["choices"])
        if chunk.get("usage"):
            chunk["usage"] = _told(vendor, shape)
        if ends and vendor in ("mistral", "openrouter"):
            chunk["usage"] = _told(vendor, shape)
        if ends and vendor == "groq" and chunk["choices"]:
            chunk["x_groq"] = {"id": chunk["id"], "usage": _told(vendor, shape)}
        told[at] = frame._replace(payload=orjson.dumps(chunk))
    return (_WAITING, *told) if vendor == "openrouter" else tuple(told)
