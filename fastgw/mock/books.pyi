import asyncio
import mmap
from typing import final

def open_mapping(workers: int) -> mmap.mmap:
    """Memory for the sums of so many workers, shared over fork."""

@final
class Books:
    lines_lost: int
    def __init__(self, mapping: mmap.mmap, worker: int, workers: int, file: int) -> None:
        """`file`: descriptor opened for reading and appending, -1 to keep no lines."""
    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on lines reach the file within 50 ms, by timer of this loop."""
    def sums(self) -> dict[str, object]: ...
    def lines(self) -> bytes: ...
    def reset(self) -> None:
        """Forgets all workers' sums and lines; exact only while no call is under way."""
    def flush(self) -> int: ...
