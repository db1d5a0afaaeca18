"""on_store_loss: local_share. What a node may spend by itself: capacity / nodes last seen.

The promise is weaker than a slice's, and known: while the store is away, each node spends at most
its share of a window, or what it had spent of it before if that was more; of a token bucket at
most its share as a burst and at the share's rate.
"""

from __future__ import annotations

from fastgw.cluster.terms import TOKEN_BUCKET, Terms


class LocalShare:
    """One wallet's, from the moment at which the store was found lost."""

    def __init__(self, terms: Terms, nodes: int, now_ns: int) -> None:
        """``nodes`` 0: none was ever seen, nobody knows what a share would be: there is none."""
        self._share = terms.capacity // nodes if nodes else 0
        self._period_ns = terms.period_ns if terms.algorithm == TOKEN_BUCKET else 0
        self._given = 0
        self._began_ns = now_ns

    def allowance(self, spent_before: int, now_ns: int) -> int:
        """How much may have been spent since then, in all. ``spent_before``: in this window, up to
        that moment."""
        if not self._period_ns:
            return max(0, self._share - spent_before)
        refilled = self._share * (now_ns - self._began_ns) // self._period_ns
        return self._share + refilled

    def wait_ns(self) -> int:
        """Until one unit more; 0: not before the store is back."""
        return self._period_ns // self._share if self._share and self._period_ns else 0
