"""How a process wakes the queue of a worker (fastgw.limit.queue): an eventfd for each slot.

Made by the supervisor before any fork and inherited by all, so that a worker and its successors
have the same one, and nobody's death closes it for others.
"""

import os


class Wakers:
    """``fds[slot]`` becomes readable for worker ``slot`` when somebody writes to it."""

    def __init__(self, workers: int) -> None:
        self.fds = tuple(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(workers))

    def wake_all(self) -> None:
        """What a dead worker held was given back: whoever waits should look."""
        for fd in self.fds:
            try:
                os.eventfd_write(fd, 1)
            except BlockingIOError:
                pass  # it was written to 2^64 times and never read: who does not read is not awake

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = ()
