"""How long to wait before a dead process is replaced."""

STABLE_S = 1.0  # who lived this long did not die of being started
FIRST_S = 0.1
LONGEST_S = 5.0


class Backoff:
    """Immediate first, then 100 ms doubling to 5 s while processes die young."""

    def __init__(self) -> None:
        self.early_deaths = 0

    def after(self, lived_s: float, served: bool = False) -> float:
        """Seconds to wait, now that a process which lived ``lived_s`` has died.

        ``served``: it had been ready, so starting is not what kills it: it waits 100 ms at most.
        """
        if lived_s >= STABLE_S:
            self.early_deaths = 0
            return 0.0
        self.early_deaths += 1
        if self.early_deaths == 1:
            return 0.0
        # The exponent is bounded, so a process that dies for days cannot overflow a float.
        if served:
            return FIRST_S
        return min(FIRST_S * 2 ** min(self.early_deaths - 2, 16), LONGEST_S)
