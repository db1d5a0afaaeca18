"""The shared memory of one instance: the segment and the rings, as files in one folder.

::

    shm_dir/fastgw-<hash of data_dir>/
      segment                  slots, limits, holds, counters   (fastgw.shm)
      ring-00-main             worker 0 -> recorder             (fastgw.ledger)
      ring-00-refusals         the same for refusals: never in the way of paying traffic
      …
      ring-supervisor          what the sweep closes
      owner                    the data_dir, in words

All are allocated at the start, so that a full tmpfs stops the start and nothing later. They
survive a restart: buckets go on, and what a killed instance left is recovered.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fastgw.clock import now_ns, wall_ns
from fastgw.errors import ShmError
from fastgw.ledger import ring as rings
from fastgw.ledger.journal import Journal
from fastgw.ledger.lost import ended_mark
from fastgw.ledger.ring import Ring
from fastgw.ledger.tails import PREFIX
from fastgw.limit.sweep import LostAttempt, carry_over, sweep
from fastgw.log import Log
from fastgw.process.directory import read_instance
from fastgw.shm import segment as segments
from fastgw.shm.place import segment_path, start_time
from fastgw.shm.segment import Segment

if TYPE_CHECKING:
    from fastgw.config import Config

# A request posts about 1 KB, and a worker does up to 48,000 a second: 16 MiB are room for 340 ms
# without a recorder, whose passes are 50 ms apart (with 8, a disk that stalled for 170 ms refused
# requests). All together stay small, so that 8 workers' fit into the 64 MB that containers get.
MAIN_RING, MAIN_RING_MIN, MAIN_RINGS = 16 << 20, 2 << 20, 32 << 20
REFUSALS_RING = 256 << 10
SUPERVISOR_RING = 4 << 20  # a CLOSE for every hold of a worker


def forget_abandoned(shm_dir: Path) -> None:
    """Free the shared memory of instances whose data directory was deleted: nobody comes back.

    Where records still wait, the directory may only have been moved: its next start wants them.
    """
    for owner in shm_dir.glob("fastgw-*/owner"):
        try:
            mine = owner.stat().st_uid == os.geteuid()
            if mine and not os.path.exists(owner.read_bytes()) and not _in_use(owner.parent):
                shutil.rmtree(owner.parent)
        except (OSError, ShmError):
            continue  # another start is at it, or it is none of ours: not our business


def _in_use(folder: Path) -> bool:
    segment = Segment.attach(folder / "segment", readonly=True)
    slots = [segment.worker(slot) for slot in range(segment.workers)]
    if any(slot.pid and start_time(slot.pid) == slot.start_time for slot in slots):
        return True
    rings = [Ring.attach(path, producer=False) for path in folder.glob(f"{PREFIX}*")]
    waiting = any(ring.look() for ring in rings)
    for ring in rings:
        ring.close()
    return waiting


def previous_folder(data_dir: Path, folder: Path) -> Path | None:
    """Where the last instance of ``data_dir`` had its rings, if that was not ``folder``.

    So it is when shm_dir was set anew, or when the directory was moved. Not where it was copied:
    the folder that it tells of is another's then.
    """
    told = (read_instance(data_dir) or {}).get("rings")
    if told is None or Path(told) == folder or not Path(told, "owner").exists():
        return None
    owner = os.fsdecode(Path(told, "owner").read_bytes())
    moved = not os.path.exists(owner)
    return Path(told) if moved or owner == str(data_dir.resolve()) else None


def ring_path(folder: Path, slot: int | str, lane: str = "main") -> Path:
    """``ring-00-main``, ``ring-00-refusals``, ``ring-supervisor``: the recorder knows PREFIX."""
    if isinstance(slot, str):
        return folder / f"{PREFIX}{slot}"
    return folder / f"{PREFIX}{slot:02d}-{lane}"


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
        forget_abandoned(Path(config.shm_dir))
        segment = Segment.create(path, workers=workers, entries=config.limits.buckets)
        folder = path.parent
        (folder / "owner").write_bytes(os.fsencode(data_dir.resolve()))
        size = ring_bytes(workers)
        for slot in range(workers):
            open_ring(ring_path(folder, slot), size, slot).close()
            refusals = ring_path(folder, slot, "refusals")
            open_ring(refusals, REFUSALS_RING, slot, rings.REFUSALS).close()
        own = open_ring(ring_path(folder, "supervisor"), SUPERVISOR_RING, rings.SUPERVISOR)
        segment.adopt(os.getpid(), start_time(os.getpid()))
        return cls(segment, folder, own, on_full=config.on_ledger_full)

    def describe(self) -> dict[str, object]:
        """For instance.json."""
        return {"segment": self.segment.path, "rings": str(self.folder)}

    # --- a worker's side -------------------------------------------------------------------

    def claim(self, slot: int, generation: int) -> Journal:
        """This process is now the worker of ``slot``."""
        self.segment.claim(slot, os.getpid(), start_time(os.getpid()), generation)
        self._journal = Journal(
            Ring.attach(ring_path(self.folder, slot), producer=True),
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

    def sweep(self, slot: int, log: Log) -> bool:
        """Go on as the dead worker of ``slot``: settle what it held, close what it had open.

        False: the supervisor's ring is full; what is left is swept by the next call.
        """
        return self._sweep(self.segment, slot, log)

    def recover(self, log: Log) -> bool:
        """At the start: what the last instance left, as if its workers had died just now.

        False: the supervisor's ring is full; drain the rings, then call again.
        """
        older = self.segment.replaced
        for segment in filter(None, (older, self.segment)):
            for slot in range(segment.workers):
                if not self._sweep(segment, slot, log):
                    return False
        if older is not None:
            log.note("limits carried over", buckets=carry_over(older, self.segment))
            self.segment.replaced = None
        return True

    def forget_old_rings(self) -> None:
        """Rings of slots that this instance does not have; to be called when they are drained."""
        mine = {ring_path(self.folder, "supervisor")}
        for slot in range(self.segment.workers):
            mine |= {ring_path(self.folder, slot), ring_path(self.folder, slot, "refusals")}
        for path in set(self.folder.glob(f"{PREFIX}*")) - mine:
            path.unlink()

    def close(self) -> None:
        """Nothing is posted by the supervisor after this."""
        self.ring.close()

    def _sweep(self, segment: Segment, slot: int, log: Log) -> bool:
        generation = segment.worker(slot).generation
        if segment.worker(slot).state == segments.NONE:
            return True
        head = self._head_of(slot)

        def close_attempt(lost: LostAttempt) -> None:
            if not lost.needs_close(head):
                return  # the worker had just posted it itself
            if held := lost.held():
                self.post(held)
            self.post(lost.record())

        try:
            swept = sweep(segment, slot, now_ns(), close_attempt, ring_head=head)
            if generation:
                self.post(ended_mark(generation, slot, wall_ns()))
        except RingFull:
            segment.set_state(slot, segments.DEAD)
            log.warning("the supervisor's ring is full: sweep goes on later", slot=slot)
            return False
        if swept.holds:
            log.note("swept", slot=slot, requests=swept.holds, attempts=swept.attempts)
        return True

    @property
    def ring_room(self) -> int:
        """Bytes that the supervisor's ring still takes."""
        return self.ring.size - (self.ring.head - self.ring.tail)

    def post(self, record: bytes) -> None:
        """Into the supervisor's ring. Raises RingFull."""
        if not self.ring.post_bytes(record):
            raise RingFull

    def _head_of(self, slot: int) -> int:
        try:
            ring = Ring.attach(ring_path(self.folder, slot), producer=False)
        except ShmError:
            return 0  # no ring, so no CLOSE in it: ours is posted, and the ledger keeps one
        head = ring.head
        ring.close()
        return head


class RingFull(Exception):
    """The supervisor's ring takes no more until the recorder has stored some of it."""


def ring_bytes(workers: int) -> int:
    """Of each worker's ring, a power of two."""
    share = 1 << (MAIN_RINGS // workers).bit_length() - 1
    return max(MAIN_RING_MIN, min(MAIN_RING, share))


def open_ring(path: Path, size: int, slot: int, lane: int = rings.MAIN) -> Ring:
    """The ring at ``path`` as it is, whatever its size: it may hold records; else a new one.

    A damaged one is put aside under another name, for people. Raises ShmError: no room.
    """
    if not path.exists():
        return Ring.create(path, size, slot=slot, lane=lane)
    try:
        return Ring.attach(path, producer=True)
    except ShmError:
        path.rename(path.with_name(f"damaged-{path.name}-{wall_ns()}"))
        return Ring.create(path, size, slot=slot, lane=lane)
