"""The data directory: one instance at a time, generations that never repeat, who runs where.

::

    data_dir/
      lock           flock: held by every process that may still write here; text: "pid start"
      generation     the first number that no worker was ever given
      instance.json  what runs: pids, ports, shared memory; for the CLI and the admin port
      policy.json    its limits and labels by name; for the same readers
      node           the name by which a fleet knows this directory's limits, for ever
      ledger.db, …   the ledger's own
"""

import errno
import fcntl
import os
import secrets
import time
import uuid
from pathlib import Path
from typing import Any

import orjson

from fastgw.process.refusal import StartError

# Numbers are reserved on disk in blocks, so that a full disk later stops no respawn.
GENERATION_BLOCK = 64
ORPHANS_WAIT_S = 15.0  # a second as a rule; a recorder whose store is stuck has ten
_SPREAD = 1 << 31  # half of what there is: the other half is for the future


class Directory:
    """An opened, locked data directory."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self.lock_fd = lock_fd
        self._next = self._reserved = 0

    @classmethod
    def open(cls, path: Path, *, spread: bool = False) -> "Directory":
        """Create if need be, check that it can be written, and lock it. Raises StartError.

        ``spread``: what it records goes where others' records go as well. Request ids begin with a
        generation, so a new directory begins at a random one.
        """
        path = path.absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _probe(path)
            lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"data_dir {path} cannot be written: {error.strerror}") from None
        try:
            _take(lock_fd, path)
            opened = cls(path, lock_fd)
            opened._reserve(opened._stored_generation(spread))
            return opened
        except BaseException:
            os.close(lock_fd)
            raise

    def next_generation(self) -> int:
        """A number that no worker of this data directory ever had, over all restarts."""
        if self._next == self._reserved:
            self._reserve(self._next)
        generation, self._next = self._next, self._next + 1
        return generation

    def _stored_generation(self, spread: bool) -> int:
        try:
            text = (self.path / "generation").read_text()
            return int(text)
        except FileNotFoundError:
            return secrets.randbelow(_SPREAD) + 1 if spread else 1
        except (OSError, ValueError):
            raise StartError(
                f"{self.path}/generation is damaged; write into it a number greater than the "
                "first eight hex digits of any request id"
            ) from None

    def _reserve(self, start: int) -> None:
        try:
            _replace(self.path / "generation", b"%d\n" % (start + GENERATION_BLOCK), sync=True)
        except OSError as error:
            raise StartError(f"data_dir {self.path}: {error.strerror}") from None
        self._next, self._reserved = start, start + GENERATION_BLOCK

    def node_name(self) -> str:
        """Made once. Where a directory is copied, its copy must not be run beside it."""
        path = self.path / "node"
        try:
            if not path.exists():
                _replace(path, uuid.uuid4().hex.encode(), sync=True)
            return path.read_text().strip()
        except OSError as error:
            raise StartError(f"{path}: {error.strerror}") from None

    def write_document(self, name: str, content: dict[str, Any]) -> None:
        """Replace a JSON file as a whole, so that readers never see half of it."""
        _replace(self.path / name, orjson.dumps(content), sync=False)

    def close(self) -> None:
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1


def read_instance(path: Path) -> dict[str, Any] | None:
    """What runs, or ran last, on this data directory; None: nothing ever did."""
    return read_document(path / "instance.json")


def read_document(path: Path) -> dict[str, Any] | None:
    """What `write_document` wrote; None: nothing yet."""
    try:
        return orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
        return None


def running_pid(path: Path) -> int | None:
    """The supervisor's pid, if one runs on this data directory now."""
    try:
        fd = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        pid = _living_owner(fd)
        if pid is None:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return pid
        return None
    finally:
        os.close(fd)


def start_ticks(pid: int) -> int:
    """When ``pid`` started, in clock ticks since boot: with the pid it names a process for ever.

    Raises ProcessLookupError when there is none, or only its zombie.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(pid) from None
    fields = text.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return int(fields[19])


def _take(lock_fd: int, path: Path) -> None:
    """Lock, waiting only for the orphans of a supervisor that is gone itself."""
    deadline = time.monotonic() + ORPHANS_WAIT_S
    while True:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            pid = _living_owner(lock_fd)
            if pid is not None:
                raise StartError(f"data_dir {path} is already used by pid {pid}") from None
            if time.monotonic() > deadline:
                raise StartError(
                    f"data_dir {path} is still used by processes of an instance that is gone"
                ) from None
            time.sleep(0.02)
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, b"%d %d\n" % (os.getpid(), start_ticks(os.getpid())), 0)


def _living_owner(lock_fd: int) -> int | None:
    try:
        pid, started = (int(word) for word in os.pread(lock_fd, 64, 0).split())
        return pid if start_ticks(pid) == started else None
    except (ValueError, ProcessLookupError):
        return None


def _probe(path: Path) -> None:
    """Fails where files cannot be made or have no room, also for root (read-only mounts)."""
    probe = path / f".probe-{os.getpid()}"
    fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        written = os.write(fd, b"\0" * 4096)
        if written != 4096:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(fd)
    finally:
        os.close(fd)
        os.unlink(probe)


def _replace(path: Path, content: bytes, *, sync: bool) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sync:
            os.fsync(fd)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    finally:
        os.close(fd)
