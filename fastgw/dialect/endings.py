"""How each API ends a stream whose answer ran into its limit of output tokens.

A cut by the gateway reads like one by the provider (`finish_reason: "length"`, `stop_reason:
"max_tokens"`, `response.incomplete`), so that every client already knows what to do; a comment
before it, which SDKs skip, bears our code.
"""

from typing import Any

from fastgw.dialect.errors import sse


def comment(text: str) -> bytes:
    """An SSE comment; what could end its line is taken out."""
    return b": " + "".join(c for c in text if c >= " " and c != "\x7f").encode() + b"\n\n"


def chat_ending(operation: str, identity: str, model: str) -> bytes:
    choice: dict[str, Any] = {"index": 0, "finish_reason": "length"}
    if operation == "chat":
        choice["delta"] = {}
    else:
        choice["text"] = ""
    kind = "chat.completion.chunk" if operation == "chat" else "text_completion"
    chunk = {"id": identity, "object": kind, "created": 0, "model": model, "choices": [choice]}
    return sse(chunk) + b"data: [DONE]\n\n"


def responses_ending(identity: str, model: str) -> bytes:
    response = {
        "id": identity,
        "object": "response",
        "created_at": 0,
        "model": model,
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "error": None,
        "output": [],
        "usage": None,
    }
    return sse({"type": "response.incomplete", "response": response}, "response.incomplete")


def messages_ending(open_block: int | None, output_tokens: int) -> bytes:
    out = b""
    if open_block is not None:
        stop = {"type": "content_block_stop", "index": open_block}
        out = sse(stop, "content_block_stop")
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "max_tokens", "stop_sequence": None},
        "usage": {"output_tokens": output_tokens},
    }
    return out + sse(delta, "message_delta") + sse({"type": "message_stop"}, "message_stop")


def stream_end(
    operation: str,
    *,
    identity: str,
    model: str,
    reason: str,
    open_block: int | None = None,
    output_tokens: int = 0,
) -> bytes:
    """The events that end a stream of ``operation`` at a cap.

    ``identity`` and ``model`` are the answer's own; ``reason`` goes into the comment;
    ``open_block`` is the index of the Anthropic content block that has begun and not ended.
    """
    if operation == "messages":
        return comment(reason) + messages_ending(open_block, output_tokens)
    if operation == "responses":
        return comment(reason) + responses_ending(identity, model)
    return comment(reason) + chat_ending(operation, identity, model)
