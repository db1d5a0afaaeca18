"""Azure's form of OpenAI's API (WIRE.md 1.4): deployments in the path, versions, content filters.

What a version does not know is refused as Azure refuses it, so that a gateway which asks for too
much is found out.
"""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote

import orjson

from fastgw.mock import openai_chat
from fastgw.mock.call import Call, body_object
from fastgw.mock.framing import Frame
from fastgw.mock.plan import MARK
from fastgw.mock.refusal import Json, Refusal, openai_error
from fastgw.mock.shape import Shape

_DEPLOYMENTS, _V1, _RESOURCE = "/openai/deployments/", "/openai/v1/", "/openai/"
_DEPLOYED = ("/chat/completions", "/completions", "/embeddings", "/images/", "/audio/")
_KNOWING = "2024-09-01"  # the first that took what stands in _NEW
_NEW = ("stream_options", "max_completion_tokens")
# Foundry's own API: models of all makers, by the name in the body.
_FOUNDRY = ("/models/chat/completions", "/models/embeddings")
_SAFE = {name: {"filtered": False, "severity": "safe"}
         for name in ("hate", "self_harm", "sexual", "violence")}
_CAUGHT = {**_SAFE, "violence": {"filtered": True, "severity": "high"}}


class Place(NamedTuple):
    """Where on Azure a request goes; `deployment` "": the body names the model."""

    deployment: str
    dated: bool


def place_of(path: str) -> Place | None:
    """None: it is no path of Azure's."""
    before, found, rest = path.partition(_DEPLOYMENTS)
    if found:
        return Place(unquote(rest.partition("/")[0]), True)
    if _V1 in path:
        return Place("", False)
    return Place("", True) if _RESOURCE in path or path.endswith(_FOUNDRY) else None


def check(place: Place, path: str, target: bytes, raw: bytes) -> None:
    """Refusal where Azure has nothing there, or the version does not know what is asked."""
    if not place.dated:
        return
    query = parse_qs(target.partition(b"?")[2].decode("latin-1"))
    version = query.get("api-version", [""])[0]
    foundry = path.endswith(_FOUNDRY)
    deployed = not foundry and any(name in path for name in _DEPLOYED)
    if not version or deployed != bool(place.deployment):
        raise Refusal(404, "Resource not found", "404")
    known = version[: len(_KNOWING)] >= _KNOWING and not foundry
    if known or raw[:2] in (b"--", b""):
        return
    body = body_object(raw)
    for name in _NEW:
        if name in body:
            raise Refusal(400, f"Unrecognized request argument supplied: {name}")


def headers(stream: bool, model: str) -> tuple[tuple[str, str], ...]:
    kind = "text/event-stream; charset=utf-8" if stream else "application/json"
    return (("content-type", kind), ("apim-request-id", MARK.decode()),
            ("x-request-id", MARK.decode()), ("x-ms-region", "Mock Central"),
            ("x-ms-deployment-name", model or "none"), ("x-ratelimit-limit-requests", "120"),
            ("x-ratelimit-remaining-requests", "119"))


def error(refusal: Refusal) -> Json:
    """What refuses before a model is asked has Azure's own, shorter form."""
    if refusal.status in (401, 404, 429) and refusal.code in ("", "404"):
        return {"error": {"code": str(refusal.status), "message": str(refusal)}}
    told = openai_error(refusal.status, str(refusal), refusal.code, refusal.param)
    if refusal.code == "content_filter":
        told["error"] |= {"type": None, "status": 400, "innererror": {
            "code": "ResponsibleAIPolicyViolation", "content_filter_result": _CAUGHT}}
    return told


def filtered() -> Refusal:
    """The prompt was not let in."""
    message = ("The response was filtered due to the prompt triggering Azure OpenAI's content "
               "management policy.")
    return Refusal(400, message, "content_filter", "prompt")


def _prompt_results() -> list[Json]:
    return [{"prompt_index": 0, "content_filter_results": _SAFE}]


def _judged(choice: Json, caught: bool) -> Json:
    """A choice with what the filter says of it."""
    ends = choice.get("finish_reason") is not None
    choice = {**choice, "content_filter_results": _CAUGHT if caught and ends else _SAFE}
    return choice | {"finish_reason": "content_filter"} if caught and ends else choice


def body(call: Call, shape: Shape) -> bytes:
    document = orjson.loads(openai_chat.body(call, shape))
    document["choices"] = [_judged(one, call.filter == "answer") for one in document["choices"]]
    return orjson.dumps({**document, "prompt_filter_results": _prompt_results()})


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    """First what the filter says of the prompt, in a chunk without choices, id and model. An
    asynchronous filter speaks behind the last choice, too."""
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "",
             "prompt_filter_results": _prompt_results()}
    told = [Frame("", orjson.dumps(first), 0, False)]
    for frame in openai_chat.frames(call, shape):
        if frame.payload == b"[DONE]":
            told.append(frame)
            continue
        chunk = orjson.loads(frame.payload)
        ends = [one for one in chunk["choices"] if one["finish_reason"] is not None]
        chunk["choices"] = [_judged(one, call.filter == "answer") for one in chunk["choices"]]
        told.append(frame._replace(payload=orjson.dumps(chunk)))
        if ends and call.filter == "async":
            late = {"index": ends[0]["index"], "finish_reason": None,
                    "content_filter_results": _SAFE,
                    "content_filter_offsets": {"check_offset": 1, "start_offset": 1,
                                               "end_offset": 99}}
            told.append(frame._replace(payload=orjson.dumps({**chunk, "choices": [late]})))
    return tuple(told)
