"""Peers that a test scripts by hand: an upstream on raw sockets, and what a client may hear."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

import h11

from fastgw.ledger.query import Ledger
from fastgw.ledger.records import Close, Open, unpack_record
from tests.journey.harness import Gateway, chat, configuration, post, wait_until

RESET = struct.pack("ii", 1, 0)


@dataclass
class Call:
    """One request as it reached the upstream."""

    connection: int
    sock: socket.socket
    head: bytes
    body: bytes = b""
    number: int = 0  # of all calls, from 0

    def field(self, name: str) -> str:
        found = re.search(rb"(?im)^" + name.encode() + rb": *([^\r\n]*)\r$", self.head)
        return found[1].decode() if found else ""


@dataclass
class Upstream:
    """Reads requests and lets ``script(call)`` answer on the raw socket.

    ``script`` returns True to go on with the connection; else it is closed. ``gone`` counts
    connections whose other side has ended them.
    """

    script: Callable[[Call], bool | None]
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    gone: int = 0

    def __post_init__(self) -> None:
        self.counting = threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = self.connections
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, connection: int) -> None:
        rest = b""
        try:
            while True:
                while b"\r\n\r\n" not in rest:
                    got = sock.recv(65536)
                    if not got:
                        self.gone += 1
                        return
                    rest += got
                head, _, rest = rest.partition(b"\r\n\r\n")
                call = Call(connection, sock, head + b"\r\n\r\n")
                length = int(call.field("content-length") or 0)
                while len(rest) < length:
                    got = sock.recv(1 << 20)
                    if not got:
                        self.gone += 1
                        return
                    rest += got
                call.body, rest = rest[:length], rest[length:]
                with self.counting:
                    call.number = len(self.calls)
                    self.calls.append(call)
                if not self.script(call):
                    return
        except OSError:
            self.gone += 1
        finally:
            sock.close()

    def close(self) -> None:
        self.server.close()


def trickle(sock: socket.socket, raw: bytes, step: int = 1) -> None:
    """Send in pieces that arrive as pieces."""
    for at in range(0, len(raw), step):
        sock.sendall(raw[at : at + step])
        time.sleep(0.0003)


def leave_rudely(sock: socket.socket) -> None:
    """RST, not FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


@dataclass
class Heard:
    """An answer as h11 (not our parser) reads it. ``whole``: it ended as its framing says."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    closed: bool = False  # the connection ended
    error: str = ""


def hear(sock: socket.socket, method: str = "GET", seconds: float = 10.0) -> Heard:
    """Read one answer, however it ends; TimeoutError if nothing ends it in time."""
    heard, pieces = Heard(), []
    _read_answer(sock, method, seconds, heard, pieces)
    heard.body = b"".join(pieces)
    return heard


def _read_answer(sock: socket.socket, method: str, seconds: float, heard: Heard,
                 pieces: list[bytes]) -> None:
    reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    reader.send(h11.Request(method=method, target="/", headers=[("host", "g")]))
    reader.send(h11.EndOfMessage())
    sock.settimeout(seconds)
    while True:
        try:
            event = reader.next_event()
        except h11.RemoteProtocolError as error:
            heard.error = f"{error}: {reader.trailing_data[0][-300:]!r}"
            return
        if isinstance(event, h11.Response):
            heard.status = event.status_code
            heard.fields = {k.decode(): v.decode("latin-1") for k, v in event.headers}
        elif isinstance(event, h11.Data):
            pieces.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            heard.whole = True
            return
        elif isinstance(event, h11.ConnectionClosed):
            return
        elif event is h11.NEED_DATA:
            try:
                got = sock.recv(1 << 18)
            except ConnectionResetError:
                heard.closed = True
                return
            if not got:
                heard.closed = True
            reader.receive_data(got)


def ask(gateway: Gateway, *fields: str, body: bytes | None = None, **more: object) -> Heard:
    """One chat request on a connection of its own."""
    with gateway.connect() as sock:
        sock.sendall(post("/v1/chat/completions", body or chat(**more), *fields))
        return hear(sock)


def in_front_of(port: int, *, timeouts: dict[str, str] | None = None,
                retries: dict[str, object] | None = None, before: str = "",
                **more: object) -> Gateway:
    """A gateway whose providers all live at ``port``."""
    config = configuration(port, **more)
    for provider in config["providers"]:
        provider["timeouts"] = timeouts or {}
        provider["retries"] = retries or {}
    return Gateway(config, before=before)


def answer(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *fields, f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    text = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return text + (b"0\r\n\r\n" if end else b"")


def event_stream(*pieces: bytes, end: bool = True) -> bytes:
    return (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n" + chunked(*pieces, end=end))


def gauge(gateway: Gateway, name: str) -> float:
    """A value of /metrics, without labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/metrics", timeout=5) as page:
        text = page.read().decode()
    return float(re.search(rf"(?m)^fastgw_{name} ([0-9.e+-]+)$", text)[1])


def records(gateway: Gateway) -> tuple[dict[tuple[str, int], Close], set[tuple[str, int]]]:
    """(every CLOSE, every OPEN) in the ledger, by (request id, attempt)."""
    closed, opened = {}, set()
    with Ledger(gateway.data_dir) as ledger:
        for raw in ledger.records():
            record = unpack_record(raw)
            if isinstance(record, Close):
                key = (str(record.id), record.attempt)
                assert key not in closed, f"closed twice: {key}"
                closed[key] = record
            elif isinstance(record, Open):
                opened.add((str(record.id), record.attempt))
    return closed, opened


def attempts_of(gateway: Gateway, call: Call) -> list[dict]:
    """The attempts of the request that reached an upstream as ``call``, once it is settled."""
    with Ledger(gateway.data_dir) as ledger:
        def settled():
            found = ledger.decision(call.field("x-fastgw-request-id"))
            known = found and found["complete"] and found["attempts"]  # it did reach an upstream
            return known and all(one["fate"] != "open" for one in known) and found

        return wait_until(settled)["attempts"]


def settled(gateway: Gateway) -> None:
    """Wait until nothing runs, nothing is held, and the ledger has every close of its opens."""
    wait_until(lambda: gauge(gateway, "requests_running_now") == 0
               and gauge(gateway, "attempts_open") == 0)
    with Ledger(gateway.data_dir) as ledger:  # it follows by a commit, which may fall between them
        wait_until(lambda: not ledger.open_attempts())
