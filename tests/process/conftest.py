"""Whole instances as child processes, on free ports, ended by their pid."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ECHO = Path(__file__).with_name("echo.py")
PATIENCE_S = 15.0


class Instance:
    """A gateway whose data port is the echo port of ``echo.py``."""

    def __init__(self, arguments: dict) -> None:
        self.data_dir = Path(arguments["data_dir"])
        self.process = subprocess.Popen(
            [sys.executable, str(ECHO), json.dumps(arguments)],
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        os.set_blocking(self.process.stderr.fileno(), False)
        self._log = b""

    @property
    def log(self) -> str:
        while chunk := self.process.stderr.read() or b"":
            self._log += chunk
        return self._log.decode()

    @property
    def state(self) -> dict:
        return json.loads((self.data_dir / "instance.json").read_bytes())

    @property
    def port(self) -> int:
        return int(self.state["listen"].rpartition(":")[2])

    @property
    def pids(self) -> dict[str, int]:
        state = self.state
        pids = {name: state[name]["pid"] for name in ("zygote", "recorder")}
        return pids | {f"worker {each['slot']}": each["pid"] for each in state["workers"]}

    def wait_ready(self) -> "Instance":
        wait_until(lambda: '"event":"ready"' in self.log or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        return self

    def wait_exit(self) -> int:
        return self.process.wait(PATIENCE_S)

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        return connection

    def ask(self, line: bytes = b"hello\n") -> dict:
        with self.connect() as connection:
            return ask(connection, line)

    def kill(self, number: int = signal.SIGTERM) -> None:
        os.kill(self.process.pid, number)


def ask(connection: socket.socket, line: bytes = b"hello\n") -> dict:
    """One question on a connection; {} if it was closed instead of an answer."""
    connection.sendall(line)
    answer = b""
    while not answer.endswith(b"\n"):
        chunk = connection.recv(4096)
        if not chunk:
            return {}
        answer += chunk
    return json.loads(answer)


def wait_until(condition, patience_s: float = PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError(f"waited {patience_s} s in vain")


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture
def tools():
    """The functions above, for tests (which cannot import this file)."""

    class Tools:
        pass

    Tools.ask, Tools.wait_until, Tools.is_alive = map(
        staticmethod, (ask, wait_until, is_alive)
    )
    return Tools


@pytest.fixture
def start(tmp_path):
    """``start(workers=2, …)`` begins an instance; all are gone after the test."""
    started: list[Instance] = []

    def begin(**arguments) -> Instance:
        shm_dir = tmp_path / "shm"
        shm_dir.mkdir(exist_ok=True)
        defaults = {"data_dir": str(tmp_path / "data"), "shm_dir": str(shm_dir)}
        started.append(Instance({**defaults, **arguments}))
        return started[-1]

    yield begin
    for instance in started:
        print(instance.log)  # pytest shows it where a test failed
        if instance.process.poll() is None:
            instance.process.kill()
            instance.process.wait()
        instance.process.stderr.close()
