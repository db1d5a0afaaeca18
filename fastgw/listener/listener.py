"""The data port of one worker: accepts, counts what is open, drains."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from fastgw.journey import Journey
from fastgw.listener.downstream import Downstream

TICK_S = 0.1


class Listener:
    """One listening socket and its connections."""

    def __init__(self, journey: Journey, *, connections_max: int) -> None:
        self.journey = journey
        self.connections: set[Any] = set()
        self.connections_max = connections_max
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tick: asyncio.TimerHandle | None = None

    async def start(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop = loop
        if self.journey.waker >= 0:
            loop.add_reader(self.journey.waker, self.journey.woken)
        self._turn()
        self._server = await loop.create_server(
            lambda: Downstream(self.journey, self), sock=sock, backlog=4096
        )

    def _turn(self) -> None:
        assert self._loop is not None
        self._tick = self._loop.call_later(TICK_S, self._turn)
        self.journey.turned()
        self.journey.tick()

    def peer(self, transport: Any) -> str:
        """The client's address as text; '' where the socket has none (AF_UNIX)."""
        address = transport.get_extra_info("peername")
        return address[0] if address else ""

    def opened(self, connection: Any) -> bool:
        """False: one too many; the connection answers 503 to its first request and closes."""
        self.connections.add(connection)
        self.journey.count_connections(len(self.connections))
        return len(self.connections) <= self.connections_max

    def closed(self, connection: Any) -> None:
        self.connections.discard(connection)
        self.journey.count_connections(len(self.connections))

    def stop_accepting(self) -> None:
        self.journey.drain()
        if self._server is not None:
            self._server.close()
            self._server = None

    def close_idle(self) -> None:
        for connection in list(self.connections):
            connection.close_if_idle()

    def active(self) -> int:
        return self.journey.active

    def abort_all(self) -> None:
        self.journey.abort_all()

    def stop(self) -> None:
        """After the last exchange: no timer is left on the loop, nothing is left to count."""
        self.stop_accepting()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
            if self.journey.waker >= 0:
                assert self._loop is not None
                self._loop.remove_reader(self.journey.waker)
        for connection in list(self.connections):
            connection.close_now()
        self.journey.tick()
