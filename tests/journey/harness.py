"""A whole gateway in front of a mock provider, as processes on free loopback ports."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner

from fastgw.cli.root import root
from tools.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT.parent / "shared" / "vectors"
KEY = "fgw-alice"
START_S = 30.0
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def wait_until(condition, seconds: float = 10.0, every: float = 0.02) -> Any:
    """The first true value of ``condition()``, or an AssertionError."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(every)


def answers(port: int, path: str = "/") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1):
            return True
    except OSError:
        return False


class Mock:
    """`fastgw mock`: the provider that keeps books."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastgw.mock", "--listen", f"127.0.0.1:{self.port}", *options],
            env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(self.port, "/healthz"), START_S)

    def books(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/books", timeout=5) as answer:
            return json.load(answer)

    def lines(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/books/lines", timeout=30
        ) as answer:
            return [orjson.loads(line) for line in answer.read().splitlines() if line]

    def booked(self, request_id: str) -> dict[str, Any]:
        """The line of a request's only call, as soon as it is there."""
        (line,) = wait_until(lambda: [
            line for line in self.lines() if line["request_id"] == request_id])
        return line

    def reset(self) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/books", method="DELETE")
        urllib.request.urlopen(request, timeout=5).close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def configuration(mock_port: int, **more: Any) -> dict[str, Any]:
    """Both dialects in front of one mock, one key. ``more`` replaces whole sections."""
    config = {
        "providers": [
            {"id": "openai", "dialect": "openai", "base_url": f"http://127.0.0.1:{mock_port}/v1",
             "keys": [{"id": "a", "value": "sk-mock-openai"}]},
            {"id": "anthropic", "dialect": "anthropic",
             "base_url": f"http://127.0.0.1:{mock_port}",
             "keys": [{"id": "b", "value": "sk-mock-anthropic"}]},
        ],
        "keys": [{"id": "alice", "value": KEY, "owner": {"team": "a"}, "tags": {"tier": "free"}}],
    }
    config.update(more)
    return config


def _program(before: str) -> list[str]:
    if not before:
        return ["-m", "fastgw"]
    return ["-c", f"{before}\nimport runpy\nrunpy.run_module('fastgw', run_name='__main__')"]


class Gateway:
    """`fastgw serve` with its own data_dir; `log` has its stderr."""

    def __init__(self, config: dict[str, Any], *, workers: int = 1, data_dir: Path | None = None,
                 before: str = "", env: dict[str, str] | None = None):
        """``before``: Python that runs in the supervisor before anything is forked."""
        self.folder = Path(tempfile.mkdtemp(prefix="fgw-"))
        self.data_dir = data_dir or self.folder / "data"
        self.port, self.admin = free_port(), free_port()
        path = self.folder / "fastgw.yaml"
        path.write_bytes(orjson.dumps(config))
        self.log_path = self.folder / "log"
        self.process = subprocess.Popen(
            [sys.executable, *_program(before), "serve", "-c", str(path),
             "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}",
             "--workers", str(workers), "--data-dir", str(self.data_dir)],
            env={**ENV, **(env or {})}, stdout=subprocess.DEVNULL,
            stderr=self.log_path.open("wb"),
        )
        try:
            wait_until(self._ready, START_S)
        except AssertionError:
            self.stop()
            raise AssertionError(self.log()) from None

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        return '"event":"ready"' in self.log()

    def log(self) -> str:
        return self.log_path.read_text()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def connect(self, timeout: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def run(self, *arguments: str, check: bool = True) -> str:
        """The output of a `fastgw` command on this instance: the command itself, in this process
        (tests/cli types them; a process for each of a thousand answers took minutes)."""
        where = ["--data-dir", str(self.data_dir)]
        done = CliRunner().invoke(root, [*arguments, *where], env=ENV)
        assert not check or done.exit_code == 0, f"{done.stderr}{done.exception!r}"
        return done.stdout

    def usage(self, *by: str) -> list[dict[str, Any]]:
        options = ["--by", ",".join(by)] if by else []
        rows = orjson.loads(self.run("usage", "--format", "json", *options))
        return rows["rows"] if isinstance(rows, dict) else rows

    def decision(self, request_id: str) -> dict[str, Any]:
        return orjson.loads(self.run("explain", request_id, "--format", "json"))

    def decided(self, request_id: str) -> dict[str, Any]:
        """The decision, as soon as the ledger has it."""
        def found() -> dict[str, Any] | None:
            try:
                return self.decision(request_id)
            except AssertionError:
                return None

        return wait_until(found)

    def only_attempt(self, request_id: str) -> dict[str, Any]:
        (attempt,) = self.decided(request_id)["attempts"]
        return attempt

    def pids(self, name: str = "") -> list[int]:
        """Processes below the supervisor whose name contains ``name``."""
        found, queue = [], [self.process.pid]
        while queue:
            for child in Path(f"/proc/{queue.pop()}/task").glob("*/children"):
                for pid in child.read_text().split():
                    queue.append(int(pid))
                    try:
                        title = Path(f"/proc/{pid}/comm").read_text().strip()
                    except OSError:
                        continue
                    if name in title:
                        found.append(int(pid))
        return found

    def stop(self, kill: bool = False) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        status = self.process.wait(40)
        return status

    def remove(self) -> None:
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def serving(mock: Mock, config: dict[str, Any], **options: Any) -> Iterator[Gateway]:
    """A gateway until the end of the block, and empty books: gateways number requests alike."""
    mock.reset()
    gateway = Gateway(config, **options)
    try:
        yield gateway
    finally:
        gateway.remove()


def read_answer(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer with content-length or chunks, off a raw socket."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        got = sock.recv(65536)
        if not got:
            raise ConnectionError(f"closed inside the head: {raw!r}")
        raw += got
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(re.match(r"HTTP/1\.[01] (\d{3})", lines[0])[1])
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    if "content-length" in fields:
        while len(body) < int(fields["content-length"]):
            got = sock.recv(65536)
            if not got:
                raise ConnectionError("closed inside the body")
            body += got
    elif fields.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            got = sock.recv(65536)
            if not got:
                raise ConnectionError("closed inside a chunked body")
            body += got
    return status, fields, body


def chat(model: str = "gpt-4o", **more: Any) -> bytes:
    messages = [{"role": "user", "content": "hello"}]
    return orjson.dumps({"model": model, "messages": messages, **more})


def post(path: str, body: bytes, *fields: str, key: str = KEY) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: gateway", f"authorization: Bearer {key}",
             "content-type: application/json", f"content-length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
