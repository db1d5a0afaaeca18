"""Buckets and windows over a boot: shared memory is gone then, but a day's quota must not be new.

`save` is called every few seconds, `load` once, into a segment that was not kept. Instants of
CLOCK_BOOTTIME mean nothing in another boot, so the file has wall-clock time. Only what needs long
to heal is worth a line; slots and caps are not here (nobody runs after a boot; caps are rebuilt
from the ledger).

    | "FGWSNAP2" | rows | CRC-32 (4) |
    row: | identity (16) | bucket: full at, wall-clock ns (8), 0 (8); window: its halves (16)
         | span (2) | kind << 4 | unit (1) | 0 (5) |
"""

import os
import struct
import zlib
from pathlib import Path

from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.bucket cimport fgw_bucket_restore
from fastgw.native.segment cimport fgw_segment_table
from fastgw.native.table cimport (
    FGW_CELL_PACE, FGW_CELL_WINDOW, fgw_cell, fgw_table, fgw_table_cell, fgw_table_insert)
from fastgw.native.window cimport fgw_window_restore
from fastgw.shm.segment cimport Segment

from fastgw.limit.peek import entries

MAGIC = b"FGWSNAP2"
ROW = struct.Struct("<QQQQHB5x")
WORTH_NS = 60_000_000_000  # what heals within a minute is left to do so
WORTH_SHIFT = 36  # of a window's span: periods of 2^36 ns (69 s) and more


def save(Segment segment not None, path, uint64_t now_ns, uint64_t wall_ns):
    """Writes the buckets that will not be full within WORTH_NS, and windows that are longer.
    Returns how many. OSError."""
    rows = []
    for entry in entries(segment):
        if entry.kind == "pace" and now_ns + WORTH_NS < entry.raw < 1 << 62:
            rows.append(ROW.pack(*entry.identity, wall_ns + entry.raw - now_ns, 0, 0,
                                 FGW_CELL_PACE << 4 | entry.unit))
        elif entry.kind == "window" and entry.span >> 10 >= WORTH_SHIFT:
            rows.append(ROW.pack(*entry.identity, entry.raw, entry.other, entry.span,
                                 FGW_CELL_WINDOW << 4 | entry.unit))
    content = MAGIC + b"".join(rows)
    fresh = Path(f"{path}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content + zlib.crc32(content).to_bytes(4, "little"))
        file.flush()
        os.fdatasync(file.fileno())
    os.replace(fresh, path)
    return len(rows)


def load(Segment segment not None, path, uint64_t now_ns, uint64_t wall_ns):
    """Restores what `save` wrote, less what has healed since. Returns how many cells, 0 also if
    there is no such file. ValueError if it is damaged: then nothing is restored."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t key[2]
    cdef uint64_t halves[2]
    cdef uint8_t kind
    cdef int inserted
    cdef fgw_cell *cell
    segment._check_writable()
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        return 0
    end = max(len(raw) - 4, 0)
    content, rows = raw[:end], raw[len(MAGIC):end]
    if (raw[:len(MAGIC)] != MAGIC or len(rows) % ROW.size
            or zlib.crc32(content).to_bytes(4, "little") != raw[end:]):
        raise ValueError(f"{path}: not a whole snapshot of limits")
    restored = 0
    for low, high, first, second, span, kind in ROW.iter_unpack(rows):
        if kind >> 4 == FGW_CELL_PACE and first <= wall_ns:
            continue
        key[0], key[1] = low, high
        halves[0], halves[1] = first, second
        cell = fgw_table_cell(
            &table, <uint64_t>fgw_table_insert(&table, key, kind, span, &inserted))
        if cell == NULL:
            continue
        if kind >> 4 == FGW_CELL_PACE:
            fgw_bucket_restore(&cell.bucket, now_ns + halves[0] - wall_ns)
        else:
            fgw_window_restore(&cell.window, halves)
        restored += 1
    return restored
