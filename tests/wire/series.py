"""A connection's bytes read as a series of messages, the way the listener and the upstream do.

The buffer grows at the cuts that the caller chooses; what comes out must not depend on them.
"""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fastgw.wire.chunk import Chunks
from fastgw.wire.head import Head

VECTORS = Path(__file__).resolve().parents[2] / ".." / "shared" / "vectors"

# What the OpenAI Python SDK sends.
SDK = (
    b"POST /v1/chat/completions HTTP/1.1\r\n"
    b"Host: 127.0.0.1:8080\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Connection: keep-alive\r\n"
    b"Accept: application/json\r\n"
    b"Content-Type: application/json\r\n"
    b"User-Agent: OpenAI/Python 2.8.1\r\n"
    b"X-Stainless-Lang: python\r\n"
    b"X-Stainless-Package-Version: 2.8.1\r\n"
    b"X-Stainless-OS: Linux\r\n"
    b"X-Stainless-Arch: x64\r\n"
    b"X-Stainless-Runtime: CPython\r\n"
    b"X-Stainless-Runtime-Version: 3.11.2\r\n"
    b"Authorization: Bearer sk-fastgw-0123456789abcdefghijklmnopqrstuvwxyz\r\n"
    b"X-Stainless-Async: false\r\n"
    b"x-stainless-retry-count: 0\r\n"
    b"x-stainless-read-timeout: 600\r\n"
    b"Content-Length: 84\r\n"
    b"\r\n"
)


def vectors(name):
    """Rows of ../shared/vectors/NAME, with `raw`; none where the vectors are absent."""
    path = VECTORS / name
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["raw"] = base64.b64decode(row["raw_base64"])
    return rows


def needs_vectors(rows):
    return pytest.mark.skipif(not rows, reason=f"no vectors at {VECTORS.resolve()}")


# Answers to messages that are well-formed; what follows them is not read all the same.
POLICY = (
    "unknown method",
    "method not allowed",
    "request target too long",
    "head too large",
    "too many fields",
    "expectation not supported",
)


@dataclass
class Message:
    """What a head and its body said."""

    line: tuple
    fields: list
    framing: str
    keep_alive: bool
    body: bytes = b""


@dataclass
class Series:
    """Feed bytes; read `messages` (complete ones), `verdict` and `error`.

    verdict: "more" (in a message), "idle" (between two), "closed" (the last message ended the
    connection: what follows is ignored), "until close" (response), "reject", "policy" (it is
    well-formed, but this gateway refuses it).
    """

    request_method: str | None = None  # of the responses; None: the series is of requests
    messages: list = field(default_factory=list)
    verdict: str = "idle"
    error: str | None = None
    status: int = 0
    ignored: int = 0  # bytes behind the last message of a connection

    def __post_init__(self):
        self._buffer = bytearray()
        self._head = Head()
        self.current = None  # a message whose body is still to come
        self._chunks = None
        self._left = 0

    def feed(self, read):
        if self.verdict in ("reject", "policy", "closed"):
            return
        self._buffer += read
        while self._buffer and self._turn():
            pass

    def _turn(self):
        if self.current is None:
            return self._read_head()
        return self._read_body()

    def _read_head(self):
        self.verdict = "more"
        if self.request_method is None:
            read = self._head.request(self._buffer)
        else:
            read = self._head.response(self._buffer, self.request_method)
        if read == -2:
            return False
        if read == -1:
            self.status = self._head.status
            self.error = self._head.error
            is_policy = self.request_method is None and self.error in POLICY
            self.verdict = "policy" if is_policy else "reject"
            return False
        del self._buffer[:read]
        head = self._head
        line = (head.method, head.target, head.path, head.query, head.authority, head.minor)
        if self.request_method is not None:
            line = (head.minor, head.status, head.reason)
        self.current = Message(line, head.fields(), head.framing, head.keep_alive)
        self._left = head.content_length or 0
        self._chunks = Chunks()
        interim = head.interim
        self._head.begin()
        if interim or self.current.framing == "none":
            self._complete(interim)
        return True

    def _complete(self, interim=False):
        self.messages.append(self.current)
        over = not interim and (self.request_method is not None or not self.current.keep_alive)
        self.verdict = "closed" if over else "idle"
        self.current = None
        if over:
            self.ignored = len(self._buffer)
            self._buffer.clear()

    def _read_body(self):
        framing = self.current.framing
        if framing == "close":
            self.verdict = "until close"
            self.current.body += bytes(self._buffer)
            self._buffer.clear()
            return False
        if framing == "length":
            take = min(self._left, len(self._buffer))
            self._left -= take
            return self._took(take, bytes(self._buffer[:take]), self._left == 0)
        verdict, pieces, used = self._chunks.feed(bytes(self._buffer))
        if verdict == -1:
            self.verdict, self.error = "reject", f"chunk {self._chunks.error}"
        return self._took(used, b"".join(pieces), verdict == 0)

    def _took(self, used, piece, complete):
        self.current.body += piece
        del self._buffer[:used]
        if complete:
            self._complete()
        return complete

    def said(self):
        """Everything that may not depend on how the bytes were cut."""
        body = self.current.body if self.current else None
        return self.messages, self.verdict, self.error, self.status, body


def read_cut(raw, cuts, request_method=None):
    series = Series(request_method)
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        series.feed(raw[start:end])
    return series


def read_whole(raw, request_method=None):
    return read_cut(raw, [], request_method)


def read_bytewise(raw, request_method=None):
    return read_cut(raw, range(1, len(raw)), request_method)
