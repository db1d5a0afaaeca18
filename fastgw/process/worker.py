"""A worker: one uvloop, one listening socket, one slot of the segment, one ring.

::

    fork ──> loop, segment slot, ring ──> serve() ──> start() ──> "ready" ──> run
                                                                              │
         TERM or supervisor gone: stop_accepting, close_idle … active() == 0 ─┤
         deadline passed, or INT: abort_all ──────────────────────────────────┴──> exit
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from fastgw.log import Log

if TYPE_CHECKING:
    from fastgw.process.plan import Plan

HEARTBEAT_S = 0.1
DRAIN_POLL_S = 0.02
ABORT_GRACE_S = 0.5  # after abort_all: for close records to be posted
ORPHAN_DRAIN_S = 1.0  # without a supervisor nobody sweeps or respawns, so do not linger


class Listener(Protocol):
    """What ``serve`` returns: the data port of one worker."""

    def start(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Accept connections from ``sock`` (listening, non-blocking) on ``loop``."""

    def stop_accepting(self) -> None:
        """Take what already waits in the queue, then close the listening socket."""

    def close_idle(self) -> None:
        """Close connections without a running exchange; running ones close when they are done."""

    def active(self) -> int:
        """Exchanges that still run, their settlement included."""

    def abort_all(self) -> None:
        """End every exchange now, recorded as ended by the drain deadline."""


class Worker:
    """What ``serve`` is given: the plan, and this worker's place in the shared memory."""

    def __init__(
        self,
        plan: Plan,
        slot: int,
        generation: int,
        *,
        segment: Any,
        ring: Any,
        log: Log,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.plan = plan
        self.slot = slot
        self.generation = generation
        self.segment = segment
        self.ring = ring
        self.log = log
        self.loop = loop


Serve = Callable[[Worker], Listener]


def serve(worker: Worker) -> Listener:
    """The gateway's data port for ``worker``."""
    from fastgw.listener import serve as serve_listener

    return serve_listener(worker)
