"""Where the segment of a gateway lies, and which boot and which process one is."""

import hashlib
import os
import stat
from pathlib import Path

from fastgw.errors import ShmError


def segment_path(shm_dir: str | os.PathLike[str], data_dir: str | os.PathLike[str]) -> Path:
    """The path for the gateway that owns ``data_dir``, the same for all its processes."""
    real = os.path.realpath(data_dir)
    name = hashlib.blake2b(os.fsencode(real), digest_size=8).hexdigest()
    return Path(shm_dir) / f"fastgw-{name}" / "segment"


def make_folder(path: Path) -> None:
    """The segment's folder, private to this user; ShmError if it cannot be that."""
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        seen = folder.lstat()
    except OSError as error:
        raise ShmError(f"{folder}: {error.strerror} (setting: shm_dir)") from error
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise ShmError(f"{folder}: not a folder of this user; remove it or set another shm_dir")
    if stat.S_IMODE(seen.st_mode) & 0o077:
        raise ShmError(f"{folder}: open to other users; it must have mode 0700")


def boot_id() -> bytes:
    """16 bytes, new with every boot: instants of CLOCK_BOOTTIME mean nothing in another."""
    return bytes.fromhex(
        Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot; with the pid it names it for ever.

    0 if there is no such process.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(text.rpartition(")")[2].split()[19])
