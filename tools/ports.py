"""Ports for servers that end by themselves: tests, benchmarks, load tools."""

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

FIRST, COUNT = 20_000, 10_000  # below the range that connections take theirs from
_FILE = Path(tempfile.gettempdir()) / f"fastgw-ports-{os.geteuid()}"


class _Reserved:
    """The ports of this process: each a locked byte of one file, so that no other process that
    asks here is given the same one before its server is bound, or while that server is down.
    The kernel unlocks them when the process ends, however it ends."""

    def __init__(self) -> None:
        self.owner = os.getpid()  # locks are not inherited: a fork begins anew
        self._file = os.open(_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._ring: Iterator[int] = itertools.cycle(range(FIRST, FIRST + COUNT))
        for _ in range(int.from_bytes(os.urandom(4)) % COUNT):
            next(self._ring)

    def take(self) -> int:
        for port in itertools.islice(self._ring, COUNT):
            if self._lock(port) and _is_free(port):
                return port
        raise OSError(f"no free port between {FIRST} and {FIRST + COUNT}")

    def _lock(self, port: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        return True


_reserved: _Reserved | None = None


def free_port() -> int:
    """A port that nobody listens on, and that no process is given here until this one ends."""
    global _reserved
    if _reserved is None or _reserved.owner != os.getpid():
        _reserved = _Reserved()
    return _reserved.take()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
