"""The recorder's side of all rings of a directory: finds them, reads them, gives room back.

Rings appear when workers are added and may be replaced under the same name; a ring that is gone
from the directory is read to its end first, since its mapping stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fastgw.errors import ShmError
from fastgw.ledger.ring import SUPERVISOR, Ring
from fastgw.ledger.span import Span

PREFIX = "ring-"  # of every ring's file name; what is not finished yet begins otherwise
_LOOK_EVERY = 8  # passes in which old rings alone may be read, while they have something


class _Tail:
    """One ring, and how far it is safe elsewhere."""

    def __init__(self, ring: Ring, inode: int, position: int) -> None:
        self.ring = ring
        self.inode = inode
        self.id = ring.ring_id
        self.supervisor = ring.slot == SUPERVISOR
        # The store may know more than the ring: killed between commit and release.
        ring.look()
        self.position = min(max(position, ring.tail), ring.head)
        self.release()

    def release(self) -> None:
        if self.position > self.ring.tail:
            self.ring.release(self.position)


class Tails:
    """All rings below ``directory``. ``position_of(ring id)``: what is stored or spilled of it."""

    def __init__(
        self,
        directory: Path,
        position_of: Callable[[int], int],
        damaged: Callable[[Path, str], None],
    ) -> None:
        self._directory = directory
        self._position_of = position_of
        self._damaged = damaged
        self._tails: dict[Path, _Tail] = {}
        self._leaving: list[_Tail] = []
        self._refused: dict[Path, int] = {}
        self._changed_ns = -1
        self._ordered: list[_Tail] = []
        self._passes = 0  # since the directory was looked at

    def __len__(self) -> int:
        return len(self._tails)

    def refresh(self) -> bool:
        """Attach to rings that appeared. One stat where nothing changed; False then."""
        self._passes = 0
        try:
            changed_ns = os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            return False
        if changed_ns == self._changed_ns:
            return False
        self._changed_ns = changed_ns
        there = {}
        for entry in os.scandir(self._directory):
            if entry.name.startswith(PREFIX):
                there[Path(entry.path)] = entry.inode()
        for path, tail in list(self._tails.items()):
            if there.get(path) != tail.inode:
                self._leaving.append(self._tails.pop(path))
        for path, inode in there.items():
            if path not in self._tails and self._refused.get(path) != inode:
                self._attach(path, inode)
        self._order()
        return True

    def _order(self) -> None:
        """The supervisor's rings first: see `_ready`."""
        self._ordered = [*self._leaving, *self._tails.values()]
        self._ordered.sort(key=lambda tail: not tail.supervisor)

    def _attach(self, path: Path, inode: int) -> None:
        try:
            ring = Ring.attach(path, producer=False)
            self._tails[path] = _Tail(ring, inode, self._position_of(ring.ring_id))
            self._refused.pop(path, None)
        except ShmError as error:
            self._refused[path] = inode
            self._damaged(path, str(error))

    def take(self) -> list[Span]:
        """All whole records that are not safe yet. Nothing is released."""
        self._passes += 1
        ready = self._ready()
        # New rings are looked for when there is time, and before a record of the supervisor's is
        # read: it may speak of a worker whose ring was never seen.
        wanted = not ready or self._passes >= _LOOK_EVERY or ready[0].supervisor
        if wanted and self.refresh():
            ready = self._ready()
        return [span for tail in ready if (span := self._read(tail)) is not None]

    def _ready(self) -> list[_Tail]:
        """Those with something new. When a record of the supervisor's sweep is seen, all that the
        dead worker wrote before is seen as well: its ring is looked at later. And all are looked
        at before any is read."""
        return [tail for tail in self._ordered if self._look(tail)]

    def _look(self, tail: _Tail) -> bool:
        try:
            tail.ring.look()
        except ShmError as error:
            self._damaged(Path(tail.ring.path), str(error))
            return False
        return tail.position < tail.ring.head

    def _read(self, tail: _Tail) -> Span | None:
        ring = tail.ring
        try:
            records, end = ring.read(tail.position)
        except ShmError as error:
            self._skip(tail, str(error))
            return None
        if end == tail.position:
            return None
        return Span(tail.id, ring.slot, ring.lane, tail.position, end, records)

    def _skip(self, tail: _Tail, reason: str) -> None:
        """A damaged record: what stands between it and head cannot be told apart any more."""
        self._damaged(Path(tail.ring.path), reason)
        tail.position = tail.ring.head
        tail.release()

    def safe(self, spans: list[Span]) -> None:
        """The spans are stored or spilled: their room is free again."""
        ends = {span.ring: span.next for span in spans}
        for tail in self._ordered:
            end = ends.get(tail.id)
            if end is not None:
                tail.position = end
                tail.release()
        for tail in [tail for tail in self._leaving if not _waiting(tail)]:
            self._leaving.remove(tail)
            tail.ring.close()
            self._order()

    def lag(self) -> int:
        """Bytes in all rings that are not safe yet."""
        return sum(map(_waiting, self._ordered))

    def close(self) -> None:
        for tail in [*self._leaving, *self._tails.values()]:
            tail.ring.close()
        self._tails.clear()
        self._leaving.clear()
        self._ordered.clear()


def _waiting(tail: _Tail) -> int:
    try:
        return tail.ring.look()
    except ShmError:  # told by take(); there is nothing to wait for
        return 0
