"""What is cold about an API that is spoken here: one `Face` a wire dialect, in a file of its name.

How its requests and answers are read stands in csrc/fgw_dialect_face.h; here is how it words
things: errors, ends of streams, where a credential stands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(slots=True)
class Cut:
    """Where a stream stands after the last event that was passed on.

    ``identity``, ``model``, ``created`` are the answer's own. ``begun``: an event went out.
    ``sequence``: number of the last one (responses; -1: none). ``finished``: choices that have
    their finish_reason; ``choices``: how many were asked for. ``blocks``: content blocks that
    stand open. ``usage``: the client has asked for the usage chunk.
    """

    identity: str
    model: str
    created: int = 0
    sequence: int = -1
    begun: bool = True
    finished: frozenset[int] = frozenset()
    choices: int = 1
    blocks: tuple[int, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    usage: bool = False
    filtered: bool = False  # ended for what it says, not for its length
    stream: str = "sse"  # one of names.STREAMS: how its events are framed
    reason: str = ""
    fastgw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, for an error in an API's own shape.

    ``type`` and ``code`` replace the API's usual ones where it has them; ``param`` names the
    member at fault; ``fastgw`` is our own member: code, rule, limit, retry_after_ms, request_id,
    url.
    """

    status: int
    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None
    fastgw: Mapping[str, Any] | None = None
    stream: str = "sse"  # for stream_error: how the events before it are framed,
    begun: bool = True  # and whether there was one


@dataclass(frozen=True, slots=True)
class Shape:
    """A refusal around its message, as JSON text: ``opening`` message ``rest`` rule, limits and
    request id ``end``. ``repeats_id``: the id follows `end` once more, and `"}`. ``behind`` comes
    behind ``rest``; between the two, where waiting helps, ``wait``, the seconds and `s"},`."""

    opening: bytes
    rest: bytes
    end: bytes
    repeats_id: bool = False
    wait: bytes = b""
    behind: bytes = b""


@dataclass(frozen=True, slots=True)
class Face:
    """``strip``: what clients put behind a host, and this API's base URL ends in already.

    ``credential``: the field of the provider's key, up to its value; keys that begin with one of
    ``tokens`` go as `Authorization: Bearer`. ``kinds``: for each kind of the error catalogue, what
    this API calls it. ``shape(kind, status, param, own)``: a refusal's frame; ``own`` is the
    beginning of our member, up to the value of `rule`; ``wrapped``: the same to who has asked for
    one JSON array. ``error``: the whole body of an error. ``stream_error(operation, fault)``: the
    bytes that tell of a failure in a stream that has begun, nothing follows them;
    ``stream_end(operation, cut)``: those that end one at a cap. Both must begin where an event may
    begin.
    """

    name: str
    strip: bytes
    credential: str
    kinds: Mapping[str, Any]
    shape: Callable[[str, int, str | None, bytes], Shape]
    error: Callable[[Fault], dict[str, Any]]
    stream_error: Callable[[str, Fault], bytes]
    stream_end: Callable[[str, Cut], bytes]
    tokens: tuple[str, ...] = ()
    wrapped: Callable[[str, int, str | None, bytes], Shape] | None = None


def sse(document: dict[str, Any], event: str | None = None) -> bytes:
    """An event of an SSE stream."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + orjson.dumps(document) + b"\n\n"


def comment(text: str) -> bytes:
    """An SSE comment; what could end its line is taken out."""
    return b": " + "".join(c for c in text if c >= " " and c != "\x7f").encode() + b"\n\n"
