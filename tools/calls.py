"""Calls as clients of each API make them: for tools that go over every dialect.

A kind is one operation of one API. Which of them can be tried is asked, not written down:
`spoken` leaves what both the gateway's configuration and the mock provider know.
"""

import json
import random
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastgw.config import examine_text

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """`ends`: what a whole stream has in it, besides its framing's end; none: it has no mark.
    `output`: where a whole answer tells its output tokens."""

    name: str
    dialect: str
    base: str                        # of base_url, behind the mock's address
    paths: tuple[str, str]           # not streamed, streamed
    model: str
    credential: str                  # the field's beginning, up to the key
    body: Callable[[str, str, bool], Body]  # words, model, streamed
    ends: tuple[bytes, ...] = ()
    output: tuple[str, ...] = ()
    streams: bool = True


def _openai(words: str, model: str, stream: bool) -> Body:
    body: Body = {"model": model, "stream": stream,
                  "messages": [{"role": "user", "content": words}]}
    if stream and len(words) % 4:
        body["stream_options"] = {"include_usage": True}
    return body


def _anthropic(words: str, model: str, stream: bool) -> Body:
    return {"model": model, "stream": stream, "max_tokens": 100_000,
            "messages": [{"role": "user", "content": words}]}


def _vertex(words: str, model: str, stream: bool) -> Body:
    return {"stream": stream, "max_tokens": 100_000, "anthropic_version": "vertex-2023-10-16",
            "messages": [{"role": "user", "content": words}]}


def _gemini(words: str, model: str, stream: bool) -> Body:
    return {"contents": [{"role": "user", "parts": [{"text": words}]}]}


def _chat(words: str, model: str, stream: bool) -> Body:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": words}]}


_VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-5"
_BEARER = "authorization: Bearer "
OPENAI_CHAT = Kind(
    "openai chat", "openai", "/v1", ("/v1/chat/completions",) * 2, "gpt-4o", _BEARER, _openai,
    (b"[DONE]",), ("usage", "completion_tokens"))
ANTHROPIC = Kind(
    "anthropic messages", "anthropic", "", ("/v1/messages",) * 2, "claude-sonnet-5",
    "x-api-key: ", _anthropic, (b"message_stop",), ("usage", "output_tokens"))
KINDS = (
    OPENAI_CHAT, ANTHROPIC,
    Kind("openai responses", "openai", "/v1", ("/v1/responses",) * 2, "gpt-4o", _BEARER,
         lambda words, model, stream: {"model": model, "stream": stream, "input": words},
         (b"response.completed",), ("usage", "output_tokens")),
    Kind("openai completions", "openai", "/v1", ("/v1/completions",) * 2,
         "gpt-3.5-turbo-instruct", _BEARER,
         lambda words, model, stream: {"model": model, "stream": stream, "prompt": words},
         (b"[DONE]",), ("usage", "completion_tokens")),
    Kind("openai embeddings", "openai", "/v1", ("/v1/embeddings",) * 2,
         "text-embedding-3-small", _BEARER,
         lambda words, model, stream: {"model": model, "input": words}, streams=False),
    Kind("gemini", "gemini", "",
         ("/v1beta/models/gemini-2.5-flash:generateContent",
          "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
         "gemini-2.5-flash", "x-goog-api-key: ", _gemini),
    Kind("azure chat", "azure", "",
         ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",) * 2, "gpt-4o",
         "api-key: ", _openai, (b"[DONE]",), ("usage", "completion_tokens")),
    Kind("claude on vertex", "anthropic", "",
         (f"{_VERTEX}:rawPredict", f"{_VERTEX}:streamRawPredict"),
         "claude-sonnet-5", _BEARER, _vertex, (b"message_stop",), ("usage", "output_tokens")),
    *(Kind(f"{name} chat", name, f"/{name}/v1", ("/v1/chat/completions",) * 2,
           f"{name}/some-model", _BEARER, _chat, (b"[DONE]",), ("usage", "completion_tokens"))
      for name in ("mistral", "groq", "xai", "openrouter")),
    Kind("ollama chat", "ollama", "", ("/api/chat",) * 2, "llama3.2", _BEARER, _chat,
         (b'"done":true',), ("eval_count",)),
    Kind("ollama generate", "ollama", "", ("/api/generate",) * 2, "llama3.2", _BEARER,
         lambda words, model, stream: {"model": model, "stream": stream, "prompt": words},
         (b'"done":true',), ("eval_count",)),
    Kind("cohere chat", "cohere", "", ("/v2/chat",) * 2, "command-a-03-2025", _BEARER, _chat,
         (b"message-end",), ("usage", "tokens", "output_tokens")),
)


def provider(kind: Kind, url: str) -> Body:
    """An entry of `providers` for the kind's API at the mock."""
    return {"id": kind.dialect, "dialect": kind.dialect, "base_url": url + kind.base,
            "keys": [{"value": "mock-key"}]}


def _loads(kind: Kind) -> bool:
    text = json.dumps({"providers": [provider(kind, "http://127.0.0.1:9")],
                       "keys": [{"id": "a", "value": "k"}]})
    return examine_text(text.encode(), "probe", {})[0] is not None


def _answers(kind: Kind, url: str) -> bool:
    name, _, value = f"{kind.credential}mock-key".partition(": ")
    request = urllib.request.Request(
        url + kind.paths[0], json.dumps(kind.body("hi", kind.model, False)).encode(),
        {name: value, "content-type": "application/json", "anthropic-version": "2023-06-01",
         "x-mock": "events=1"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def spoken(url: str, kinds: Iterable[Kind] = KINDS) -> tuple[Kind, ...]:
    """Those that the gateway can be configured for, and that the mock at `url` answers."""
    return tuple(kind for kind in kinds if _loads(kind) and _answers(kind, url))


def words(draw: random.Random) -> str:
    return "w " * draw.randrange(1, 40)


def output_of(kind: Kind, body: bytes) -> int | None:
    """Output tokens as a whole answer tells them; None: it does not. ValueError: no JSON."""
    found = json.loads(body)
    for name in kind.output:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, int) else None
