"""Load: wrk for requests and for streams in a burst; a blocking client for exact counts."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ROOT, CannotMeasure, environment

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Load:
    """What one run did. Latencies in us."""

    requests: int  # completed; events of paced streams
    us: int
    bytes: int
    failed: int
    p50_us: float
    p99_us: float


def wrk(port: int, key: str, *, connections: int, seconds: float, streamed: bool,
        cpu: int) -> Load:
    """Runs wrk once. CannotMeasure if anything but 200s came back."""
    if not shutil.which("wrk"):
        raise CannotMeasure("wrk is missing")
    done = subprocess.run(
        ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout",
         "10s", "-s", str(HERE / "wrk" / "chat.lua"), f"http://127.0.0.1:{port}"],
        env=os.environ | {"WRK_KEY": key, "WRK_STREAM": "1" if streamed else "0"},
        capture_output=True, text=True, timeout=seconds + 60)
    line = next((line for line in done.stdout.splitlines() if line.startswith("WRK ")), None)
    if line is None:
        raise CannotMeasure(f"wrk said {done.stdout[-300:]}{done.stderr[-300:]}")
    load = Load(**json.loads(line[4:]))
    if load.failed or not load.requests:
        raise CannotMeasure(f"{load.failed} of {load.requests} requests failed on port {port}")
    return load


def paced(port: int, key: str, *, streams: int, seconds: float, pace_ms: int, cpu: int) -> Load:
    """Streams whose events come one by one; counted are events, latencies are the gaps between
    them. CannotMeasure where a stream was cut."""
    done = subprocess.run(
        ["taskset", "-c", str(cpu), sys.executable, str(ROOT / "tools" / "sse_load.py"),
         f"http://127.0.0.1:{port}/v1/chat/completions", "--key", key, "--streams", str(streams),
         "--seconds", str(seconds), "--x-mock", f"events=100,pace={pace_ms}ms"],
        env=environment(), capture_output=True, text=True, timeout=seconds + 60)
    if not done.stdout.startswith("{"):
        raise CannotMeasure(f"sse_load said {done.stdout[-300:]}{done.stderr[-300:]}")
    told = json.loads(done.stdout)
    failed = told["truncated"] + sum(n for status, n in told["statuses"].items()
                                     if status != "200")
    if failed or not told["events"]:
        raise CannotMeasure(f"{failed} of {told['streams']} streams failed on port {port}")
    return Load(told["events"], int(told["seconds"] * 1e6), told["bytes"], 0,
                told["gap_ms"]["p50"] * 1000, told["gap_ms"]["p99"] * 1000)


class Client:
    """One keep-alive connection, one request at a time: nothing is batched, counts are exact."""

    def __init__(self, port: int, key: str):
        self.key = key
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self) -> None:
        self.socket.close()

    def chat(self, *, streamed: bool = False, mock: str = "") -> tuple[int, bytes]:
        """(status, body) of one chat request; `mock` is what x-mock asks the provider."""
        body = json.dumps({
            "model": "gpt-4o", "messages": [{"role": "user", "content": "Say why." + "y" * 140}],
            "max_tokens": 5000, "temperature": 0.5, **({"stream": True} if streamed else {}),
        }).encode()
        asked = f"x-mock: {mock}\r\n" if mock else ""
        head = ("POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n"
                f"Authorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
                f"{asked}Content-Length: {len(body)}\r\n\r\n")
        self.socket.sendall(head.encode() + body)
        return self._answer()

    def _answer(self) -> tuple[int, bytes]:
        head = self._until(b"\r\n\r\n")
        fields = head.lower()
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in fields:
            return status, self._chunks()
        length = int(fields.split(b"content-length:")[1].split(b"\r\n")[0])
        return status, self._exactly(length)

    def _more(self) -> None:
        received = self.socket.recv(65536)
        if not received:
            raise CannotMeasure("the connection was closed in the middle of an answer")
        self.buffer += received

    def _until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            self._more()
        found, self.buffer = self.buffer.split(end, 1)
        return found

    def _exactly(self, length: int) -> bytes:
        while len(self.buffer) < length:
            self._more()
        found, self.buffer = self.buffer[:length], self.buffer[length:]
        return found

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self._exactly(size)
            self._exactly(2)
        self._until(b"\r\n")
        return body
