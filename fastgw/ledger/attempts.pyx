"""Rows of attempts, as Postgres copies them: a CLOSE is one row, in COPY's binary form."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stddef cimport size_t

from fastgw.native.record cimport (
    FGW_CLOSE_BYTES_2, FGW_RECORD_CLOSE, fgw_close_units, fgw_record, fgw_record_close, fgw_units,
)

cdef enum:
    COLUMNS = 53
    FIELD = 4 + 8       # its length, its bytes
    ROW_MAX = 2 + COLUMNS * FIELD

# In the order of the fields below; each is a BIGINT.
NAMES = (
    "generation", "worker", "sequence", "attempt", "batch", "wall_ns", "started_ns",
    "account", "model", "provider", "upstream_model", "user",
    "label0", "label1", "label2", "label3", "dialect", "operation", "stream",
    "fate", "status", "code", "provenance", "input_provenance", "output_provenance", "final",
    "input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning",
    "audio_input", "audio_output", "input_low", "input_high", "output_low", "output_high",
    "cost_nano_usd", "price_version", "events", "bytes_in", "bytes_out", "overrun_nano_usd",
    "service_tier", "image_input", "image_output", "images", "audio_ms", "characters", "searches",
    "input_basis", "output_basis",
)
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


def attempt_rows(bytes records not None, int64_t first, int64_t batch):
    """The rows of a batch, without header and trailer. ``first``: added to generations.

    Raises ValueError: not whole records.
    """
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(records)
    cdef size_t length = len(records)
    cdef size_t at = 0
    cdef size_t rows = 0
    cdef const fgw_record *record
    while at < length:
        record = <const fgw_record *>(source + at)
        if length - at < sizeof(fgw_record) or record.size < sizeof(fgw_record):
            raise ValueError("not whole records")
        rows += record.kind == FGW_RECORD_CLOSE
        at += record.size
    cdef bytes out = PyBytes_FromStringAndSize(NULL, rows * ROW_MAX)
    cdef uint8_t *to = <uint8_t *>PyBytes_AS_STRING(out)
    cdef uint8_t *begin = to
    at = 0
    while at < length:
        record = <const fgw_record *>(source + at)
        if record.kind == FGW_RECORD_CLOSE:
            to = put_row(to, <const fgw_record_close *>record, first, batch)
        at += record.size
    return out[:to - begin]


cdef inline uint8_t *put(uint8_t *to, uint64_t number) noexcept nogil:
    """A field of 8 bytes, the highest first."""
    cdef int shift = 56
    to[0] = to[1] = to[2] = 0
    to[3] = 8
    to += 4
    while shift >= 0:
        to[0] = <uint8_t>(number >> shift)
        to += 1
        shift -= 8
    return to


cdef inline uint8_t *put_known(uint8_t *to, bint known, uint64_t number) noexcept nogil:
    """NULL where it is not known."""
    if known:
        return put(to, number)
    to[0] = to[1] = to[2] = to[3] = 0xff
    return to + 4


cdef uint8_t *put_row(uint8_t *to, const fgw_record_close *one, int64_t first,
                      int64_t batch) noexcept nogil:
    # What an older build wrote ends before its overrun in money.
    cdef bint whole = one.head.size >= FGW_CLOSE_BYTES_2
    cdef int label
    to[0] = 0
    to[1] = COLUMNS
    to = put(to + 2, <uint64_t>first + one.head.id.generation)
    to = put(to, one.head.id.worker)
    to = put(to, one.head.id.sequence)
    to = put(to, one.attempt)
    to = put(to, <uint64_t>batch)
    to = put(to, one.head.wall_ns)
    to = put(to, one.started_ns)
    to = put(to, one.dims.account)
    to = put(to, one.dims.model)
    to = put(to, one.dims.provider)
    to = put(to, one.dims.upstream_model)
    to = put(to, one.dims.user)
    for label in range(4):
        to = put(to, one.dims.label[label])
    to = put(to, one.dims.dialect)
    to = put(to, one.dims.operation)
    to = put(to, one.dims.stream)
    to = put(to, one.fate)
    to = put(to, one.status)
    to = put(to, one.code)
    to = put(to, one.provenance)
    to = put(to, one.input_provenance)
    to = put(to, one.output_provenance)
    to = put(to, one.final)
    return put_amounts(to, one, whole)


cdef uint8_t *put_amounts(uint8_t *to, const fgw_record_close *one, bint whole) noexcept nogil:
    cdef fgw_units units
    to = put(to, one.tokens.input)
    to = put(to, one.tokens.cached_input)
    to = put(to, one.tokens.cache_write)
    to = put(to, one.tokens.cache_write_1h)
    to = put(to, one.tokens.output)
    to = put(to, one.tokens.reasoning)
    to = put(to, one.tokens.audio_input)
    to = put(to, one.tokens.audio_output)
    to = put(to, one.input_low)
    to = put(to, one.input_high)
    to = put(to, one.output_low)
    to = put_known(to, one.output_high != <uint64_t>-1, one.output_high)
    to = put_known(to, one.cost_nano_usd >= 0, <uint64_t>one.cost_nano_usd)
    to = put(to, one.price_version)
    to = put(to, one.events)
    to = put(to, one.bytes_in)
    to = put(to, one.bytes_out)
    to = put(to, one.overrun_nano_usd if whole else 0)
    fgw_close_units(one, &units)
    to = put(to, one.dims.tier)
    to = put(to, units.image_input)
    to = put(to, units.image_output)
    to = put(to, units.images)
    to = put(to, units.audio_ms)
    to = put(to, units.characters)
    to = put(to, units.searches)
    to = put(to, one.input_basis)
    return put(to, one.output_basis)
