"""A gateway in a box: the whole journey in this process, with neither loop nor network.

A real Journey with plan, segment, rings and policy; only the event loop and uvloop's transports
are ours. Bytes are fed as uvloop would feed them, and what the gateway sends goes through its own
`sendmsg` into socket pairs, from whose other ends it is read. So a request's instructions,
allocations and system calls can be counted exactly: no timer fires, nobody schedules.
"""

import socket
import tempfile
from pathlib import Path

from fastgw.journey import Journey
from fastgw.listener.downstream import Downstream

from benchmarks import peers
from fastgw.config import load
from fastgw.ledger.journal import Journal
from fastgw.ledger.ring import REFUSALS, Ring
from fastgw.listener.listener import Listener
from fastgw.log import Log
from fastgw.process.plan import Plan
from fastgw.shm.segment import Segment


class Transport:
    """uvloop's transport as far as a Link uses it, on one end of a socket pair."""

    def __init__(self) -> None:
        self._own, self.peer = socket.socketpair()
        self.peer.setblocking(False)
        self.reading, self.closed = True, False

    def get_extra_info(self, name: str) -> object:
        return {"socket": self._own, "peername": ("127.0.0.1", 50000)}.get(name)

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, rest: bytes) -> None:
        raise AssertionError("the socket pair is full")

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._own.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed


class Loop:
    """Runs a coroutine to its end where it stands; a connection is there as soon as it is asked
    for."""

    def __init__(self) -> None:
        self.links: list[tuple[object, Transport]] = []

    def create_task(self, coroutine):
        try:
            coroutine.send(None)
        except StopIteration:
            return None
        raise AssertionError("the gateway waited for something other than a connection")

    async def create_connection(self, factory, host, port, **more):
        link, transport = factory(), Transport()
        self.links.append((link, transport))
        link.connection_made(transport)
        return transport, link


class End:
    """One end of the gateway: bytes go in as from uvloop, and what it sent comes out."""

    def __init__(self, link, transport: Transport) -> None:
        self.link, self.transport = link, transport

    def feed(self, received: bytes) -> None:
        room = memoryview(self.link.get_buffer(-1))
        length = len(received)
        assert length <= len(room)
        room[:length] = received
        room.release()
        self.link.buffer_updated(length)

    def sent(self) -> bytes:
        try:
            return self.transport.peer.recv(1 << 20)
        except BlockingIOError:
            return b""


class Box:
    """One worker of a configuration of ours, and a client connected to it."""

    def __init__(self, name: str = "fastgw.yaml") -> None:
        self._folder = tempfile.TemporaryDirectory(dir="/dev/shm")
        root = Path(self._folder.name)
        config = load(peers.filled(name, root, PORT=8080, ADMIN=9090, FOLDER=root, MOCK=9001))
        segment = Segment.create(root / "segment", workers=1)
        main = Ring.create(root / "main", 1 << 20, slot=0)
        refusals = Ring.create(root / "refusals", 1 << 20, slot=0, lane=REFUSALS)
        self._recorders = [Ring.attach(ring.path, producer=False) for ring in (main, refusals)]
        self._loop = Loop()
        journal = Journal(main, refusals, generation=1, worker=0)
        self.journey = Journey(Plan(config), segment=segment, slot=0, journal=journal,
                               loop=self._loop, log=Log(level="warning"))
        self._listener = Listener(self.journey, connections_max=100)
        self.client = self.connect()

    def connect(self) -> End:
        """One more client connection."""
        end = End(Downstream(self.journey, self._listener), Transport())
        end.link.connection_made(end.transport)
        return end

    @property
    def upstream(self) -> End:
        """The connection to the provider that was opened last."""
        link, transport = self._loop.links[-1]
        return End(link, transport)

    def record(self) -> None:
        """Takes all records out of the rings, as a recorder that costs nothing."""
        for ring in self._recorders:
            ring.look()
            ring.release(ring.head)
