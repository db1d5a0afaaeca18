"""The chunked coding as tests and cold code see it; the hot path uses fgw_chunk itself."""

import cython
from libc.stdint cimport int32_t, uint32_t

from fastgw.native.chunk cimport (
    FGW_CHUNK_DATA,
    FGW_CHUNK_REFRAME_EXTRA,
    fgw_chunk,
    fgw_chunk_at_boundary,
    fgw_chunk_begin,
    fgw_chunk_mark,
    fgw_chunk_next,
    fgw_chunk_reframe,
)
from fastgw.native.http1 cimport fgw_span

ERRORS = (None, "size", "overflow", "extension", "line end", "trailer", "too large")


@cython.final
cdef class Chunks:
    """A decoder for one body."""

    cdef:
        fgw_chunk chunk
        fgw_chunk marked

    def __cinit__(self):
        fgw_chunk_begin(&self.chunk)

    def feed(self, bytes read not None):
        """(verdict, pieces of data, bytes consumed); verdict: 0 end, -1 invalid, -2 more."""
        cdef uint32_t pos = 0
        cdef fgw_span span
        cdef int32_t got
        pieces = []
        fgw_chunk_mark(&self.chunk, 0)
        self.marked = self.chunk
        while True:
            got = fgw_chunk_next(&self.chunk, read, <uint32_t>len(read), &pos, &span)
            if got != FGW_CHUNK_DATA:
                return got, pieces, pos
            pieces.append(read[span.off : span.off + span.len])

    def relay(self, bytes read not None):
        """(verdict, bytes consumed, what a relay sends on for this read).

        Whole plain chunks leave as they came, the rest is framed anew.
        """
        got, _, used = self.feed(read)
        if got == -1:
            return got, used, b""
        cdef fgw_chunk at = self.marked
        cdef bytes before = _reframe(&at, read, 0, self.chunk.plain_from)
        cdef bytes plain = read[self.chunk.plain_from : self.chunk.plain_to]
        cdef bytes behind = _reframe(&at, read, self.chunk.plain_to, used)
        return got, used, before + plain + behind

    @property
    def plain(self):
        """(from, to): the run of whole plain chunks in the last read."""
        return self.chunk.plain_from, self.chunk.plain_to

    @property
    def at_boundary(self):
        return bool(fgw_chunk_at_boundary(&self.chunk))

    @property
    def total(self):
        return self.chunk.total

    @property
    def error(self):
        return ERRORS[self.chunk.error]


cdef bytes _reframe(fgw_chunk *chunk, bytes read, uint32_t start, uint32_t to):
    cdef uint32_t cap = to - start + FGW_CHUNK_REFRAME_EXTRA
    cdef bytearray out = bytearray(cap)
    cdef int32_t put = fgw_chunk_reframe(chunk, out, cap, read, start, to)
    if put < 0:
        raise ValueError("the bound of fgw_chunk_reframe does not hold")
    return bytes(out[:put])
