"""A provider that gives the one answer that a case wrote down, whatever it is asked."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """``events``: of a stream, whole and with their empty line; then ``body`` is not sent."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    events: tuple[bytes, ...] | None = None

    def message(self) -> bytes:
        """The bytes of it; each event is a chunk."""
        streamed = self.events is not None
        fields = dict(self.headers)
        if streamed:
            fields["transfer-encoding"] = "chunked"
        elif self.status not in (204, 304):
            fields["content-length"] = str(len(self.body))
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Given"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{n}: {v}" for n, v in fields.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if self.events is None:
            return head + self.body
        chunks = (b"%x\r\n%b\r\n" % (len(event), event) for event in self.events)
        return head + b"".join(chunks) + b"0\r\n\r\n"


class Given:
    """Serves on the running loop, on a free port of 127.0.0.1, until the end.

    Gives ``answer``, which may change in between; None: what the mock on ``mock_port`` does.
    """

    def __init__(self, mock_port: int) -> None:
        self.answer: Answer | None = None
        self.port = 0
        self._mock_port = mock_port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled: the case is over, and the gateway kept the connection for more.
        over = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
        with contextlib.suppress(*over):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if self.answer is None:
                    await self._pass_on(head, body, writer)
                    break
                writer.write(self.answer.message())
                await writer.drain()
        writer.close()

    async def _pass_on(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        """The mock ends the connection, and with it the answer: no framing to understand."""
        mock, request = await asyncio.open_connection("127.0.0.1", self._mock_port)
        request.write(head[:-2] + b"connection: close\r\n\r\n" + body)
        while part := await mock.read(65536):
            writer.write(part)
        request.close()
