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

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memset

from fastgw.native.bucket cimport fgw_bucket_restore
from fastgw.native.segment cimport fgw_segment_table
from fastgw.native.table cimport (
    FGW_CELL_PACE, FGW_CELL_WINDOW, FGW_TABLE_WAYS, fgw_cell, fgw_table, fgw_table_cell,
    fgw_table_insert, fgw_table_read)
from fastgw.native.window cimport fgw_window_read, fgw_window_restore
from fastgw.native.word cimport fgw_word_value
from fastgw.shm.segment cimport Segment

MAGIC = b"FGWSNAP2"
ROW = struct.Struct("<QQQQHB5x")
WORTH_NS = 60_000_000_000  # what heals within a minute is left to do so
WORTH_SHIFT = 36  # of a window's span: periods of 2^36 ns (69 s) and more
cdef uint64_t INSTANTS_END = <uint64_t>1 << 62  # beyond: no bucket, or a buried one

cdef struct Row:  # as ROW
    uint64_t key[2]
    uint64_t halves[2]
    uint16_t span
    uint8_t kind
    uint8_t zero[5]


def save(Segment segment not None, path, uint64_t now_ns, uint64_t wall_ns):
    """Writes the buckets that will not be full within WORTH_NS, and windows that are longer.
    Returns how many. OSError."""
    rows = _rows(segment, now_ns, wall_ns)
    content = MAGIC + b"".join(rows)
    fresh = Path(f"{path}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content + zlib.crc32(content).to_bytes(4, "little"))
        file.flush()
        os.fdatasync(file.fileno())
    os.replace(fresh, path)
    return len(rows)


cdef list _rows(Segment segment, uint64_t now_ns, uint64_t wall_ns):
    """No Python object but the rows that are worth it: a table may have a million."""
    cdef fgw_table table = fgw_segment_table(&segment.map)
    cdef uint64_t place, worth_ns = now_ns + WORTH_NS
    cdef int worth_shift = WORTH_SHIFT
    cdef Row row
    cdef fgw_cell *cell
    rows = []
    for place in range(<uint64_t>table.n_groups * FGW_TABLE_WAYS):
        memset(&row, 0, sizeof(row))
        if not fgw_table_read(&table, place, row.key, &row.kind, &row.span):
            continue
        cell = fgw_table_cell(&table, place)
        if row.kind >> 4 == FGW_CELL_PACE:
            row.halves[0] = fgw_word_value(&cell.word)
            if not worth_ns < row.halves[0] < INSTANTS_END:
                continue
            row.halves[0] += wall_ns - now_ns
            row.span = 0
        elif row.kind >> 4 == FGW_CELL_WINDOW and row.span >> 10 >= worth_shift:
            fgw_window_read(&cell.window, row.halves)
        else:
            continue
        rows.append((<char *>&row)[:sizeof(row)])
    return rows


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
