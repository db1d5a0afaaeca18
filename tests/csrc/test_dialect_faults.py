"""Errors within streams: every shape that providers give them is seen, wherever it is cut.

Method: the recorded streams that failed (skipped where absent), and a made stream for each shape
(WIRE.md section 3, row 13); whole, byte by byte and at random cuts.
Text that only speaks of errors is none.
"""

import sys
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

sys.path.insert(0, str(Path(__file__).parent))
from recorded import STREAMS, body_of, names, read, rows, ways  # noqa: E402
from test_event_stream import message, text  # noqa: E402

OK = b'data: {"choices":[{"delta":{"content":"\\"error\\": event: error"}}]}\n\n'
EXCEPTION = message(text(":exception-type", "throttlingException")
                    + text(":message-type", "exception"), b'{"message":"no"}')
UNMODELLED = message(text(":message-type", "error") + text(":error-code", "InternalError"), b"")
SHAPES = {
    "a member of an event": ("openai", "chat", "sse",
                             OK + b'data: {"error":{"message":"no"}}\n\n'),
    "a text": ("openai", "chat", "sse", OK + b'data: {"code":"x","error":"no"}\n\n'),
    "an event's name": ("openai", "chat", "sse",
                        OK + b'event: error\ndata: {"message":"no"}\n\n'),
    "beside usage": ("openai", "chat", "sse", OK + b'data: {"error":{"code":502},"choices":'
                     b'[{"delta":{},"finish_reason":"error"}],"usage":{"prompt_tokens":1}}\n\n'),
    "a type": ("openai", "responses", "sse",
               b'data: {"type":"response.failed","response":{}}\n\n'),
    "anthropic": ("anthropic", "messages", "sse", b'event: error\ndata: {"type":"error","error":'
                  b'{"type":"overloaded_error","message":"no"}}\n\n'),
    "a bare document": ("gemini", "generate", "sse", b'data: {"candidates":[{"content":{"parts":'
                        b'[{"text":"a"}]}}]}\r\n\r\n{\n "error": {\n  "code": 503\n }\n}\r\n'),
    "an element": ("gemini", "generate", "array",
                   b'[{"candidates":[]}\n,\r\n{"error":{"code":503}}]'),
    "a line": ("ollama", "chat", "ndjson", b'{"message":{"content":"a"}}\n{"error":"no"}\n'),
    "an end": ("cohere", "chat", "sse", b'data: {"type":"message-end","delta":{"finish_reason":'
               b'"ERROR"}}\n\n'),
    "an exception's frame": ("bedrock", "converse", "frames", EXCEPTION),
    "a frame of headers": ("bedrock", "invoke", "frames", UNMODELLED),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_of_an_error_is_seen_at_any_cut(shape):
    dialect, operation, kind, stream = shape
    for pieces in ways(stream):
        meter = read(Meter(dialect, operation, streaming=kind), pieces)
        assert "error" in meter.ever, pieces


def test_words_about_errors_are_no_error():
    assert "error" not in read(Meter("openai", "chat", streaming=True), [OK]).ever


def failed() -> list[dict]:
    if not STREAMS.exists():
        return []
    found = rows("openai", "groq", "openrouter", "anthropic", "gemini", "vertex", "xai", "vllm")
    return [row for row in found if row.get("error_midstream") and row["status"] == 200]


@pytest.mark.parametrize("row", failed(), ids=names(failed()))
def test_recorded_failures_are_seen(row):
    dialect = {"anthropic": "anthropic", "gemini": "gemini", "vertex": "gemini"}.get(
        row["dialect"], "openai")
    operation = {"chat": "chat", "responses": "responses", "messages": "messages"}.get(
        row["api"], "generate")
    for pieces in ways(body_of(row)):
        assert "error" in read(Meter(dialect, operation, streaming="sse"), pieces).ever
