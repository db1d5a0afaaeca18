"""Buckets over a boot: shared memory is gone then, but a day's quota must not be new.

`save` is called every few seconds, `load` once, into a segment that was not kept. Instants of
CLOCK_BOOTTIME mean nothing in another boot, so the file has wall-clock time. Only buckets that
need long to heal are worth a line; slots and caps are not here (nobody runs after a boot; caps are
rebuilt from the ledger).

    | "FGWSNAP1" | rows: identity (16), full at, wall-clock ns (8), unit (1), 0 (7) | CRC-32 (4) |
"""

import os
import struct
import zlib
from pathlib import Path

from libc.stdint cimport uint64_t

from fastgw.native.bucket cimport fgw_bucket_restore
from fastgw.native.segment cimport fgw_segment_table
from fastgw.native.table cimport (
    FGW_CELL_PACE, fgw_cell, fgw_table, fgw_table_cell, fgw_table_insert)
from fastgw.shm.segment cimport Segment

from fastgw.limit.peek import entries

MAGIC = b"FGWSNAP1"
ROW = struct.Struct("<QQQB7x")
WORTH_NS = 60_000_000_000  # what heals within a minute is left to do so


def save(Segment segment not None, path, uint64_t now_ns, uint64_t wall_ns):
    """Writes the buckets that will not be full within WORTH_NS. Returns how many. OSError."""
    rows = [ROW.pack(*entry.identity, wall_ns + entry.raw - now_ns, entry.unit)
            for entry in entries(segment)
            if entry.kind == "pace" and now_ns + WORTH_NS < entry.raw < 1 << 62]
    content = MAGIC + b"".join(rows)
    fresh = Path(f"{path}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content + zlib.crc32(content).to_bytes(4, "little"))
        file.flush()
        os.fdatasync(file.fileno())
    os.replace(fresh, path)
    return len(rows)


def load(Segment segment not None, path, uint64_t now_ns, uint64_t wall_ns):
    """Restores what `save` wrote, less what has healed since. Returns how many buckets, 0 also if
    there is no such file. ValueError if it is damaged: then nothing is restored."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t key[2]
    cdef int inserted
    cdef fgw_cell *cell
    segment._check_writable()
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        return 0
    content, rows = raw[:-4], raw[len(MAGIC):-4]
    if (raw[:len(MAGIC)] != MAGIC or len(rows) % ROW.size
            or zlib.crc32(content).to_bytes(4, "little") != raw[-4:]):
        raise ValueError(f"{path}: not a whole snapshot of limits")
    restored = 0
    for low, high, full_wall_ns, unit in ROW.iter_unpack(rows):
        if full_wall_ns <= wall_ns:
            continue
        key[0], key[1] = low, high
        cell = fgw_table_cell(&table, <uint64_t>fgw_table_insert(
            &table, key, FGW_CELL_PACE << 4 | unit & 15, &inserted))
        if cell != NULL:
            fgw_bucket_restore(&cell.bucket, now_ns + full_wall_ns - wall_ns)
            restored += 1
    return restored
