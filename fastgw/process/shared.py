"""The shared memory of one instance: the segment and the rings, as files in one folder.

::

    shm_dir/fastgw-<hash of data_dir>/
      segment             slots, limits, holds, counters   (fastgw.shm)
      ring-00-main        worker 0 -> recorder             (fastgw.ledger)
      ring-00-refusals    worker 0 -> recorder, refusals: never in the way of paying traffic
      …
      ring-supervisor     what the sweep closes

All are allocated at the start, so that a full tmpfs stops the start and nothing later. They
survive a restart: buckets go on, and what a killed instance left is recovered.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fastgw.clock import now_ns
from fastgw.ledger import ring as rings
from fastgw.ledger.journal import Journal
from fastgw.ledger.ring import Ring
from fastgw.log import Log
from fastgw.shm import segment as segments
from fastgw.shm.place import segment_path, start_time
from fastgw.shm.segment import Segment

if TYPE_CHECKING:
    from fastgw.config import Config

# A worker at 15,000 requests a second posts about 20 MB a second: room for 200 ms without a
# recorder. Above 4 workers half of it, so that 8 fit into the 64 MB that containers get.
MAIN_RING = 4 << 20
MANY_WORKERS = 4
REFUSALS_RING = 256 << 10
SUPERVISOR_RING = 4 << 20  # a CLOSE for every hold of a worker


class Shared:
    """Made by the supervisor before any fork; workers inherit the mapping."""

    def __init__(self, segment: Segment, folder: Path, ring: Ring, *, on_full: str) -> None:
        self.segment = segment
        self.folder = folder
        self.ring = ring  # the supervisor's own
        self._on_full = on_full
        self._journal: Journal | None = None

    @classmethod
    def open(cls, config: Config, data_dir: Path, workers: int) -> Shared:
        """Create what is not there, keep what is. Raises ShmError."""
        path = segment_path(config.shm_dir, data_dir)
        segment = Segment.create(path, workers=workers)
        size = MAIN_RING if workers <= MANY_WORKERS else MAIN_RING // 2
        for slot in range(workers):
            Ring.open(ring_path(path.parent, slot, "main"), size, slot=slot).close()
            Ring.open(
                ring_path(path.parent, slot, "refusals"), REFUSALS_RING, slot=slot,
                lane=rings.REFUSALS,
            ).close()
        own = Ring.open(path.parent / "ring-supervisor", SUPERVISOR_RING, slot=rings.SUPERVISOR)
        segment.adopt(os.getpid(), start_time(os.getpid()))
        return cls(segment, path.parent, own, on_full=config.on_ledger_full)

    def describe(self) -> dict[str, object]:
        """For instance.json."""
        return {"segment": self.segment.path, "rings": str(self.folder)}

    # --- a worker's side -------------------------------------------------------------------

    def claim(self, slot: int, generation: int) -> Journal:
        """This process is now the worker of ``slot``."""
        self.segment.claim(slot, os.getpid(), start_time(os.getpid()), generation)
        self._journal = Journal(
            Ring.attach(ring_path(self.folder, slot, "main"), producer=True),
            Ring.attach(ring_path(self.folder, slot, "refusals"), producer=True),
            generation=generation,
            worker=slot,
            on_full=self._on_full,
        )
        return self._journal

    def beat(self, slot: int) -> None:
        """Alive, and past a turn of the loop; refusals that were only counted are posted."""
        now = now_ns()
        self.segment.turn(slot, now)
        if self._journal is not None:
            self._journal.flush_now(now)

    def mark_ready(self, slot: int) -> None:
        self.segment.set_state(slot, segments.READY)

    def mark_draining(self, slot: int) -> None:
        self.segment.set_state(slot, segments.DRAINING)

    def release(self, slot: int) -> None:
        """The worker ends by itself: nothing that it counted may stay behind."""
        if self._journal is not None:
            self._journal.flush_now(now_ns())

    # --- the supervisor's side -------------------------------------------------------------

    def sweep(self, slot: int, log: Log) -> None:
        """Go on as the dead worker of ``slot``: settle what it held, close what it had open."""

    def recover(self, log: Log) -> None:
        """At the start: what the last instance left, as if its workers had died just now."""
        for slot in range(self.segment.workers):
            self.sweep(slot, log)

    def close(self) -> None:
        """Nothing is posted by the supervisor after this."""
        self.ring.close()


def ring_path(folder: Path, slot: int, lane: str) -> Path:
    return folder / f"ring-{slot:02d}-{lane}"
