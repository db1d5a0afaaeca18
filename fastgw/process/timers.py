"""A few timers for the supervisor, which has no event loop to inherit into its forks."""

import heapq
import time
from collections.abc import Callable
from itertools import count


class Timers:
    """Calls that are due later, in order of their time."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now_s() + delay_s, next(self._order), call))

    def wait_s(self) -> float | None:
        """Seconds until the next call is due; None: there is none."""
        if not self._due:
            return None
        return max(0.0, self._due[0][0] - self._now_s())

    def run_due(self) -> None:
        # Calls made due by these calls wait for the next round, so nobody is starved.
        now = self._now_s()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
