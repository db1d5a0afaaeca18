"""Phase STREAM: pieces of one answer on their way into one system call."""

cimport cython
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from fastgw.native.http1 cimport fgw_http1_put_chunk_size


@cython.final
cdef class Batch:
    """One per worker: it is empty again before the callback that filled it returns."""

    def __cinit__(self):
        self.head = <uint8_t *>malloc(BATCH_HEAD_BYTES)
        if self.head == NULL:
            raise MemoryError()
        self.open_chunk = -1
        self.keep = []

    def __dealloc__(self):
        free(self.head)

    cdef void push(self, const uint8_t *bytes, size_t length) noexcept:
        if length:
            self.pieces[self.count].iov_base = <void *>bytes
            self.pieces[self.count].iov_len = length
            self.count += 1

    cdef void push_chunked(self, const uint8_t *bytes, size_t length) noexcept:
        """Add to the chunk that is open in this batch; its size line is written when it closes."""
        if not length:
            return
        if self.open_chunk < 0:
            self.open_chunk = self.count
            self.open_bytes = 0
            self.count += 1
        self.open_bytes += length
        self.push(bytes, length)

    cdef void close_chunk(self) noexcept:
        cdef uint8_t *line
        if self.open_chunk < 0:
            return
        line = self.line + LINE_BYTES * self.lines
        self.lines += 1
        self.pieces[self.open_chunk].iov_base = line
        self.pieces[self.open_chunk].iov_len = <size_t>fgw_http1_put_chunk_size(
            line, LINE_BYTES, self.open_bytes
        )
        self.open_chunk = -1
        self.push(b"\r\n", 2)

    cdef void replace_chunks(self, const uint8_t *raw, size_t length) noexcept:
        """Put raw[0, length) in place of the open chunk's leading pieces that were cut from it."""
        cdef int first = self.open_chunk
        cdef int at
        if first < 0:
            self.push(raw, length)  # no data in these chunks: only the end of the body
            return
        at = first + 1
        while at < self.count and <const uint8_t *>self.pieces[at].iov_base < raw + length:
            self.open_bytes -= self.pieces[at].iov_len
            self.pieces[at].iov_len = 0
            at += 1
        self.pieces[first].iov_base = <void *>raw
        self.pieces[first].iov_len = length
        if at == self.count:
            self.count = first + 1
            self.open_chunk = -1
        elif at == first + 1:
            # Nothing was cut from it, so a slot for the size line is missing behind it.
            memmove(
                &self.pieces[at + 1], &self.pieces[at],
                <size_t>(self.count - at) * sizeof(iovec),
            )
            self.count += 1
            self.open_chunk = at
        else:
            self.open_chunk = at - 1

    cdef bint is_full(self) noexcept:
        return self.count >= PIECES_MAX

    cdef void forget(self):
        """Drop what is gathered: its client is gone."""
        self.count = 0
        self.lines = 0
        self.open_chunk = -1
        self.keep.clear()

    cdef void _join(self) noexcept:
        """Copy a little that follows a head behind it: one piece is sent cheaper than several."""
        cdef uint8_t *at = self.head + self.pieces[0].iov_len
        cdef size_t rest = 0
        cdef int i
        for i in range(1, self.count):
            rest += self.pieces[i].iov_len
        if rest > JOIN_BYTES or self.pieces[0].iov_len + rest > BATCH_HEAD_BYTES:
            return
        for i in range(1, self.count):
            memcpy(at, self.pieces[i].iov_base, self.pieces[i].iov_len)
            at += self.pieces[i].iov_len
        self.pieces[0].iov_len += rest
        self.count = 1

    cdef int flush(self, Link client) except -1:
        """Send what is gathered. Returns a value of ``Sent``."""
        cdef int sent
        self.close_chunk()
        if self.count > 1 and self.pieces[0].iov_base == self.head:
            self._join()
        sent = client.send(self.pieces, self.count)
        self.count = 0
        self.lines = 0
        if self.keep:
            self.keep.clear()
        return sent
