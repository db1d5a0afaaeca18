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
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from fastgw.log import Log
from fastgw.process.holders import Asker
from fastgw.process.zygote import STOPPING

if TYPE_CHECKING:
    from fastgw.ledger.journal import Journal
    from fastgw.process.lines import Lines
    from fastgw.process.plan import Plan
    from fastgw.process.shared import Shared
    from fastgw.shm.segment import Segment

HEARTBEAT_S = 0.1
DRAIN_POLL_S = 0.02
ABORT_GRACE_S = 0.5  # after abort_all: for close records to be posted
ORPHAN_DRAIN_S = 1.0  # without a supervisor nobody sweeps or respawns, so do not linger


class Listener(Protocol):
    """What ``serve`` returns: the data port of one worker."""

    def start(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket
    ) -> Awaitable[None] | None:
        """Accept connections from ``sock`` (listening, non-blocking) on ``loop``, which runs.

        What it returns, if anything, is awaited before the worker counts as ready.
        """

    def stop_accepting(self) -> None:
        """Take what already waits in the queue, then close the listening socket."""

    def close_idle(self) -> None:
        """Close connections without a running exchange; running ones close when they are done."""

    def active(self) -> int:
        """Exchanges that still run, their settlement included."""

    def abort_all(self) -> None:
        """End every exchange now, recorded as ended by the drain deadline."""

    def stop(self) -> None:
        """The last call: close what is still open, leave no timer on the loop."""


class Worker:
    """What ``serve`` is given: the plan, and this worker's place in the shared memory."""

    def __init__(
        self,
        plan: Plan,
        slot: int,
        generation: int,
        *,
        segment: Segment,
        journal: Journal,
        log: Log,
        loop: asyncio.AbstractEventLoop,
        wakers: tuple[int, ...] = (),
        asker: Asker | None = None,
    ) -> None:
        self.plan = plan
        self.slot = slot
        self.generation = generation
        self.segment = segment
        self.journal = journal
        self.log = log
        self.loop = loop
        self.wakers = wakers  # process.wakers; none where this is the only worker
        self.asker = asker  # what holders of keys ask


Serve = Callable[[Worker], Listener]


def serve(worker: Worker) -> Listener:
    """The gateway's data port for ``worker``."""
    from fastgw.listener import serve as serve_listener

    return serve_listener(worker)


def main(
    plan: Plan,
    slot: int,
    generation: int,
    sock: socket.socket,
    *,
    shared: Shared,
    lines: Lines,
    log: Log,
    serve: Serve = serve,
    drain_s: float,
) -> None:
    """Run one worker until it is told to end, in a process just forked from the zygote."""
    import uvloop

    gc.enable()
    log = log.bind(process="worker", slot=slot, generation=generation, pid=os.getpid())
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    log.capture(loop)
    journal = shared.claim(slot, generation)
    worker = Worker(
        plan, slot, generation, segment=shared.segment, journal=journal, log=log, loop=loop,
        wakers=lines["wakers"].fds, asker=Asker(shared.folder, loop),
    )
    listener = serve(worker)
    life = Life(worker, listener, shared, drain_s=drain_s)
    try:
        loop.run_until_complete(_live(life, sock, lines))
    finally:
        shared.release(slot)
        loop.close()


async def _live(life: Life, sock: socket.socket, lines: Lines) -> None:
    worker = life.worker
    life.watch_signals()
    life.watch_lifeline(lines["lifeline_end"])
    await life.begin(sock)
    lines.report(kind="ready", slot=worker.slot, generation=worker.generation)
    await life.ended


class Life:
    """From "ready" to the end: heartbeat, and the two ways to stop."""

    def __init__(
        self, worker: Worker, listener: Listener, shared: Shared, *, drain_s: float
    ) -> None:
        self.worker = worker
        self.listener = listener
        self.shared = shared
        self.drain_s = drain_s
        self.ended: asyncio.Future[None] = worker.loop.create_future()
        self._deadline_s = 0.0
        self._begun = self._draining = self._aborted = False
        self._beating: asyncio.TimerHandle | None = None

    def watch_signals(self) -> None:
        loop = self.worker.loop
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        loop.add_signal_handler(signal.SIGTERM, self.drain)
        loop.add_signal_handler(signal.SIGINT, self.abort)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)  # what came meanwhile comes now

    def watch_lifeline(self, line: socket.socket) -> None:
        self.worker.loop.add_reader(line.fileno(), self._orphaned, line)

    async def begin(self, sock: socket.socket) -> None:
        """Serve; when this returns the worker is ready, and its slot says so."""
        started = self.listener.start(self.worker.loop, sock)
        if started is not None:
            await started
        self._begun = True
        self.shared.mark_ready(self.worker.slot)
        self._beat()
        if self._draining:
            self._stop_accepting()

    def _beat(self) -> None:
        """Every 100 ms: alive, and past a turn of the loop (nothing is read across turns)."""
        self.shared.beat(self.worker.slot)
        self._beating = self.worker.loop.call_later(HEARTBEAT_S, self._beat)

    def drain(self) -> None:
        """TERM: accept no more, finish what runs. A second TERM ends it at once."""
        if self._draining:
            self.abort()
        else:
            self._begin_drain(self.drain_s)

    def abort(self) -> None:
        """INT, or the deadline: end every exchange, leave time for the records, go."""
        if self._aborted:
            return
        if not self._draining:
            self._begin_drain(0.0)
        self._aborted = True
        if not self._begun:
            self._end()
            return
        active = self.listener.active()
        if active:
            self.worker.log.warning("exchanges ended by the drain deadline", active=active)
        self.listener.abort_all()
        self._deadline_s = self.worker.loop.time() + ABORT_GRACE_S

    def _begin_drain(self, drain_s: float) -> None:
        self._draining = True
        self._deadline_s = self.worker.loop.time() + drain_s
        if self._begun:  # else as soon as it has
            self._stop_accepting()

    def _stop_accepting(self) -> None:
        self.shared.mark_draining(self.worker.slot)
        self.listener.stop_accepting()
        self.worker.loop.call_soon(self._watch_drain)

    def _watch_drain(self) -> None:
        self.listener.close_idle()
        loop = self.worker.loop
        if self.listener.active() == 0 or (self._aborted and loop.time() >= self._deadline_s):
            self._end()
            return
        if loop.time() >= self._deadline_s:
            self.abort()
        loop.call_later(DRAIN_POLL_S, self._watch_drain)

    def _end(self) -> None:
        if self._beating:
            self._beating.cancel()
        if not self.ended.done():
            if self._begun:
                self.listener.stop()
            self.ended.set_result(None)

    def _orphaned(self, line: socket.socket) -> None:
        self.worker.loop.remove_reader(line.fileno())
        self.worker.log.warning("the supervisor is gone: draining")
        self.drain_s = min(self.drain_s, ORPHAN_DRAIN_S)
        if not self._draining:
            self._begin_drain(self.drain_s)
        elif not self._aborted:
            soonest = self.worker.loop.time() + self.drain_s
            self._deadline_s = min(self._deadline_s, soonest)
