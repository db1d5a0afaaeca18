"""The zygote: everything imported and compiled, nothing running; workers are forked from it.

It owns no loop, no thread and no TLS context, so its copies start clean; what it has imported is
frozen out of the collector, so its pages stay shared.

::

    supervisor ──{slot, generation} + listening socket──> zygote ──> middle ──> worker
       ^  <──────────────────{slot, generation, pid}──────┘        exits at once  │
       └────────── becomes the parent (PR_SET_CHILD_SUBREAPER) <──────────────────┘

The second fork makes every worker the supervisor's own child from the start: one process reaps
all, and losing the zygote loses no exit status. (Reaping in the zygote was rejected: a zygote
that dies between waitpid and its report takes the news with it.)
"""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import orjson

MESSAGE_MAX = 4096
STOPPING = (signal.SIGTERM, signal.SIGINT)  # blocked in the zygote, and where it has just forked

BecomeWorker = Callable[[int, int, socket.socket], None]  # slot, generation, listening socket


def request_worker(
    channel: socket.socket, slot: int, generation: int, sock: socket.socket
) -> None:
    """Ask the zygote at the far end of ``channel`` for a worker. Raises OSError: it is gone."""
    message = orjson.dumps({"slot": slot, "generation": generation})
    socket.send_fds(channel, [message], [sock.fileno()])


def read_birth(channel: socket.socket) -> dict[str, Any] | None:
    """The next birth: {slot, generation, pid} or {…, error}; None: the zygote is gone."""
    message = channel.recv(MESSAGE_MAX)
    return orjson.loads(message) if message else None


def run(channel: socket.socket, become_worker: BecomeWorker) -> None:
    """Serve fork requests until the supervisor's end of ``channel`` closes."""
    # The supervisor decides when this process ends, by closing the channel: a TERM that a service
    # manager sends to the whole group must not end it before the workers have drained.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # And one that is sent to a worker before it listens to signals must wait for it, not be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    gc.collect()
    gc.disable()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_MAX, 1)
        if not message:
            return
        request = orjson.loads(message)
        sock = socket.socket(fileno=descriptors[0])

        def child(request: dict[str, Any] = request, sock: socket.socket = sock) -> None:
            channel.close()
            become_worker(request["slot"], request["generation"], sock)

        try:
            request["pid"] = fork_away(child)
        except OSError as error:
            request["error"] = f"fork: {error.strerror}"
        sock.close()
        channel.send(orjson.dumps(request))


def fork_away(child: Callable[[], None]) -> int:
    """Run ``child`` in a grandchild and return its pid; its parent will be the subreaper."""
    read_end, write_end = os.pipe()
    try:
        middle = os.fork()
        if middle == 0:
            _fork_and_leave(child, read_end, write_end)
    finally:
        os.close(write_end)
    with os.fdopen(read_end, "rb") as report:
        text = report.read()
    os.waitpid(middle, 0)
    if not text:
        raise OSError(0, "no second process")
    return int(text)


def _fork_and_leave(child: Callable[[], None], read_end: int, write_end: int) -> None:
    status = 1
    try:
        pid = os.fork()
        if pid:
            os.write(write_end, b"%d" % pid)
            status = 0
        else:
            os.close(read_end)
            os.close(write_end)
            run_child(child)
    finally:
        os._exit(status)


def run_child(child: Callable[[], None]) -> None:
    """Run ``child`` in a process just forked, then exit: no frame of the parent is returned to."""
    status = 1
    try:
        child()
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        from fastgw.log import Log, describe

        error = sys.exception()
        Log().error("process failed", pid=os.getpid(), **describe(error), reason=str(error))
    finally:
        os._exit(status)
