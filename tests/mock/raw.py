"""Raw bytes to the mock and back: what an HTTP client library would hide."""

import json
import socket
import time

from fastgw.mock.runner import Mock

KEY = "sk-raw"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}


def request(asked: str = "", path: str = "/v1/chat/completions", fields: str = "",
            **body: object) -> bytes:
    """A whole POST; `asked` is its x-mock."""
    text = json.dumps({**CHAT, **body}).encode()
    mock = f"x-mock: {asked}\r\n" if asked else ""
    return (f"POST {path} HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer {KEY}\r\n{mock}{fields}"
            f"content-length: {len(text)}\r\n\r\n").encode() + text


def connect(mock: Mock) -> socket.socket:
    return socket.create_connection(("127.0.0.1", mock.port), timeout=10)


def until(client: socket.socket, ending: bytes, within_s: float = 10.0) -> bytes:
    """What comes up to and with `ending`, or to the end of the connection."""
    got, deadline = b"", time.monotonic() + within_s
    while ending not in got:
        client.settimeout(max(0.01, deadline - time.monotonic()))
        part = client.recv(65536)
        if not part:
            return got
        got += part
    return got


def to_end(client: socket.socket) -> bytes:
    """Everything to the end of the connection; ConnectionResetError after an RST."""
    got = b""
    while part := client.recv(65536):
        got += part
    return got


def answer(mock: Mock, sent: bytes) -> bytes:
    """All that the mock says to a request on a connection that ends with it."""
    with connect(mock) as client:
        client.sendall(sent)
        client.settimeout(5)
        return to_end(client)
