"""What the lessee must know of one limit, and which window a wallet belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOKEN_BUCKET, CAP, FIXED_WINDOW, SLIDING_WINDOW = 1, 3, 4, 5
ALGORITHMS = {
    "token_bucket": TOKEN_BUCKET,
    "cap": CAP,
    "fixed_window": FIXED_WINDOW,
    "sliding_window": SLIDING_WINDOW,
}
WINDOW_BITS = 22
CALENDAR_STEP_NS = 900 * 10**9  # calendar windows begin at quarters of an hour, in every time zone

# (window, time zone, wall-clock ns) -> (start, end), ns; (0, 0): it never ends.
Bounds = Callable[[str, str, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Terms:
    """One clustered limit. ``spec``: its index among the plan's limits."""

    spec: int
    name: str
    unit: str
    algorithm: int
    capacity: int
    period_ns: int  # 0: a calendar cap
    window: str = ""
    time_zone: str = ""
    store_loss: str = "closed"

    def step_ns(self) -> int:
        """What windows are counted in; 0: there are none."""
        if self.algorithm == TOKEN_BUCKET or self.window == "total":
            return 0
        return self.period_ns or CALENDAR_STEP_NS

    def window_of(self, low_bits: int, wall_ns: int, bounds: Bounds) -> tuple[int, int]:
        """(start, end) of the window whose number ends in ``low_bits``: the latest that may be."""
        step = self.step_ns()
        if not step:
            return 0, 0
        latest = wall_ns // step + 1  # a worker's clock may be a little ahead of ours
        start = (latest - (latest - low_bits) % (1 << WINDOW_BITS)) * step
        if self.period_ns:
            return start, start + self.period_ns
        return bounds(self.window, self.time_zone, start)


def terms_of(specs: list[dict[str, Any]]) -> dict[int, Terms]:
    """The clustered ones among the plan's limits, by index."""
    return {
        index: Terms(
            index, spec["name"], spec["unit"], ALGORITHMS[spec["algorithm"]], spec["capacity"],
            spec["period_ns"], spec.get("window", ""), spec.get("time_zone", ""),
            spec.get("on_store_loss", "closed"),
        )
        for index, spec in enumerate(specs)
        if spec.get("cluster")
    }
