"""The downstream connection: from accepted socket to journey and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgw.listener.listener import Listener


def serve(worker: Any) -> Listener:
    """The data port of a worker (process.worker.Worker): plan, segment, rings, loop in one."""
    from fastgw.journey import Journey
    from fastgw.listener.listener import Listener

    plan = worker.plan
    journey = Journey(
        plan, segment=worker.segment, slot=worker.slot, journal=worker.journal,
        loop=worker.loop, log=worker.log, wakers=worker.wakers, asker=worker.asker,
    )
    return Listener(journey, connections_max=plan.connections_per_worker)
