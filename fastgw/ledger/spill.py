"""The spill log: where spans go while the store cannot take them.

Files ``spill-<number>.log`` in the data directory, each a run of entries::

    | magic | crc | length | slot u16 | lane u16 | ring u64 | first u64 | next u64 | packed.. |
      u32     u32  |_ u32 __________________ crc32 is of all of this _______________________|

An entry counts once `append` returned: it is synced, and so is the file's name. At open each file
is cut after its last whole entry; where a whole one stands behind what is not (rot, no power cut),
the file as it was is kept beside it, all whole entries stay, and `lost` says so. Replaying twice
is harmless, since the store knows what it has.
"""

from __future__ import annotations

import errno
import os
import shutil
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastgw.ledger.fold import pack, unpack
from fastgw.ledger.span import Span

_MAGIC = 0x53574746  # "FGWS"
_ENTRY = struct.Struct("<IIIHHQQQ")
_FILE_MAX = 64 << 20
_GROUP_MAX = 4 << 20


class Spill:
    """The spill log of one data directory. Its methods raise OSError.

    One thread appends, another may replay.
    """

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir
        self._fd = -1
        self._lock = threading.Lock()
        files = sorted(data_dir.glob("spill-*.log"))
        self._next_number = 1 + max((_number(path) for path in files), default=0)
        self.ends: dict[int, int] = {}  # ring -> position up to which spans stand here
        self.lost: list[str] = []  # where entries of a file that was synced cannot be read
        self._files = [_File(path, self._recover(path)) for path in files]
        self._replayed = self._replaying = 0  # offset in the oldest file

    @property
    def empty(self) -> bool:
        """All that stands here was stored."""
        return not self._files or self.size() == 0

    def size(self) -> int:
        """Bytes that were not stored yet."""
        with self._lock:
            return sum(file.size for file in self._files) - self._replayed

    @property
    def on_disk(self) -> int:
        """Bytes that the files take."""
        with self._lock:
            return sum(file.size for file in self._files)

    def append(self, spans: list[Span]) -> None:
        """Write and sync. On failure nothing of it counts, and the file is not written again:
        after a failed sync nobody knows what the disk has."""
        entries = b"".join(map(_encode, spans))
        with self._lock:
            if self._fd < 0 or self._files[-1].size > _FILE_MAX:
                self._create()
            try:
                _write_all(self._fd, entries)
                os.fdatasync(self._fd)
            except OSError:
                self._abandon()
                raise
            self._files[-1].size += len(entries)
            for span in spans:
                self.ends[span.ring] = max(span.next, self.ends.get(span.ring, 0))

    def pending(self) -> list[Span]:
        """The next spans to be stored, oldest first; empty: all were."""
        while True:
            with self._lock:
                if not self._files:
                    return []
                oldest, alone = self._files[0], len(self._files) == 1
                size, offset = oldest.size, self._replayed
            if offset < size:
                spans, self._replaying = _read_group(oldest.path, offset, size)
                if spans:
                    return spans
                raise OSError(errno.EIO, f"{oldest.path.name} cannot be read at {offset}")
            if alone:
                return []
            self._drop_oldest()

    def stored(self) -> None:
        """What `pending` gave last is in the store."""
        with self._lock:
            self._replayed = self._replaying

    def clear(self) -> None:
        """Delete the files, if all is in the store."""
        with self._lock:
            if sum(file.size for file in self._files) > self._replayed:
                return
            self._close()
            for file in self._files:
                file.path.unlink(missing_ok=True)
            self._files = []
            self._replayed = 0
            self.ends.clear()
        _sync_dir(self._dir)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _drop_oldest(self) -> None:
        with self._lock:
            oldest = self._files.pop(0)
            self._replayed = 0
        oldest.path.unlink(missing_ok=True)

    def _create(self) -> None:
        self._close()
        path = self._dir / f"spill-{self._next_number:08d}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        self._next_number += 1
        self._files.append(_File(path, 0))
        _sync_dir(self._dir)

    def _abandon(self) -> None:
        """Cut off what was not synced, as far as the disk lets us; the CRC guards the rest."""
        newest = self._files[-1]
        try:
            os.ftruncate(self._fd, newest.size)
            if newest.size == 0:
                newest.path.unlink(missing_ok=True)
                self._files.pop()
        except OSError:
            pass
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _recover(self, path: Path) -> int:
        """Cut a file after its last whole entry; returns where that ends."""
        offset, size = 0, path.stat().st_size
        while True:
            spans, after = _read_group(path, offset, size)
            if not spans:
                break
            for span in spans:
                self.ends[span.ring] = max(span.next, self.ends.get(span.ring, 0))
            offset = after
        if offset < size and (behind := _whole_behind(path, offset)):
            return self._salvage(path, offset, behind)
        if offset < size:
            os.truncate(path, offset)
        return offset

    def _salvage(self, path: Path, good: int, behind: list[tuple[int, int]]) -> int:
        """Keep the file for people, and what can be read of it for the store."""
        kept = path.with_name(f"damaged-{time.time_ns()}-{path.name}")
        try:
            os.link(path, kept)
        except OSError:  # not every file system has them
            shutil.copyfile(path, kept)
        raw = path.read_bytes()
        whole = raw[:good] + b"".join(raw[start:end] for start, end in behind)
        temporary = path.with_suffix(".new")
        with open(temporary, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(whole)
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_dir(self._dir)
        self.lost.append(f"{kept.name}: {len(raw) - len(whole)} bytes at {good} cannot be read")
        for start, _ in behind:
            _, _, _, _, _, ring, _, end = _ENTRY.unpack_from(raw, start)
            self.ends[ring] = max(end, self.ends.get(ring, 0))
        return len(whole)


def waiting(data_dir: Path, acked: dict[int, int]) -> Iterator[Span]:
    """What stands in a spill log and is not in the store, for readers: a recorder may append
    meanwhile, and a file that goes was stored. ``acked``: by ring, as `Store.acked`."""
    for path in sorted(data_dir.glob("spill-*.log")):
        try:
            for span, _ in _entries(path, 0, path.stat().st_size):
                fresh = span.after(acked.get(span.ring, 0))
                if fresh is not None:
                    yield fresh
        except FileNotFoundError:
            continue


@dataclass(slots=True)
class _File:
    path: Path
    size: int  # of what is synced


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("spill-")
    return int(digits) if digits.isdigit() else 0


def _encode(span: Span) -> bytes:
    records = span.packed = pack(span.records)
    entry = _ENTRY.pack(
        _MAGIC, 0, len(records), span.slot, span.lane, span.ring, span.first, span.next
    )
    rest = entry[8:] + records
    return struct.pack("<II", _MAGIC, zlib.crc32(rest)) + rest


def _entries(path: Path, offset: int, size: int) -> Iterator[tuple[Span, int]]:
    with open(path, "rb") as file:
        file.seek(offset)
        while offset < size:
            first = file.read(_ENTRY.size)
            if len(first) < _ENTRY.size:
                return
            magic, crc, length, slot, lane, ring, start, end = _ENTRY.unpack(first)
            if magic != _MAGIC:
                return
            records = file.read(length)
            if len(records) < length or zlib.crc32(records, zlib.crc32(first[8:])) != crc:
                return
            offset += _ENTRY.size + length
            yield Span(ring, slot, lane, start, end, unpack(records), records), offset


def _whole_behind(path: Path, offset: int) -> list[tuple[int, int]]:
    """[start, end) of each whole entry behind an offset where none begins."""
    raw, magic, found = path.read_bytes(), struct.pack("<I", _MAGIC), []
    start = raw.find(magic, offset + 1)
    while start >= 0:
        end = _whole_at(raw, start)
        if end:
            found.append((start, end))
        start = raw.find(magic, end or start + 1)
    return found


def _whole_at(raw: bytes, start: int) -> int:
    """Where the entry at ``start`` ends; 0: there is none."""
    if len(raw) - start < _ENTRY.size:
        return 0
    _, crc, length, *_ = _ENTRY.unpack_from(raw, start)
    end = start + _ENTRY.size + length
    return end if end <= len(raw) and zlib.crc32(raw[start + 8 : end]) == crc else 0


def _read_group(path: Path, offset: int, end: int) -> tuple[list[Span], int]:
    spans: list[Span] = []
    size = 0
    for span, after in _entries(path, offset, end):
        spans.append(span)
        offset = after
        size += len(span.records)
        if size >= _GROUP_MAX:
            break
    return spans, offset


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _sync_dir(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
