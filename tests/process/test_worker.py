"""A worker's life: ready, heartbeat, drain, abort, and the end of the supervisor.

Method: `Life` on a real loop with a listener and shared memory that only note what they are told;
no process, no socket but the lifeline.
"""

import asyncio
import socket
import time

import pytest

from fastgw.log import Log
from fastgw.process import worker


class Noted:
    """Notes every call by name, as listener and as shared memory."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running = 0

    def start(self, loop, sock):
        self.calls.append("start")

    def active(self) -> int:
        return self.running

    def stop_accepting(self) -> None:
        self.calls.append("stop_accepting")

    def close_idle(self) -> None:
        if self.calls[-1] != "close_idle":
            self.calls.append("close_idle")

    def abort_all(self) -> None:
        self.calls.append("abort_all")
        self.running = 0

    def stop(self) -> None:
        self.stops = getattr(self, "stops", 0) + 1

    def beat(self, slot: int) -> None:
        self.beats = getattr(self, "beats", 0) + 1

    def mark_ready(self, slot: int) -> None:
        self.calls.append("ready")

    def mark_draining(self, slot: int) -> None:
        self.calls.append("draining")


class Here:
    """What Life needs of a worker."""

    def __init__(self, loop) -> None:
        self.loop, self.slot, self.log = loop, 0, Log(level="error")


def live(scenario, *, drain_s: float = 60.0):
    """Run ``scenario(life, noted)`` from "ready" on until the life has ended; what was noted."""
    noted = Noted()

    async def run() -> float:
        here = Here(asyncio.get_running_loop())
        life = worker.Life(here, noted, noted, drain_s=drain_s)
        await life.begin(None)
        began = time.monotonic()
        await scenario(life, noted)
        await asyncio.wait_for(life.ended, 10)
        noted.took_s = time.monotonic() - began

    asyncio.run(run())
    return noted


def test_is_ready_when_it_serves_and_beats_from_then_on():
    async def scenario(life, noted):
        assert noted.calls == ["start", "ready"]
        assert noted.beats == 1
        await asyncio.sleep(0.25)
        assert noted.beats >= 3
        life.drain()

    live(scenario)


def test_is_ready_only_when_an_asynchronous_start_has_finished():
    async def run():
        noted, gate = Noted(), asyncio.Event()
        noted.start = lambda loop, sock: gate.wait()
        life = worker.Life(Here(asyncio.get_running_loop()), noted, noted, drain_s=1)
        beginning = asyncio.ensure_future(life.begin(None))
        await asyncio.sleep(0.01)
        assert noted.calls == []
        life.drain()  # asked to end before it has begun: begins, then ends in order
        gate.set()
        await beginning
        await asyncio.wait_for(life.ended, 5)
        assert noted.calls == ["ready", "draining", "stop_accepting", "close_idle"]

    asyncio.run(run())


def test_drains_until_nothing_runs():
    async def scenario(life, noted):
        noted.running = 2
        life.drain()
        await asyncio.sleep(0.1)
        assert not life.ended.done()
        noted.running = 0

    noted = live(scenario)

    assert noted.calls == ["start", "ready", "draining", "stop_accepting", "close_idle"]
    assert noted.stops == 1
    assert noted.took_s < 8


def test_aborts_at_the_deadline_and_leaves_time_for_records():
    async def scenario(life, noted):
        noted.running = 2
        life.drain()

    noted = live(scenario, drain_s=0.1)

    assert noted.calls[-2:] in (["close_idle", "abort_all"], ["abort_all", "close_idle"])
    assert 0.1 <= noted.took_s < 8


@pytest.mark.parametrize(
    "ask", [lambda life: life.abort(), lambda life: (life.drain(), life.drain())]
)
def test_a_second_term_or_int_ends_it_at_once(ask):
    async def scenario(life, noted):
        noted.running = 2
        ask(life)

    noted = live(scenario)

    assert noted.calls.count("abort_all") == 1
    assert noted.took_s < 8


def test_gives_up_on_exchanges_that_do_not_end_even_then():
    async def scenario(life, noted):
        noted.running = 2
        noted.abort_all = lambda: None
        life.abort()

    assert worker.ABORT_GRACE_S <= live(scenario).took_s < worker.ABORT_GRACE_S + 8


def test_drains_shortly_when_the_supervisor_is_gone():
    near, far = socket.socketpair()

    async def scenario(life, noted):
        life.watch_lifeline(near)
        noted.running = 1
        far.close()

    noted = live(scenario)
    near.close()

    assert "draining" in noted.calls and "abort_all" in noted.calls
    assert worker.ORPHAN_DRAIN_S <= noted.took_s < worker.ORPHAN_DRAIN_S + 8


def test_a_longer_drain_is_cut_short_when_the_supervisor_goes():
    near, far = socket.socketpair()

    async def scenario(life, noted):
        life.watch_lifeline(near)
        noted.running = 1
        life.drain()
        await asyncio.sleep(0.05)
        far.close()

    assert live(scenario).took_s < worker.ORPHAN_DRAIN_S + 8
    near.close()
