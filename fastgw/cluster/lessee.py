"""The lessee: keeps this node's wallets filled with slices of the fleet's limits.

::

    worker: word + amount <= granted          no store in sight
       │ less than the low-water mark left: demand on the board, bell
       v
    lessee: {granted, spent} of the wallet ──> script ──> granted, raised by a slice

It owns `granted` of every wallet; a wallet's `spent` belongs to the workers. What goes back to the
store is taken from the wallet first, and told only when every worker has ended the turn in which
it may have read the old sum. Everything told is a sum, so what a dead lessee left half done is
mended by the next report.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from fastgw.cluster.pace import Pace
from fastgw.cluster.share import LocalShare
from fastgw.cluster.store import Answer, Call, Store, StoreLost
from fastgw.cluster.terms import SLIDING_WINDOW, Bounds, Terms
from fastgw.cluster.wallets import DEGRADED, DRY, HELD, LOST, WANTED, Seen, Wallets
from fastgw.log import Log

ENROLL_S = 1.0
TICK_S = 0.1
TICK_NS = 10**8
REVIEWED = 64  # wallets a tick, or a tenth of them
BACKOFF_MAX_S = 1.0
BATCH = 128
BATCHES = 4  # at once
SCAN = 8192  # places of the table looked at in a tick, for wallets that nobody told of: or a
SCANS = 100  # part of it, so that all are seen within ten seconds
IDLE_NS = 5 * 10**9  # then a wallet gives back what it has
SURPLUS = 4  # slices; what is above is given back
TOLD_NS = 10**9  # a wallet in use is reported at least this often
DRY_MIN_NS, DRY_MAX_NS = 20 * 10**6, 10**9
MARGIN = 0.9  # of the lease: what clocks may run apart
KEEP_MS = 3_600_000  # an account, after its window or since it was last used

FORGOT = "the store has forgotten: waiting for what other nodes have"

Clock = Callable[[], int]


class Wallet:
    """What the lessee remembers of one; the truth is in the segment and the store."""

    __slots__ = (
        "entry", "terms", "window", "start_ns", "end_ns", "pace", "need", "due", "in_flight",
        "turns", "hold_ns", "moved_ns", "spent", "told_ns", "told_spent", "share", "share_spent",
        "retries", "left", "reissued",
    )

    def __init__(self, entry: int, terms: Terms, window: int, span: tuple[int, int]) -> None:
        self.entry = entry
        self.terms = terms
        self.window = window  # low bits of its number
        self.start_ns, self.end_ns = span
        self.pace = Pace()
        self.need = 0
        self.due = False  # something is to be said or asked
        self.in_flight = False
        self.turns: Any = None  # what was taken back is told when these are over
        self.hold_ns = 0  # not before
        self.moved_ns = 0
        self.spent = -1
        self.told_ns = 0
        self.told_spent = -1
        self.share: LocalShare | None = None
        self.share_spent = 0
        self.retries = 0
        self.left = 0  # of the fleet's, as last heard
        self.reissued = 0


class Lessee:
    """One per segment, in one process. `run` until `stop`; `drain` gives everything back."""

    def __init__(
        self, wallets: Wallets, store: Store, terms: dict[int, Terms], bounds: Bounds, log: Log,
        *, now_ns: Clock, wall_ns: Clock,
    ) -> None:
        self._wallets = wallets
        self._store = store
        self._terms = terms
        self._bounds = bounds
        self._log = log
        self._now_ns, self._wall_ns = now_ns, wall_ns
        self._of: dict[int, Wallet] = {}
        self._due: dict[int, Wallet] = {}
        self._holding: dict[int, Wallet] = {}  # dry, or waiting: not asked for before hold_ns
        self._to_review: list[Wallet] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._seq = wall_ns() // 1000
        self._held = False
        self.reason = "not asked yet"  # why the store is lost; '' if it is not
        self.nodes = wallets.said().nodes
        self.round_trip_s = 0.0
        self.counts = {"calls": 0, "losses": 0, "lapses": 0, "degraded_grants": 0}
        self._grace_until_ns = 0
        self._scan_at = 0
        self._wake = asyncio.Event()
        self._again = asyncio.Event()  # enrol now
        self._stopping = False

    # --- life ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Enrols, renews and reports until `stop`."""
        self._adopt(self._wallets.all())
        for wallet in self._of.values():
            seen = self._wallets.read(wallet.entry)
            if seen is not None and seen.flags & DEGRADED:
                self._take_back(wallet, seen, 0)  # a lessee before us granted it, while alone
        reviewed_ns = 0
        enrolling = asyncio.create_task(self._keep_enrolled())
        try:
            while not self._stopping:
                self._wake.clear()
                if self._now_ns() - reviewed_ns >= TICK_NS:
                    reviewed_ns = self._now_ns()
                    self.review()
                self.tick()
                await _wait(self._wake, self._rest_s())
        finally:
            # Not cancelled: their replies would be read by whoever speaks to the store next.
            self._stopping = True
            self._again.set()
            await asyncio.gather(enrolling, *self._tasks, return_exceptions=True)

    def ring(self) -> None:
        """A worker has posted a demand."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._again.set()
        self._wake.set()

    async def drain(self) -> int:
        """After `run`, and when no worker runs: gives all slices back and leaves. Returns how many
        units that were. Raises StoreLost: then they come back when the lease is over."""
        returned = 0
        for wallet in self._of.values():
            seen = self._wallets.read(wallet.entry)
            if seen is not None and wallet.share is None:
                returned += max(0, seen.left)
                self._take_back(wallet, seen, 0)
            wallet.need = wallet.hold_ns = 0
            wallet.due = True
        self._due = dict(self._of)
        while self._due:
            ready = self._ready()
            if not ready:
                await asyncio.sleep(0.01)  # a worker's turn is not over
            for batch in _batches(ready):
                await self._lease(batch, want=False)
        await self._store.leave()
        self._wallets.say(state=LOST, nodes=self.nodes, until_ns=0)
        return returned

    def describe(self) -> dict[str, Any]:
        """For cluster.json: what metrics and people see."""
        return {
            "held": self._held, "reason": self.reason, "nodes": self.nodes,
            "wallets": len(self._of), "round_trip_ms": round(self.round_trip_s * 1000, 3),
            "at_risk": self._at_risk(),
            "reissued": sum(wallet.reissued for wallet in self._of.values()),
            **self.counts,
        }

    def _at_risk(self) -> list[tuple[str, str, int]]:
        """(limit, unit, units): granted and not told as spent. Were this node lost with all it
        knows, so much could be given out again, though it may be spent."""
        units: dict[tuple[str, str], int] = {}
        for wallet in self._of.values():
            seen = self._wallets.read(wallet.entry)
            if seen is not None and wallet.share is None:
                name = wallet.terms.name, wallet.terms.unit
                risk = max(0, seen.granted - max(0, wallet.told_spent))
                units[name] = units.get(name, 0) + risk
        return [(*name, risk) for name, risk in units.items()]

    # --- one round -------------------------------------------------------------------------

    def tick(self) -> None:
        """Takes demands off the board, looks after wallets, sends what is due."""
        now = self._now_ns()
        self._wallets.beat(now)
        for entry, need in self._wallets.demands():
            wallet = self._of.get(entry) or self._adopt_one(entry)
            if wallet is not None:
                wallet.need = max(wallet.need, need)
                wallet.retries = 0
                self._make_due(wallet)
        for wallet in [wallet for wallet in self._holding.values() if now >= wallet.hold_ns]:
            self._let_go(wallet)
        if self.reason:
            self._alone(now)
        if not self._held:
            return
        for batch in _batches(self._ready()):
            if len(self._tasks) >= BATCHES:
                break
            for wallet in batch:
                wallet.in_flight = True
            task = asyncio.create_task(self._renew(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def review(self) -> None:
        """Ten times a second: what no demand tells of."""
        now, wall = self._now_ns(), self._wall_ns()
        places = max(SCAN, self._wallets.places // SCANS)
        self._adopt(self._wallets.scan(self._scan_at, places))
        self._scan_at += places
        if self._scan_at >= self._wallets.places:
            self._scan_at = 0
        if not self._to_review:
            self._to_review = list(self._of.values())
        number = max(REVIEWED, len(self._of) // 10)
        part, self._to_review = self._to_review[:number], self._to_review[number:]
        for wallet in part:
            seen = self._wallets.read(wallet.entry)
            if seen is None or self._is_over(wallet, wall):
                self._forget(wallet)
                continue
            if seen.spent != wallet.spent:
                wallet.spent, wallet.moved_ns = seen.spent, now
            if not wallet.in_flight and wallet.share is None and wallet.turns is None:
                self._review(wallet, seen, now)

    def _review(self, wallet: Wallet, seen: Seen, now: int) -> None:
        if seen.flags & WANTED and not wallet.due and not wallet.hold_ns:
            self._make_due(wallet)  # a demand that was lost with its process
        target = wallet.pace.target(0, self.round_trip_s)
        if seen.left > 0 and now - wallet.moved_ns > IDLE_NS:
            self._take_back(wallet, seen, 0)
            self._make_due(wallet)
        elif seen.left > SURPLUS * target and now - wallet.told_ns > TOLD_NS:
            self._take_back(wallet, seen, target)
            self._make_due(wallet)
        elif wallet.told_spent != seen.spent and now - wallet.told_ns > TOLD_NS:
            self._make_due(wallet)

    def _rest_s(self) -> float:
        waits = self._holding or any(wallet.turns for wallet in self._due.values())
        return 0.01 if waits else TICK_S

    def _hold(self, wallet: Wallet, until_ns: int) -> None:
        wallet.hold_ns = until_ns
        self._holding[wallet.entry] = wallet

    def _let_go(self, wallet: Wallet) -> None:
        """Its time is over: it is asked for again, by ourselves if it is due, else by workers."""
        wallet.hold_ns = 0
        del self._holding[wallet.entry]
        if not wallet.due:
            self._wallets.release(wallet.entry, DRY)

    def _make_due(self, wallet: Wallet) -> None:
        wallet.due = True
        self._due[wallet.entry] = wallet

    def _ready(self) -> list[Wallet]:
        """Of those due, whose turn it is: nothing of theirs is under way or held back."""
        found = []
        for wallet in self._due.values():
            if wallet.in_flight or wallet.hold_ns:
                continue
            if wallet.turns is not None:
                if not self._wallets.went_on(wallet.turns):
                    continue
                wallet.turns = None
            found.append(wallet)
        return found

    # --- wallets ---------------------------------------------------------------------------

    def _adopt(self, entries: Iterable[int]) -> None:
        for entry in entries:
            if entry not in self._of:
                wallet = self._adopt_one(entry)
                if wallet is not None:
                    self._make_due(wallet)

    def _adopt_one(self, entry: int) -> Wallet | None:
        seen = self._wallets.read(entry)
        terms = self._terms.get(seen.spec) if seen is not None else None
        if seen is None or terms is None or not seen.flags and not seen.granted:
            return None
        wall = self._wall_ns()
        span = terms.window_of(seen.window, wall, self._bounds)
        wallet = Wallet(entry, terms, seen.window, span)
        wallet.moved_ns = wallet.told_ns = self._now_ns()
        if self._is_over(wallet, wall):
            return None
        self._of[entry] = wallet
        return wallet

    def _forget(self, wallet: Wallet) -> None:
        if not wallet.in_flight:
            self._of.pop(wallet.entry, None)
            self._due.pop(wallet.entry, None)
            self._holding.pop(wallet.entry, None)

    def _is_over(self, wallet: Wallet, wall: int) -> bool:
        """A window counts as long as it, or the sliding one after it, may be asked about."""
        return bool(wallet.end_ns) and wall > wallet.end_ns + wallet.terms.period_ns + 10**10

    def _take_back(self, wallet: Wallet, seen: Seen, leave: int) -> None:
        granted = min(seen.granted, seen.spent + leave)
        self._wallets.grant(wallet.entry, granted, spec=wallet.terms.spec, window=wallet.window,
                            low=0 if leave == 0 else seen.low)
        wallet.turns = self._wallets.turns()

    def _void(self) -> None:
        """No slice of this node is good any more."""
        self.counts["lapses"] += 1
        for wallet in self._of.values():
            seen = self._wallets.read(wallet.entry)
            if seen is not None and wallet.share is None and seen.left > 0:
                self._take_back(wallet, seen, 0)

    # --- the store -------------------------------------------------------------------------

    async def _keep_enrolled(self) -> None:
        backoff_s = 0.05
        while not self._stopping:
            try:
                await self._enroll()
                rest_s, backoff_s = ENROLL_S, 0.05
            except StoreLost as lost:
                self._lose(str(lost))
                rest_s, backoff_s = backoff_s, min(2 * backoff_s, BACKOFF_MAX_S)
            if not self._stopping:
                self._again.clear()
                await _wait(self._again, rest_s)

    async def _enroll(self) -> None:
        if 0 < self._wallets.said().until_ns <= self._now_ns():
            self._void()  # before the store hears of us: it may have given our slices to others
        sent_ns = self._now_ns()
        enrolment = await self._store.enroll(self._wallets.epoch)
        if enrolment.lapsed and 0 < self._wallets.said().until_ns:
            self._void()
        now = self._now_ns()
        self.nodes = enrolment.nodes
        if enrolment.epoch != self._wallets.epoch:
            self._wallets.epoch = enrolment.epoch
            for wallet in self._of.values():
                self._make_due(wallet)
        until = sent_ns + int(self._store.lease_ms * MARGIN) * 10**6
        self._wallets.say(state=LOST if enrolment.grace_ms else HELD, nodes=self.nodes,
                          until_ns=until)
        before, self._held = (self._held, self.reason), True
        self.reason = FORGOT if enrolment.grace_ms else ""
        self._grace_until_ns = now + enrolment.grace_ms * 10**6 if enrolment.grace_ms else 0
        if before != (True, self.reason):
            self._log.note("store held", nodes=self.nodes, grace_ms=enrolment.grace_ms)
            if not self.reason:
                self._rejoin()
        self._wake.set()

    def _lose(self, reason: str) -> None:
        if self._held or self.reason != reason:
            self._log.warning("store lost", reason=reason)
        if self._held:
            self.counts["losses"] += 1
        self._held, self.reason = False, reason
        self._wallets.say(state=LOST, nodes=self.nodes, until_ns=self._wallets.said().until_ns)

    def _rejoin(self) -> None:
        """The store grants again: what we granted to ourselves is void, what was spent is told."""
        for wallet in self._of.values():
            seen = self._wallets.read(wallet.entry)
            if seen is None:
                continue
            if wallet.share is not None:
                wallet.share = None
                self._take_back(wallet, seen, 0)
            if wallet.turns is not None or seen.flags & WANTED or seen.spent > seen.granted:
                self._make_due(wallet)

    async def _renew(self, batch: list[Wallet]) -> None:
        try:
            await self._lease(batch, want=self._now_ns() >= self._grace_until_ns)
        except StoreLost as lost:
            self._lose(str(lost))
            self._again.set()
        finally:
            for wallet in batch:
                wallet.in_flight = False
            self._wake.set()

    async def _lease(self, batch: list[Wallet], *, want: bool) -> None:
        calls, asked = [], []
        now = self._now_ns()
        for wallet in batch:
            seen = self._wallets.read(wallet.entry)
            if seen is None:
                self._due.pop(wallet.entry, None)
                continue
            wallet.pace.observe(seen.spent, now)
            calls.append(self._call(wallet, seen, want))
            asked.append(wallet)
        if not calls:
            return
        self.counts["calls"] += len(calls)
        answers = await self._store.lease(self._wallets.epoch, calls)
        took_s = (self._now_ns() - now) / 1e9
        self.round_trip_s = max(took_s, 0.9 * self.round_trip_s + 0.1 * took_s)
        for wallet, call, answer in zip(asked, calls, answers, strict=True):
            self._apply(wallet, call, answer)

    def _call(self, wallet: Wallet, seen: Seen, want: bool) -> Call:
        terms = wallet.terms
        need = amount = 0
        if want and wallet.share is None:
            need = wallet.need
            target = wallet.pace.target(need, self.round_trip_s)
            amount = max(0, target - seen.left) if need or seen.left * 2 < target else 0
            if not need and self._now_ns() - wallet.moved_ns > IDLE_NS:
                amount = 0
        self._seq += 1
        wall_ms = self._wall_ns() // 10**6
        end_ms = wallet.end_ns // 10**6
        keep = max(KEEP_MS, 2 * terms.period_ns // 10**6) + (max(0, end_ms - wall_ms))
        previous = None
        if terms.algorithm == SLIDING_WINDOW:
            previous = self._wallets.neighbour(seen.key, wallet.start_ns, -terms.period_ns)
        # What a node granted to itself is nothing to the fleet; what it spent of it is.
        granted = seen.granted if wallet.share is None else seen.spent
        return Call(
            seen.key, self._seq, granted, seen.spent, need, amount, terms.algorithm,
            terms.capacity, terms.period_ns // 1000, end_ms,
            0 if terms.window == "total" else keep, previous,
        )

    def _apply(self, wallet: Wallet, call: Call, answer: Answer) -> None:
        now = self._now_ns()
        if answer.status == "stale":
            self._seq = max(self._seq, answer.granted)
            return  # still due
        if answer.status in ("lapsed", "epoch"):
            if answer.status == "lapsed":
                self._void()
            raise StoreLost(f"this node's {answer.status} is over")
        wallet.told_ns, wallet.told_spent = now, call.spent
        wallet.left, wallet.reissued, self.nodes = answer.left, answer.reissued, answer.nodes
        if wallet.turns is not None:
            return  # taken back meanwhile: still due, and what came now goes back too
        self._due.pop(wallet.entry, None)
        wallet.due = False
        flags = 0
        if answer.status == "granted":
            wallet.need = wallet.retries = 0
        elif answer.status == "dry":
            flags = DRY | WANTED
            self._hold_off(wallet, answer, now)
        elif wallet.need:  # grace: report again when it is over
            flags = WANTED
            self._make_due(wallet)
            self._hold(wallet, now + answer.wait_ms * 10**6)
        if wallet.share is None:
            target = wallet.pace.target(0, self.round_trip_s)
            self._wallets.grant(
                wallet.entry, answer.granted, spec=wallet.terms.spec, window=wallet.window,
                low=wallet.pace.low(target, self.round_trip_s), flags=flags,
            )

    def _hold_off(self, wallet: Wallet, answer: Answer, now: int) -> None:
        """Nobody rings for a dry wallet meanwhile; soon we ask again by ourselves, a few times."""
        wait_ns = min(max(answer.wait_ms * 10**6, DRY_MIN_NS), DRY_MAX_NS)
        self._hold(wallet, now + (wait_ns if answer.wait_ms >= 0 else DRY_MIN_NS))
        if 0 <= answer.wait_ms * 10**6 < DRY_MAX_NS and wallet.retries < 3:
            wallet.retries += 1
            self._make_due(wallet)
        else:
            wallet.need = 0

    # --- without the store -----------------------------------------------------------------

    def _alone(self, now: int) -> None:
        """What on_store_loss says for those who have nothing left. `closed` and `open` are the
        workers' own to decide; their demands wait for the store."""
        for wallet in list(self._due.values()):
            if wallet.terms.store_loss != "local_share" or wallet.need == 0:
                continue
            if wallet.in_flight or wallet.hold_ns:
                continue
            seen = self._wallets.read(wallet.entry)
            if seen is not None:
                self._grant_share(wallet, seen, now)

    def _grant_share(self, wallet: Wallet, seen: Seen, now: int) -> None:
        if wallet.share is None:
            # From here on the wallet is our own: what was left of a slice is not mixed in.
            wallet.share = LocalShare(wallet.terms, self._wallets.said().nodes, now)
            wallet.share_spent = seen.spent
        granted = wallet.share_spent + wallet.share.allowance(wallet.share_spent, now)
        enough = granted >= seen.spent + wallet.need
        wallet.need = 0
        self.counts["degraded_grants"] += granted > seen.granted
        self._wallets.grant(
            wallet.entry, granted, spec=wallet.terms.spec, window=wallet.window,
            flags=DEGRADED | (0 if enough else DRY | WANTED),
        )
        self._due.pop(wallet.entry, None)
        wallet.due = False
        if not enough:
            self._hold(wallet, now + min(max(wallet.share.wait_ns(), DRY_MIN_NS), DRY_MAX_NS))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Not asyncio.wait_for: up to Python 3.11 that may swallow a cancellation."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _batches(wallets: list[Wallet]) -> Iterable[list[Wallet]]:
    for at in range(0, len(wallets), BATCH):
        yield wallets[at:at + BATCH]
