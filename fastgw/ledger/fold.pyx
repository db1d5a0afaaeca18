"""What one pass of the recorder comes to: sums, open attempts, pages, names
(csrc/fgw_rollup.h)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from fastgw.native.pack cimport FGW_PACK_ROOM, fgw_pack, fgw_unpack, fgw_unpacked_size
from fastgw.native.record cimport (
    FGW_NAME_FINDING, FGW_NAME_NOTE, FGW_NAME_QUOTE, FGW_NAME_REQUEST, FGW_RECORD_CLOSE,
    FGW_RECORD_HELD,
    FGW_RECORD_NAME,
    FGW_RECORD_OPEN, fgw_dims, fgw_record, fgw_record_name, fgw_request_id,
)
from fastgw.native.rollup cimport (
    FGW_ATTEMPT_CLOSED, FGW_ATTEMPT_OPENED, fgw_attempt, fgw_attempts, fgw_attempts_find,
    fgw_attempts_note, fgw_page, fgw_rollup, fgw_rollups, fgw_rollups_add, fgw_tally,
    fgw_attempts_reseat, fgw_rollups_reseat, fgw_tally_add,
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
    """Counts of one span, its pages {(generation, worker, page)} and names [(space, h0, h1,
    text)]."""
    cdef:
        readonly uint64_t records, requests, denied, opens, closes, counted
        readonly uint64_t wall_first, wall_last
        readonly set pages
        readonly list names


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

    def add(self, bytes records not None):
        """Sum up one span of whole records; returns its Tally."""
        cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(records)
        cdef size_t length = len(records)
        cdef Tally tally = tally_of(records)
        cdef uint64_t place = <uint64_t>len(self._spans) << PLACE_BITS
        cdef size_t at = 0
        cdef const fgw_record *record
        cdef int failed
        self._spans.append(records)
        while at < length:
            record = <const fgw_record *>(source + at)
            failed = fgw_rollups_add(&self._rollups, record)
            if failed == 0 and (record.kind == FGW_RECORD_OPEN or record.kind == FGW_RECORD_CLOSE):
                failed = fgw_attempts_note(&self._attempts, record, place + at)
                if failed == -2:
                    self._grow_attempts(2 * self._attempts.rows_max)
                    fgw_attempts_note(&self._attempts, record, place + at)
                failed = 0
            if failed == -2:
                self._grow_rollups(2 * self._rollups.rows_max)
                continue
            if record.kind == FGW_RECORD_NAME:
                add_name(tally.names, <const fgw_record_name *>record)
            elif record.kind == FGW_RECORD_HELD:
                held = Held.unpack((<const char *>record)[:record.size])
                id = held.id
                self._held[id.generation, id.worker, id.sequence, held.attempt] = held
            at += record.size
        return tally

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


cdef int add_name(list names, const fgw_record_name *name) except -1:
    # What belongs to one request stays in the batch, beside it.
    if (name.space == FGW_NAME_REQUEST or name.space == FGW_NAME_NOTE
            or name.space == FGW_NAME_FINDING or name.space == FGW_NAME_QUOTE):
        return 0
    text = (<const char *>name.text)[:name.length]
    names.append((name.space, <int64_t>name.hash[0], <int64_t>name.hash[1], text))
    return 0


cpdef Tally tally_of(bytes records):
    """Counts and pages of a span, without names. Raises ValueError: not whole records."""
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(records)
    cdef size_t length = len(records)
    cdef size_t room = length // sizeof(fgw_record) + 1
    cdef fgw_page *pages = <fgw_page *>malloc(room * sizeof(fgw_page))
    cdef fgw_tally counts
    cdef int64_t used
    cdef Tally tally = Tally()
    if pages == NULL:
        raise MemoryError()
    memset(&counts, 0, sizeof(counts))
    try:
        with nogil:
            used = fgw_tally_add(&counts, source, length, pages, room)
        if used < 0:
            raise ValueError("not whole records")
        tally.pages = {
            (pages[index].generation, pages[index].worker, pages[index].page)
            for index in range(used)
        }
    finally:
        free(pages)
    tally.names = []
    tally.records = counts.records
    tally.requests = counts.requests
    tally.denied = counts.denied
    tally.opens = counts.opens
    tally.closes = counts.closes
    tally.counted = counts.counted
    tally.wall_first = counts.wall_first
    tally.wall_last = counts.wall_last
    return tally
