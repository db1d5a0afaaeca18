"""The sockets that hold the process tree together, and who keeps which end over a fork.

::

    name          supervisor  zygote  worker  recorder  admin   end of file means
    lifeline          x                                         (nobody else may hold it)
    lifeline_end      .         x       x                 x     the supervisor is gone
    crew              x         x       x                       (who posts records holds it)
    crew_end          .                          x              nobody posts any more
    reports           x                                         (read by the supervisor)
    reports_end       .         x       x        x        x
    wakers            x         x       x                       (process/wakers.py)
    bell              .         x       x                       (read by the cluster's process)

The cluster's process, where there is one, keeps what the recorder does, and the bell.
The supervisor keeps the dotted ends too, to hand them to successors.
"""

import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import orjson

from fastgw.process.zygote import run_child

REPORT_MAX = 4096


class Lines:
    """All that the supervisor holds open, by name."""

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}
        self._pair("lifeline", "lifeline_end", socket.SOCK_STREAM)
        self._pair("crew", "crew_end", socket.SOCK_STREAM)
        self._pair("reports", "reports_end", socket.SOCK_SEQPACKET)
        self["reports"].setblocking(False)
        self["reports_end"].setblocking(False)

    def __getitem__(self, name: str) -> Any:
        return self._held[name]

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def hold(self, name: str, closable: Any) -> None:
        """Keep something with ``close()`` open under ``name``, which must be free."""
        assert name not in self._held, name
        self._held[name] = closable

    def close(self, name: str) -> None:
        """Close what is held under ``name``, if it still is."""
        held = self._held.pop(name, None)
        if held is not None:
            held.close()

    def keep_only(self, *names: str) -> None:
        for name in [name for name in self._held if name not in names]:
            self.close(name)

    def fork(self, child: Callable[[], None], keep: tuple[str, ...]) -> int:
        """Run ``child`` in a new process that keeps only the named lines; returns its pid."""
        # Blocked meanwhile: a signal for the child must not be noted in the parent's wake-up pipe.
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                    signal.signal(number, signal.SIG_DFL)
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

                def start() -> None:
                    self.keep_only(*keep)
                    signal.pthread_sigmask(signal.SIG_SETMASK, previous)
                    child()

                run_child(start)
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)

    def report(self, **message: object) -> None:
        """From a child: tell the supervisor. Lost if it does not listen any more."""
        try:
            self["reports_end"].send(orjson.dumps({"pid": os.getpid(), **message}))
        except OSError:
            pass

    def read_report(self) -> dict[str, Any] | None:
        """The next report, or None if none waits."""
        try:
            return orjson.loads(self["reports"].recv(REPORT_MAX))
        except BlockingIOError:
            return None

    def _pair(self, name: str, end: str, kind: int) -> None:
        self._held[name], self._held[end] = socket.socketpair(socket.AF_UNIX, kind)


def is_ended(line: socket.socket) -> bool:
    """Has every holder of the other end of ``line`` gone?"""
    try:
        return line.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
