"""Listening sockets, one per worker slot, all on one port.

The supervisor keeps each open for its whole life: a connection that waits in the queue of a dead
worker is accepted by its successor, and no connect is ever refused in between.
"""

import errno
import ipaddress
import socket

from fastgw.process.refusal import StartError

BACKLOG = 4096


def bind_slots(address: str, port: int, slots: int) -> list[socket.socket]:
    """``slots`` listening sockets on ``address:port``; port 0: a free one, the same for all.

    Raises StartError when the port is taken, also by another gateway of the same user.
    """
    first = bind_alone(address, port)
    sockets = [first]
    try:
        # Set only now: bound without SO_REUSEPORT, the first socket has found out whether anybody
        # else listens here; a second instance would otherwise silently share the port with us.
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        chosen = first.getsockname()[1]
        for _ in range(slots - 1):
            sockets.append(_bind(address, chosen, share=True))
        for sock in sockets:
            sock.listen(BACKLOG)
    except (OSError, StartError) as error:
        for sock in sockets:
            sock.close()
        raise _refusal(address, port, error) from None
    return sockets


def listen_alone(address: str, port: int) -> socket.socket:
    """One listening socket that shares its port with nobody (the admin port)."""
    sock = bind_alone(address, port)
    try:
        sock.listen(128)
    except OSError as error:  # bound by two with SO_REUSEADDR: the second listen finds out
        sock.close()
        raise _refusal(address, port, error) from None
    return sock


def bind_alone(address: str, port: int) -> socket.socket:
    return _bind(address, port, share=False)


def is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def format_endpoint(sock: socket.socket) -> str:
    """``127.0.0.1:8080`` or ``[::1]:8080``."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(address: str, port: int, *, share: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, OverflowError) as error:
        raise StartError(f"cannot listen on {address}:{port}: {error}") from None
    family, kind, protocol, _, where = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(where)
    except OSError as error:
        sock.close()
        raise _refusal(address, port, error) from None
    return sock


def _refusal(address: str, port: int, error: Exception) -> StartError:
    if isinstance(error, StartError):
        return error
    assert isinstance(error, OSError)
    if error.errno == errno.EADDRINUSE:
        return StartError(f"cannot listen on {address}:{port}: the port is already in use")
    return StartError(f"cannot listen on {address}:{port}: {error.strerror}")
