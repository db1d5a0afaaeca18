"""How large a slice should be: half a second of what is spent now, or longer where the store is
slow; and how little may be left before more is asked for."""

from __future__ import annotations

SLICE_S = 0.5
ROUND_TRIPS = 8  # a slice lasts at least so many
LOW_S = 0.1
LOW_ROUND_TRIPS = 3
NEEDS = 8  # a slice has at least so many times what was last asked for
FORGET_S = 2.0  # after this long a measured rate counts for half


class Pace:
    """The rate at which one wallet is spent, units a second."""

    __slots__ = ("rate", "_need", "_spent", "_at_ns")

    def __init__(self) -> None:
        self.rate = 0.0
        self._need = 0
        self._spent: int | None = None
        self._at_ns = 0

    def observe(self, spent: int, now_ns: int) -> None:
        """``spent``: the wallet's sum. A rise counts at once, a fall slowly."""
        if self._spent is None:
            self._spent, self._at_ns = spent, now_ns
            return
        passed_s = (now_ns - self._at_ns) / 1e9
        if passed_s < 0.005:
            return  # too short to tell
        measured = max(0, spent - self._spent) / passed_s
        keep = 0.5 ** (passed_s / FORGET_S)
        self.rate = max(measured, keep * self.rate + (1 - keep) * measured)
        self._spent, self._at_ns = spent, now_ns

    def target(self, need: int, round_trip_s: float) -> int:
        """What should be left after a renewal, in units. ``need`` 0: nobody has asked."""
        if need:
            self._need = max(need, self._need // 2)
        lasting = self.rate * max(SLICE_S, ROUND_TRIPS * round_trip_s)
        return max(1, int(lasting), NEEDS * self._need)

    def low(self, target: int, round_trip_s: float) -> int:
        """The exponent of the low-water mark: at most half of a slice."""
        units = self.rate * max(LOW_S, LOW_ROUND_TRIPS * round_trip_s)
        return max(0, int(min(units, target / 2)).bit_length() - 1) if units >= 1 else 0
