"""Processes that a measurement starts: their whole tree, its CPU time and its memory.

A peer is everything that its command started: supervisor, workers, recorder. They share the
session that the command leads, so none is missed, and only they are ever ended.
"""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


class DidNotStart(Exception):
    """A peer's port stayed closed; says what it wrote."""


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the third on (state), or None for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def session_of(leader: int) -> dict[int, list[str]]:
    """The processes of a session and their stat fields."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))) and int(fields[3]) == leader:
            found[int(entry)] = fields
    return found


@dataclass
class Memory:
    """Of all processes of a peer, in KiB. `private` is RssAnon: what no other process shares."""

    resident: int
    private: int


class Peer:
    """One running program under measurement."""

    def __init__(self, name: str, command: list[str], port: int, folder: Path, cpu: int | None,
                 env: dict[str, str] | None = None, stream_port: int = 0):
        self.name, self.port, self.stream_port = name, port, stream_port or port
        pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                pinned + command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                env=env, start_new_session=True)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *exception) -> None:
        self.stop()

    def wait_ready(self, seconds: float = 20) -> None:
        """Until the port takes connections."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise DidNotStart(f"{self.name}: {self.log.read_text(errors='replace')[-600:].strip()}")

    def pids(self) -> list[int]:
        """Its processes, without those that have ended and wait to be reaped."""
        return sorted(pid for pid, fields in session_of(self.process.pid).items()
                      if fields[0] != "Z")

    def cpu_us(self) -> int:
        """User and system time of all its processes so far, reaped children included."""
        return sum(sum(map(int, fields[11:15])) * TICK_US
                   for fields in session_of(self.process.pid).values())

    def memory(self) -> Memory:
        total = Memory(0, 0)
        for pid in self.pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            sizes = dict(line.split(":", 1) for line in status.splitlines())
            total.resident += int(sizes.get("VmRSS", "0").split()[0])
            total.private += int(sizes.get("RssAnon", "0").split()[0])
        return total

    def stop(self) -> None:
        """Asks its leader to end, then ends what is left of its session."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        until = time.monotonic() + 5
        while self.pids() and time.monotonic() < until:
            time.sleep(0.01)
