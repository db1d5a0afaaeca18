"""Limits over a restart: what shared memory has kept stands; what it lost is put back.

::

    limits.snapshot   buckets that heal slowly, every 10 s and at the end      (fastgw.limit)
    ledger.db         what settled and open requests have drawn from caps      (fastgw.ledger)
    restored          beside the segment: which segment has all that already

A segment is new after a boot, when its layout has changed, or when somebody removed it. Then both
are put into it before the first worker is born. Where it survived its own words are exact, and
whatever a file says is older.
"""

from __future__ import annotations

from pathlib import Path

from fastgw.clock import now_ns, wall_ns
from fastgw.errors import LedgerError
from fastgw.ledger.query import Ledger
from fastgw.limit import snapshot
from fastgw.limit.adjust import Adjust
from fastgw.log import Log
from fastgw.shm.segment import Segment

SNAPSHOT = "limits.snapshot"
SAVE_EVERY_S = 10.0


def restore(segment: Segment, folder: Path, data_dir: Path, log: Log) -> None:
    """To be called when rings are drained and before anybody takes. ``folder``: the segment's."""
    mark = folder / "restored"
    made = b"%d\n" % segment.made_ns
    if mark.exists() and mark.read_bytes() == made:
        return
    buckets = _load(segment, data_dir / SNAPSHOT, log)
    caps = _rebuild(segment, data_dir, log)
    if buckets or caps:
        log.note("limits restored", buckets=buckets, caps=caps, segment=segment.reason)
    # Last: a start that fails before this is made up for by the next.
    mark.write_bytes(made)


def save(segment: Segment, data_dir: Path, log: Log) -> None:
    """The snapshot, whole or not at all."""
    try:
        snapshot.save(segment, data_dir / SNAPSHOT, now_ns(), wall_ns())
    except OSError as error:
        log.error("the snapshot of limits cannot be written", error=error.strerror)


def _load(segment: Segment, path: Path, log: Log) -> int:
    try:
        return snapshot.load(segment, path, now_ns(), wall_ns())
    except (OSError, ValueError) as error:
        # Buckets are full then: better than no gateway, and said.
        log.error("the snapshot of limits cannot be read: buckets begin full", error=str(error))
        return 0


def _rebuild(segment: Segment, data_dir: Path, log: Log) -> int:
    try:
        with Ledger(data_dir) as ledger:
            rows = ledger.caps(wall_ns())
    except LedgerError as error:
        log.error("caps cannot be rebuilt: they begin unused", error=str(error))
        return 0
    adjust = Adjust(segment)
    rebuilt = 0
    for row in rows:
        # A word that is there was carried over from a segment of other sizes: it is exact.
        if row.used and adjust.read(row.identity) is None:
            adjust.set(
                row.identity, "cap", row.used, unit=row.unit, window_end_ns=row.window_end_ns
            )
            rebuilt += 1
    return rebuilt
