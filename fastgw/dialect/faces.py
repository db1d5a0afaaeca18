"""The table of the dialects' cold sides, and the doors that ask for one by name or number."""

from collections.abc import Mapping
from typing import Any

import orjson

from fastgw.dialect import anthropic, azure, cohere, gemini, ollama, openai
from fastgw.dialect.face import Cut, Face, Fault
from fastgw.dialect.names import DIALECTS

FACES: dict[str, Face] = {face.name: face for face in (
    openai.FACE, anthropic.FACE, gemini.FACE, azure.FACE, ollama.FACE, cohere.FACE)}  # fmt: skip

# By enum fgw_dialect; who has no API, or none that is spoken, is answered as OpenAI would.
BY_NUMBER: tuple[Face, ...] = tuple(FACES.get(name, openai.FACE) for name in DIALECTS)


def error_body(
    dialect: str,
    status: int,
    message: str,
    *,
    type: str | None = None,
    code: str | None = None,
    param: str | None = None,
    fastgw: Mapping[str, Any] | None = None,
) -> bytes:
    """The JSON body of a refusal with ``status``; the rest as in `Fault`."""
    fault = Fault(status, message, type, code, param, fastgw)
    return orjson.dumps(FACES[dialect].error(fault))


def stream_error(
    dialect: str,
    operation: str,
    status: int,
    message: str,
    *,
    fastgw: Mapping[str, Any] | None = None,
) -> bytes:
    """What tells of a failure in a stream that has begun; nothing follows it."""
    return FACES[dialect].stream_error(operation, Fault(status, message, fastgw=fastgw))


def stream_end(dialect: str, operation: str, cut: Cut) -> bytes:
    """What ends a stream of ``operation`` at a cap, from between two events on.

    A cut by the gateway reads like one by the provider (`finish_reason: "length"`, `stop_reason:
    "max_tokens"`), so that every client already knows what to do. Where the API has room for it, a
    comment in front, which SDKs skip, and a member `fastgw`, which they keep, say that it was us.
    """
    return FACES[dialect].stream_end(operation, cut)
