"""What one pass of the recorder comes to: sums, open attempts, pages, names
(csrc/fgw_rollup.h)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from fastgw.native.fold cimport (
    FGW_FOLD_ATTEMPTS, FGW_FOLD_BROKEN, FGW_FOLD_END, FGW_FOLD_ROLLUPS, FGW_FOLD_SEEN, fgw_fold,
    fgw_fold_begin, fgw_fold_run,
)
from fastgw.native.pack cimport FGW_PACK_ROOM, fgw_pack, fgw_unpack, fgw_unpacked_size
from fastgw.native.record cimport (
    FGW_RECORD_NAME, fgw_dims, fgw_record, fgw_record_name, fgw_request_id,
)
from fastgw.native.rollup cimport (
    FGW_ATTEMPT_CLOSED, FGW_ATTEMPT_OPENED, fgw_attempt, fgw_attempts, fgw_attempts_find,
    fgw_attempts_reseat, fgw_page, fgw_pages, fgw_rollup, fgw_rollups, fgw_rollups_reseat,
    fgw_tally, fgw_tally_add,
)

from fastgw.errors import LedgerError
from fastgw.ledger.records import Held, Open

cdef enum:
    ROWS_START = 1024
    # An OPEN's place: which span of the pass, and where in it.
    PLACE_BITS = 40


def pack(bytes records not None):
    """Whole records made small for the store (csrc/fgw_pack.h)."""
    cdef size_t length = len(records)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, FGW_PACK_ROOM(length))
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(records)
    cdef uint8_t *target = <uint8_t *>PyBytes_AS_STRING(out)
    cdef int64_t written
    with nogil:
        written = fgw_pack(source, length, target)
    if written < 0:
        raise ValueError("not whole records")
    return out[:written]


def unpack(bytes packed not None):
    """The records that `pack` was given. Raises LedgerError where ``packed`` is damaged."""
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(packed)
    cdef size_t length = len(packed)
    cdef int64_t size = fgw_unpacked_size(source, length)
    if size < 0:
        raise LedgerError("a batch in the ledger is damaged")
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    if fgw_unpack(source, length, <uint8_t *>PyBytes_AS_STRING(out), size) != size:
        raise LedgerError("a batch in the ledger is damaged")
    return out


@cython.final
cdef class Tally:
    """Counts of one span, its pages {(generation, worker, page)}, names [(space, h0, h1, text)],
    and the records as `pack` has them, where that was asked for."""
    cdef:
        readonly uint64_t records, requests, denied, opens, closes, counted, capped
        readonly uint64_t wall_first, wall_last
        readonly set pages
        readonly list names
        readonly bytes packed


@cython.final
cdef class Fold:
    """Sums over the spans given to `add`, until `clear`."""
    cdef:
        fgw_rollups _rollups
        fgw_attempts _attempts
        list _spans
        dict _held      # (generation, worker, sequence, attempt): its last HELD

    def __cinit__(self):
        self._spans = []
        self._held = {}
        self._grow_rollups(ROWS_START)
        self._grow_attempts(ROWS_START)

    def __dealloc__(self):
        free(self._rollups.rows)
        free(self._rollups.slots)
        free(self._attempts.rows)
        free(self._attempts.slots)

    cdef int _grow_rollups(self, uint32_t rows) except -1:
        cdef void *moved = realloc(self._rollups.rows, rows * sizeof(fgw_rollup))
        cdef void *slots = calloc(2 * rows, sizeof(uint32_t))
        if moved != NULL:
            self._rollups.rows = <fgw_rollup *>moved
        if moved == NULL or slots == NULL:
            free(slots)
            raise MemoryError()
        free(self._rollups.slots)
        self._rollups.slots = <uint32_t *>slots
        self._rollups.slots_count = 2 * rows
        self._rollups.rows_max = rows
        fgw_rollups_reseat(&self._rollups)
        return 0

    cdef int _grow_attempts(self, uint32_t rows) except -1:
        cdef void *moved = realloc(self._attempts.rows, rows * sizeof(fgw_attempt))
        cdef void *slots = calloc(2 * rows, sizeof(uint32_t))
        if moved != NULL:
            self._attempts.rows = <fgw_attempt *>moved
        if moved == NULL or slots == NULL:
            free(slots)
            raise MemoryError()
        free(self._attempts.slots)
        self._attempts.slots = <uint32_t *>slots
        self._attempts.slots_count = 2 * rows
        self._attempts.rows_max = rows
        fgw_attempts_reseat(&self._attempts)
        return 0

    def clear(self):
        """Forget all sums; keep the room."""
        self._spans.clear()
        self._held.clear()
        memset(self._rollups.slots, 0, self._rollups.slots_count * sizeof(uint32_t))
        memset(self._attempts.slots, 0, self._attempts.slots_count * sizeof(uint32_t))
        self._rollups.used = self._rollups.last = 0
        self._attempts.used = 0

    def add(self, bytes records not None, *, bint packed=False):
        """Sum up one span of whole records; returns its Tally, with them ``packed`` if so."""
        cdef size_t length = len(records)
        cdef fgw_fold walk
        cdef bytes out = None
        cdef list names = []
        cdef Tally tally
        cdef size_t seen = 0
        cdef int stop = FGW_FOLD_SEEN
        walk.records = <const uint8_t *>PyBytes_AS_STRING(records)
        walk.length = length
        walk.place = <uint64_t>len(self._spans) << PLACE_BITS
        walk.out = NULL
        if packed:
            out = PyBytes_FromStringAndSize(NULL, FGW_PACK_ROOM(length))
            walk.out = <uint8_t *>PyBytes_AS_STRING(out)
        begin_pages(&walk.pages, length)
        try:
            self._spans.append(records)
            fgw_fold_begin(&walk)
            while stop != FGW_FOLD_END:
                with nogil:
                    stop = fgw_fold_run(&walk, &self._rollups, &self._attempts, &seen)
                if stop == FGW_FOLD_BROKEN:
                    raise ValueError("not whole records")
                if stop == FGW_FOLD_ROLLUPS:
                    self._grow_rollups(2 * self._rollups.rows_max)
                elif stop == FGW_FOLD_ATTEMPTS:
                    self._grow_attempts(2 * self._attempts.rows_max)
                elif stop == FGW_FOLD_SEEN:
                    self._see(names, <const fgw_record *>(walk.records + seen))
            tally = told(&walk.tally, &walk.pages, names, out[:walk.written] if packed else b"")
            tally.capped = walk.capped
            return tally
        finally:
            free(walk.pages.pages)

    cdef int _see(self, list names, const fgw_record *record) except -1:
        cdef const fgw_record_name *name = <const fgw_record_name *>record
        if record.kind == FGW_RECORD_NAME:
            text = (<const char *>name.text)[:name.length]
            names.append((name.space, <int64_t>name.hash[0], <int64_t>name.hash[1], text))
        else:
            held = Held.unpack((<const char *>record)[:record.size])
            id = held.id
            self._held[id.generation, id.worker, id.sequence, held.attempt] = held
        return 0

    def held(self):
        """[((generation, worker, sequence, attempt), Held)]: attempts whose OPEN says less."""
        return list(self._held.items())

    def as_held(self, key, bytes opened):
        """The OPEN of attempt ``key``, with what a HELD of this pass says of it."""
        held = self._held.get(key)
        return opened if held is None else held.upon(Open.unpack(opened)).pack()

    def find(self, uint32_t generation, uint16_t worker, uint64_t sequence, uint8_t attempt):
        """What this pass knows of an attempt: (its OPEN or None, closed?), or None."""
        cdef fgw_request_id id
        id.generation = generation
        id.worker = worker
        id.sequence = sequence
        cdef const fgw_attempt *row = fgw_attempts_find(&self._attempts, &id, attempt)
        if row == NULL:
            return None
        opened = self._opened(row) if row.state & FGW_ATTEMPT_OPENED else None
        return opened, bool(row.state & FGW_ATTEMPT_CLOSED)

    cdef bytes _opened(self, const fgw_attempt *row):
        cdef bytes span = self._spans[row.offset >> PLACE_BITS]
        cdef size_t at = row.offset & ((<uint64_t>1 << PLACE_BITS) - 1)
        cdef const char *source = PyBytes_AS_STRING(span) + at
        opened = source[: (<const fgw_record *>source).size]
        if not self._held:
            return opened
        return self.as_held(
            (row.id.generation, row.id.worker, row.id.sequence, row.attempt), opened
        )

    def attempts(self):
        """(opened and still open: [(generation, worker, sequence, attempt, OPEN)], closed here but
        opened earlier: [(generation, worker, sequence, attempt)])."""
        cdef list opened = []
        cdef list closed = []
        cdef uint32_t index
        cdef const fgw_attempt *row
        for index in range(self._attempts.used):
            row = &self._attempts.rows[index]
            key = (row.id.generation, row.id.worker, <int64_t>row.id.sequence, row.attempt)
            if row.state == FGW_ATTEMPT_OPENED:
                opened.append((*key, self._opened(row)))
            elif row.state == FGW_ATTEMPT_CLOSED:
                closed.append(key)
        return opened, closed

    def rollups(self):
        """[(dims as 80 bytes, minute, requests, denied, attempts, 8 token classes, input_low,
        input_high, output_low, output_high, unbounded, cost_nano_usd, cost_unknown, 6 units)]."""
        cdef list rows = []
        cdef uint32_t index
        cdef const fgw_rollup *row
        for index in range(self._rollups.used):
            row = &self._rollups.rows[index]
            rows.append((
                PyBytes_FromStringAndSize(<const char *>&row.dims, sizeof(fgw_dims)),
                row.minute, row.requests, row.denied, row.attempts,
                row.tokens.input, row.tokens.cached_input, row.tokens.cache_write,
                row.tokens.cache_write_1h, row.tokens.output, row.tokens.reasoning,
                row.tokens.audio_input, row.tokens.audio_output,
                row.input_low, row.input_high, row.output_low, row.output_high,
                row.unbounded, row.cost_nano_usd, row.cost_unknown,
                row.units.image_input, row.units.image_output, row.units.images,
                row.units.audio_ms, row.units.characters, row.units.searches,
            ))
        return rows


cdef int begin_pages(fgw_pages *pages, size_t length) except -1:
    """Room for a page a record."""
    memset(pages, 0, sizeof(fgw_pages))
    pages.max = length // sizeof(fgw_record) + 1
    pages.pages = <fgw_page *>malloc(pages.max * sizeof(fgw_page))
    if pages.pages == NULL:
        raise MemoryError()
    return 0


cdef Tally told(const fgw_tally *counts, const fgw_pages *pages, list names, bytes packed):
    cdef Tally tally = Tally()
    cdef size_t index
    tally.pages = {
        (pages.pages[index].generation, pages.pages[index].worker, pages.pages[index].page)
        for index in range(pages.used)
    }
    tally.names = names
    tally.packed = packed
    tally.records = counts.records
    tally.requests = counts.requests
    tally.denied = counts.denied
    tally.opens = counts.opens
    tally.closes = counts.closes
    tally.counted = counts.counted
    tally.wall_first = counts.wall_first
    tally.wall_last = counts.wall_last
    return tally


def tally_of(bytes records not None):
    """Counts and pages of a span, without names. Raises ValueError: not whole records."""
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(records)
    cdef size_t length = len(records)
    cdef fgw_tally counts
    cdef fgw_pages pages
    cdef int failed
    begin_pages(&pages, length)
    memset(&counts, 0, sizeof(counts))
    try:
        with nogil:
            failed = fgw_tally_add(&counts, source, length, &pages)
        if failed:
            raise ValueError("not whole records")
        return told(&counts, &pages, [], b"")
    finally:
        free(pages.pages)
