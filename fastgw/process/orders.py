"""What the admin port and the command line ask of a running supervisor: a question, an answer.

A socket in data_dir that only this user can open, so whoever reaches it might as well write the
files beside it: nothing more is asked of him. Not for `drain`, which is a signal, and works when
nothing else does.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from fastgw.errors import FastgwError

NAME = "orders"
ORDER_MAX = 64 << 10
PATIENCE_S = 5.0
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid

Take = Callable[[dict[str, Any], str], dict[str, Any]]


class OrderError(FastgwError):
    """An order that was not carried out; the text says why."""


class OrderRefused(OrderError):
    """The instance understood the order and will not carry it out."""


class Orders:
    """The supervisor's side. ``take(order, who)`` carries one out and returns the answer; what it
    raises is the answer too: an order may fail, its instance must not."""

    def __init__(self, data_dir: Path, take: Take) -> None:
        self._take = take
        self._path = data_dir / NAME
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.setblocking(False)
        self._path.unlink(missing_ok=True)  # of an instance that was killed: the lock is ours
        with reachable(self._path) as address:
            self.sock.bind(address)
        os.chmod(self._path, 0o600)
        self.sock.listen(8)

    def accept(self) -> socket.socket | None:
        """Who has something to ask; it is to be given to `answer` once it is readable."""
        try:
            connection, _ = self.sock.accept()
        except OSError:
            return None  # gone again
        connection.setblocking(False)
        return connection

    def answer(self, connection: socket.socket) -> None:
        """Reads one order, carries it out, answers, hangs up. Never blocks."""
        with connection:
            try:
                raw = connection.recv(ORDER_MAX)
                if raw:
                    connection.send(orjson.dumps(self._carry_out(raw, _who(connection))))
            except OSError:
                pass  # nobody waits for the answer any more

    def _carry_out(self, raw: bytes, who: str) -> dict[str, Any]:
        try:
            return self._take(orjson.loads(raw), who)
        except Exception as error:
            return {"error": str(error)}

    def close(self) -> None:
        self.sock.close()

    def withdraw(self) -> None:
        """Nobody is to ask any more."""
        self.close()
        self._path.unlink(missing_ok=True)


def ask(data_dir: Path, order: dict[str, Any], patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """The answer of the instance that runs on ``data_dir``. Raises OrderError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(patience_s)
        try:
            with reachable(data_dir / NAME) as address:
                connection.connect(address)
            connection.send(orjson.dumps(order))
            raw = connection.recv(ORDER_MAX)
        except (FileNotFoundError, ConnectionError):
            raise OrderError(f"nothing runs on {data_dir}") from None
        except TimeoutError:
            raise OrderError(f"the instance on {data_dir} does not answer") from None
        except OSError as error:
            raise OrderError(f"{data_dir / NAME}: {error.strerror}") from None
    answer = orjson.loads(raw) if raw else {"error": "the instance hung up"}
    if "error" in answer:
        raise OrderRefused(answer["error"])
    return answer


@contextmanager
def reachable(path: Path) -> Any:
    """An address for ``path`` however long it is: a socket's has room for 107 bytes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _who(connection: socket.socket) -> str:
    """The user at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
