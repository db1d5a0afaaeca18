"""Places of the process tree: each must always be filled; who fills it changes."""

import os
import time

from fastgw.process.backoff import Backoff


class Place:
    """One place: ``recorder``, ``admin``, ``zygote`` or a worker's slot."""

    def __init__(self, name: str, slot: int = -1) -> None:
        self.name = name
        self.slot = slot
        self.pid = 0  # 0: empty
        self.generation = 0
        self.state = "down"  # down | starting | ready | sweeping
        self.births = 0
        self.backoff = Backoff()
        self._born_s = 0.0
        self._turns = -1
        self._turned_s = 0.0

    @property
    def is_worker(self) -> bool:
        return self.slot >= 0

    def asked(self, generation: int) -> None:
        """A process for this place was asked for; its pid is not known yet."""
        self.generation = generation
        self.state = "starting"
        self._born_s = time.monotonic()

    def born(self, pid: int) -> None:
        self.pid = pid
        self.births += 1

    def died(self) -> float:
        """Empties the place. Seconds to wait before it is filled again."""
        served = self.state == "ready"
        self.pid = 0
        self.state = "down"
        return self.backoff.after(time.monotonic() - self._born_s, served)

    def hangs(self, turns: int, after_s: float) -> bool:
        """Has the worker's turn counter stood at ``turns`` for ``after_s`` seconds?

        By this process's own clock, which stands still while the machine is suspended.
        """
        now_s = time.monotonic()
        if turns != self._turns:
            self._turns, self._turned_s = turns, now_s
        return now_s - self._turned_s > after_s

    def kill(self, number: int) -> None:
        # Only the supervisor reaps, so the pid cannot have been given to anybody else yet.
        if self.pid:
            os.kill(self.pid, number)

    def describe(self) -> dict[str, object]:
        """For instance.json."""
        described: dict[str, object] = {
            "pid": self.pid,
            "state": self.state,
            "restarts": max(0, self.births - 1),
        }
        if self.is_worker:
            described |= {"slot": self.slot, "generation": self.generation}
        return described


def kill_strangers(known: set[int]) -> None:
    """Kill and reap all children that are not ``known``.

    A zygote that dies between a fork and its report leaves a worker that nobody knows, on a slot
    that is about to be given away; it may even still be forking, hence the second look.
    """
    while strangers := [pid for pid in _children() if pid not in known]:
        for pid in strangers:
            os.kill(pid, 9)
        for pid in strangers:
            os.waitpid(pid, 0)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listed:
            return [int(pid) for pid in listed.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and _is_mine(name)]


def _is_mine(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1]) == os.getpid()
    except (FileNotFoundError, ProcessLookupError):
        return False
