"""A fleet in one loop: real lessees and stores over wallets of plain Python.

`FakeWallets` is what csrc/fgw_cluster.h says, in integers: the same calls as `Wallets`, and `take`
as a worker does it. So whole fleets run in a test's own process, and every sum can be looked at.
"""

import asyncio
import contextlib
import time

from fastgw.cluster.lessee import Lessee
from fastgw.cluster.store import Store, StoreLost
from fastgw.cluster.terms import Terms
from fastgw.cluster.wallets import DEGRADED, DRY, HELD, UNKNOWN, WANTED, Said, Seen
from fastgw.log import Log

KEY = (7, 77)
S, MS = 10**9, 10**6


def terms(**given):
    row = {"spec": 0, "name": "n", "unit": "requests", "algorithm": 3, "capacity": 1000,
           "period_ns": 0, "window": "total"} | given
    return {0: Terms(**row)}


class FakeWallets:
    incarnation = 1
    places = 0
    window = 0

    def __init__(self):
        self.rows, self.posted, self.board = {}, [], Said(UNKNOWN, 0, 0, 0)
        self.epoch, self.turn, self.frozen = "", 0, False

    def all(self):
        return list(self.rows)

    def scan(self, first, number):
        return []

    def read(self, entry):
        return self.rows.get(entry)

    def grant(self, entry, granted, *, spec, window=0, low=0, flags=0):
        self.rows[entry] = self.rows[entry]._replace(
            granted=granted, spec=spec, window=window, low=low, flags=flags)
        return True

    def release(self, entry, flags=0):
        row = self.rows[entry]
        self.rows[entry] = row._replace(flags=row.flags & DEGRADED | flags)

    def demands(self):
        posted, self.posted = self.posted, []
        return posted

    def say(self, *, state, nodes, until_ns):
        self.board = self.board._replace(state=state, nodes=nodes, until_ns=until_ns)

    def beat(self, now_ns):
        self.board = self.board._replace(beat_ns=now_ns)

    def said(self):
        return self.board

    def turns(self):
        return self.turn

    def went_on(self, before):
        self.turn += not self.frozen
        return self.turn > before

    def neighbour(self, key, start_ns, step_ns):
        return key[0], key[1] ^ 1

    # --- a worker --------------------------------------------------------------------------

    def ask(self, entry, need):
        row = self.rows.setdefault(entry, Seen(KEY, 0, 0, 0, 0, self.window, 0, 0))
        if not row.flags & WANTED:
            self.posted.append((entry, need))
            self.rows[entry] = row._replace(flags=row.flags | WANTED)
            return True
        return False

    def take(self, amount, entry=0):
        """'taken', 'dry' (refused for good), 'short' (asked for), 'lost'; and whether to ring."""
        row = self.rows.get(entry) or Seen(KEY, 0, 0, 0, 0, 0, 0, 0)
        alive = row.flags & DEGRADED or time.monotonic_ns() < self.board.until_ns
        granted = row.granted if alive else 0
        if row.spent + amount <= granted:
            self.rows[entry] = row._replace(spent=row.spent + amount)
            left = granted - row.spent - amount
            low = not row.flags & (WANTED | DEGRADED) and left >> row.low == 0
            return "taken", low and self.ask(entry, 1)
        rang = self.ask(entry, row.spent + amount - granted)
        if row.flags & DRY:
            return "dry", rang
        return ("short" if self.board.state == HELD or row.flags & DEGRADED else "lost"), rang

    def settle(self, more, entry=0):
        row = self.rows[entry]
        self.rows[entry] = row._replace(spent=row.spent + more)


class Gateway:
    """One node. ``segment``: wallets that a gateway before it left."""

    def __init__(self, url, name, of=None, *, segment=None, **options):
        self.wallets = segment or FakeWallets()
        period = of[0].step_ns() if of else 0
        self.wallets.window = time.time_ns() // period % (1 << 22) if period else 0
        self.store = Store(url, node=name, incarnation=1, **options)
        log = Log(level="error")
        self.lessee = Lessee(self.wallets, self.store, of or terms(),
                             lambda *_: (0, 0), log, now_ns=time.monotonic_ns,
                             wall_ns=time.time_ns)
        self.admitted = self.refused = 0

    def start(self):
        self.running = asyncio.create_task(self.lessee.run())

    async def held(self, state=HELD):
        async with asyncio.timeout(10):
            while self.wallets.board.state != state or state == HELD and self.lessee.reason:
                await asyncio.sleep(0.002)

    async def request(self, amount=1, patience_s=0.5):
        """Parks like a worker; True if admitted."""
        deadline = time.monotonic() + patience_s
        while True:
            verdict, rang = self.wallets.take(amount)
            if rang:
                self.lessee.ring()
            if verdict != "short" or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.001)
        self.admitted += verdict == "taken"
        self.refused += verdict != "taken"
        return verdict == "taken"

    @property
    def outstanding(self):
        return sum(max(0, row.left) for row in self.wallets.rows.values())

    async def die(self):
        """As kill -9: nothing is said to anybody."""
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.store.close()

    async def stop(self):
        self.lessee.stop()
        await self.running
        with contextlib.suppress(StoreLost):
            await self.lessee.drain()
        await self.store.close()


@contextlib.asynccontextmanager
async def fleet(urls, of=None, **options):
    """A gateway for each URL, all holding."""
    gateways = [Gateway(url, f"n{at}", of, **options) for at, url in enumerate(urls)]
    for gateway in gateways:
        gateway.start()
    try:
        for gateway in gateways:
            await gateway.held()
        yield gateways
    finally:
        for gateway in gateways:
            await gateway.stop()


async def storm(gateways, requests, amount=1, patience_s=0.5, at_once=20):
    """``requests`` over all gateways, ``at_once`` under way on each."""
    async def client(gateway, number):
        for _ in range(number):
            await gateway.request(amount, patience_s)

    each = requests // (len(gateways) * at_once)
    await asyncio.gather(*(client(gateway, each) for gateway in gateways for _ in range(at_once)))


async def spend(gateways, whole, so_far=()):
    """Asks until ``whole`` units are admitted by ``gateways`` and ``so_far``, and then for more.

    What one node gives back reaches the others when they ask again, which a dry wallet does after
    up to a second: nothing is lost if it is all spent at last.
    """
    def admitted():
        return sum(each.admitted for each in (*gateways, *so_far))

    async with asyncio.timeout(10):
        while admitted() < whole:
            await storm(gateways, 20 * len(gateways))
            await asyncio.sleep(0.05)
    await storm(gateways, 1000)
