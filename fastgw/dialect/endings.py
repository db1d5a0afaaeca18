"""How each API ends a stream whose answer ran into its limit of output tokens.

A cut by the gateway reads like one by the provider (`finish_reason: "length"`, `stop_reason:
"max_tokens"`, `response.incomplete`), so that every client already knows what to do. A comment in
front, which SDKs skip, and a member `fastgw`, which they keep, say that it was us, and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastgw.dialect.errors import sse


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
    reason: str = ""
    fastgw: Mapping[str, Any] = field(default_factory=dict)


def comment(text: str) -> bytes:
    """An SSE comment; what could end its line is taken out."""
    return b": " + "".join(c for c in text if c >= " " and c != "\x7f").encode() + b"\n\n"


def _chat_usage(cut: Cut) -> dict[str, int]:
    return {
        "prompt_tokens": cut.input_tokens,
        "completion_tokens": cut.output_tokens,
        "total_tokens": cut.input_tokens + cut.output_tokens,
    }


def chat_ending(operation: str, cut: Cut) -> bytes:
    """A last chunk for each choice that has none, the usage chunk if asked for, [DONE]."""
    kind = "chat.completion.chunk" if operation == "chat" else "text_completion"
    chunk: dict[str, Any] = {
        "id": cut.identity, "object": kind, "created": cut.created, "model": cut.model,
    }  # fmt: skip
    delta = {} if cut.begun else {"role": "assistant", "content": ""}
    bears: dict[str, Any] = {"delta": delta} if operation == "chat" else {"text": ""}
    empty = {"usage": None} if cut.usage else {}
    out = b""
    reason = "content_filter" if cut.filtered else "length"
    for index in range(cut.choices):
        if index not in cut.finished:
            choice = {"index": index, **bears, "logprobs": None, "finish_reason": reason}
            out += sse({**chunk, "choices": [choice], **empty, "fastgw": cut.fastgw})
    if cut.usage:
        out += sse({**chunk, "choices": [], "usage": _chat_usage(cut)})
    return out + b"data: [DONE]\n\n"


def _response(cut: Cut, done: bool) -> dict[str, Any]:
    reason = "content_filter" if cut.filtered else "max_output_tokens"
    usage = {
        "input_tokens": cut.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": cut.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": cut.input_tokens + cut.output_tokens,
    }
    return {
        "id": cut.identity,
        "object": "response",
        "created_at": cut.created,
        "status": "incomplete" if done else "in_progress",
        "error": None,
        "incomplete_details": {"reason": reason} if done else None,
        "instructions": None,
        "metadata": {},
        "model": cut.model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if done else None,
    }


def responses_ending(cut: Cut) -> bytes:
    """`response.incomplete`: terminal wherever it stands, so items are not closed one by one (that
    would need the text of each, which is kept nowhere)."""
    out, sequence = b"", cut.sequence + 1
    if not cut.begun:
        created = {"type": "response.created", "response": _response(cut, False)}
        out = sse({**created, "sequence_number": sequence}, "response.created")
        sequence += 1
    last = {"type": "response.incomplete", "response": _response(cut, True)}
    numbered = {**last, "sequence_number": sequence, "fastgw": cut.fastgw}
    return out + sse(numbered, "response.incomplete")


def messages_ending(cut: Cut) -> bytes:
    """The open blocks closed, `message_delta` with reason and usage, `message_stop`."""
    out = b""
    if not cut.begun:
        message: dict[str, Any] = {
            "id": cut.identity, "type": "message", "role": "assistant", "model": cut.model,
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": cut.input_tokens, "output_tokens": 0},
        }  # fmt: skip
        out = sse({"type": "message_start", "message": message}, "message_start")
    for index in cut.blocks:
        out += sse({"type": "content_block_stop", "index": index}, "content_block_stop")
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal" if cut.filtered else "max_tokens",
                  "stop_sequence": None},
        "usage": {"output_tokens": cut.output_tokens},
        "fastgw": cut.fastgw,
    }
    return out + sse(delta, "message_delta") + sse({"type": "message_stop"}, "message_stop")


def stream_end(operation: str, cut: Cut) -> bytes:
    """The events that end a stream of ``operation`` at a cap, from between two events on."""
    if operation == "messages":
        return comment(cut.reason) + messages_ending(cut)
    if operation == "responses":
        return comment(cut.reason) + responses_ending(cut)
    return comment(cut.reason) + chat_ending(operation, cut)
