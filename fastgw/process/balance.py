"""Whether attempts, accounts and counters agree, all the time (DESIGN section 6).

::

    attempts   what workers counted against the CLOSEs that they posted, cut by cut
               (fastgw.ledger.balance)
    rollups    the records that the store has against its sums by minute: requests, refusals,
               attempts since the ledger began; tokens by class, units and cost since the store
               was opened
    accounts   words of caps in shared memory against what the ledger says that they are: used by
               settled attempts, and held by open ones

The first has nothing in flight and is compared with every pass of the recorder. The other two are
read every 2 s, or more rarely, so that they take a twentieth of the recorder's time at most. A
word changes before the records of its change are stored, so a cap is said to differ only when word
and ledger were found apart by the very same numbers three times in a row: what moves is in flight.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fastgw.clock import wall_ns
from fastgw.errors import FastgwError
from fastgw.ledger.balance import Balance, Taken
from fastgw.ledger.query import Ledger
from fastgw.limit import peek
from fastgw.log import Log
from fastgw.shm.segment import Segment

FILE = "balance.json"
SEEN_APART = 3    # times in a row
_CAPS_TOLD = 5
_EVERY_S = 2.0
_SHARE = 20       # of the time, at most one part goes into looking
_CAP = "cap"
_SIDES = ("requests", "denied", "attempts")


@dataclass(slots=True)
class _Begun:
    """From where both sides of the roll-ups are followed."""

    taken: Taken
    aged: int
    words: tuple[int, ...]
    sums: tuple[int, ...]
    apart: int = 0


class Books:
    """Looks when `between` is called often; `data_dir/balance.json` has what it found last."""

    def __init__(
        self, data_dir: Path, segment: Segment, log: Log, *, drops: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``drops``: `on_ledger_full: drop`. A ledger that may lack records has no accounts to
        speak of."""
        self.balance = Balance(segment)
        self._data_dir, self._segment, self._log, self._clock = data_dir, segment, log, clock
        self._drops, self._due_s = drops, 0.0
        self._apart: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._rollups = self._accounts = self._looks = 0
        self._taken: Callable[[], Taken | None] = lambda: None
        self._begun: _Begun | None = None
        self._said: tuple[int, int, int] = (0, 0, 0)

    def watch(self, taken: Callable[[], Taken | None]) -> None:
        """``taken``: of the store that is open, `Recorder.taken`."""
        self._taken = taken

    def between(self) -> None:
        """After a pass of the recorder behind which the ledger has all: one that lags behind an
        outage differs from the words, and nothing is wrong."""
        began = self._clock()
        if began < self._due_s:
            return
        try:
            self._look()
        except FastgwError:
            pass  # nothing stored yet, or not readable: the recorder says so
        self._tell()
        self._due_s = began + max(_EVERY_S, _SHARE * (self._clock() - began))

    def found(self) -> dict[str, Any]:
        return {
            "attempts": self.balance.difference, "rollups": self._rollups,
            "accounts": self._accounts, "cuts": self.balance.compared, "looks": self._looks,
            "wall_ns": wall_ns(),
        }

    def _look(self) -> None:
        with Ledger(self._data_dir) as ledger:
            rows, totals = ledger.caps(wall_ns()), ledger.totals()
            self._rollups = sum(abs(totals[side] - totals[f"rollup_{side}"]) for side in _SIDES)
            self._rollups += self._misrolled(ledger)
        apart: dict[tuple[int, int], tuple[int, int, int]] = {}
        for row in () if self._drops else rows:
            word = peek.find(self._segment, row.identity)
            if word is None or word.kind != _CAP or word.raw == row.used:
                continue
            if peek.find(self._segment, peek.granted(row.identity)) is not None:
                continue  # of a fleet's limit: its store has the account
            before = self._apart.get(row.identity)
            same = before is not None and before[:2] == (word.raw, row.used)
            apart[row.identity] = (word.raw, row.used, before[2] + 1 if same and before else 1)
        self._apart = apart
        self._accounts = sum(times >= SEEN_APART for _, _, times in apart.values())
        self._looks += 1

    def _misrolled(self, ledger: Ledger) -> int:
        """How far what was committed and what the roll-ups grew by are apart, since the first
        look at this store, or since days went away."""
        taken = self._taken()
        if taken is None:
            return 0
        begun, words = self._begun, taken.words()
        aged, sums = ledger.closed()
        if words is None or taken.words() != words:
            return begun.apart if begun is not None else 0  # a thread commits beside this
        if begun is None or begun.taken is not taken or begun.aged != aged:
            self._begun = _Begun(taken, aged, words, sums)
            return 0
        begun.apart = sum(
            abs((now - then) - (rolled - before))
            for now, then, rolled, before in zip(words, begun.words, sums, begun.sums, strict=True)
        )
        return begun.apart

    def _tell(self) -> None:
        found = self.found()
        said = (found["attempts"], found["rollups"], found["accounts"])
        if said != self._said:
            self._said = said
            caps = [{"id": f"{low:016x}{high:016x}", "word": word, "ledger": ledger}
                    for (low, high), (word, ledger, times) in self._apart.items()
                    if times >= SEEN_APART][:_CAPS_TOLD]
            self._log.error("the books differ", attempts=said[0], rollups=said[1],
                            accounts=said[2], caps=caps)
        path = self._data_dir / FILE
        try:
            temporary = path.with_suffix(".new")
            temporary.write_bytes(orjson.dumps(found))
            temporary.replace(path)
        except OSError:
            pass  # it may be the disk that fails; the next look tries again
