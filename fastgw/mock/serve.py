"""Serves the mock: one process, or workers forked below one that waits for them."""

import asyncio
import os
import resource
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass, field

import uvloop

from fastgw.mock.asked import Asked
from fastgw.mock.books import Books, open_mapping
from fastgw.mock.connection import Connection, House
from fastgw.mock.planner import Planner

_DRAIN_S = 5.0
STOPPING = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Settings:
    """`books` None: lines go to a file that dies with the process; `lines` False: no lines."""

    host: str = "127.0.0.1"
    port: int = 9001
    books: str | None = None
    lines: bool = True
    seed: int = 0
    workers: int = 1
    keys: frozenset[str] | None = None
    defaults: Asked = field(default_factory=Asked)


def _listen(host: str, port: int, workers: int) -> list[socket.socket]:
    """A socket for each worker on one port; the kernel spreads connections over them."""
    sockets = []
    for _ in range(workers):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if workers > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(4096)
        port = listener.getsockname()[1]
        sockets.append(listener)
    return sockets


def _open_lines(settings: Settings) -> int:
    if not settings.lines:
        return -1
    if settings.books is None:
        file, name = tempfile.mkstemp(prefix="fastgw-mock-")
        os.close(file)
        file = os.open(name, os.O_RDWR | os.O_APPEND)
        os.unlink(name)
        return file
    return os.open(settings.books, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)


async def _serve(listener: socket.socket, books: Books, settings: Settings, worker: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in STOPPING:
        loop.add_signal_handler(number, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    planner = Planner(settings.defaults, settings.seed, settings.keys, books)
    house = House(loop, books, planner, worker)
    books.attach(loop)
    server = await loop.create_server(lambda: Connection(house), sock=listener)
    await stop.wait()
    server.close()
    for connection in list(house.open):
        connection.leave()
    deadline = loop.time() + _DRAIN_S
    while house.open and loop.time() < deadline:
        await asyncio.sleep(0.02)
    for connection in list(house.open):
        connection.connection_lost(None)
    books.flush()


def _worker(listener: socket.socket, books: Books, settings: Settings, number: int) -> None:
    uvloop.run(_serve(listener, books, settings, number))


def _wait_for(children: list[int]) -> int:
    """Passes TERM and INT on and returns when all workers ended: 0 if all did well."""

    def pass_on(number: int, _: object) -> None:
        for child in children:
            try:
                os.kill(child, signal.SIGTERM)
            except ProcessLookupError:
                continue

    for number in STOPPING:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    worst = 0
    for child in children:
        _, status = os.waitpid(child, 0)
        worst = max(worst, abs(os.waitstatus_to_exitcode(status)))
    return worst


def _more_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(settings: Settings) -> int:
    """Serves until TERM or INT; the exit code. Raises OSError when it cannot begin."""
    _more_descriptors()
    listeners = _listen(settings.host, settings.port, settings.workers)
    file = _open_lines(settings)
    mapping = open_mapping(settings.workers)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    # Who is told to end as it starts must hear of it once it listens, and not die of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    print(f"mock provider on http://{host}:{listeners[0].getsockname()[1]}", flush=True)
    if settings.workers == 1:
        _worker(listeners[0], Books(mapping, 0, 1, file), settings, 0)
        return 0
    children: list[int] = []
    for number, listener in enumerate(listeners):
        child = os.fork()
        if child == 0:
            for other in listeners:
                if other is not listener:
                    other.close()
            code = 1
            try:
                _worker(listener, Books(mapping, number, settings.workers, file), settings, number)
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(child)
    for listener in listeners:
        listener.close()
    return _wait_for(children)
