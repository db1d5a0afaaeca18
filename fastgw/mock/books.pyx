"""What a provider would bill, to the token: see books.pxd for the layout."""

import hashlib
import mmap
import os

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from posix.unistd cimport write

import orjson

from fastgw.native.clock cimport fgw_clock_wall_ns

cdef enum:
    ROWS = 4096
    KEY_MAX = 208
    TEXT_SIZE = 1 << 18         # written when half full: one write for some 400 lines
    TEXT_FULL = 1 << 17

cdef double FLUSH_S = 0.04      # lines may be 50 ms late


cdef struct Row:
    int64_t key_size
    int64_t calls
    int64_t input
    int64_t cached
    int64_t output
    int64_t reasoning
    char key[KEY_MAX]


cdef inline Row *row_at(char *base, int worker, int row) noexcept nogil:
    return <Row *>(base + (<Py_ssize_t>worker * ROWS + row) * <Py_ssize_t>sizeof(Row))


def open_mapping(workers):
    return mmap.mmap(-1, workers * ROWS * sizeof(Row))


cdef bytes quoted(bytes text):
    """A header's value as JSON; None is null."""
    return b"null" if text is None else orjson.dumps(text.decode("latin-1"))


@cython.final
cdef class Books:
    def __cinit__(self):
        self.text = <char *>malloc(TEXT_SIZE)
        if self.text == NULL:
            raise MemoryError

    def __init__(self, mapping, int worker, int workers, int file):
        self.mapping = mapping
        cdef Py_buffer view
        # Released at once: the address of a mapping stays as long as the mapping.
        PyObject_GetBuffer(mapping, &view, PyBUF_SIMPLE)
        self.base = <char *>view.buf
        PyBuffer_Release(&view)
        self.worker = worker
        self.workers = workers
        self.file = file
        self.eager = workers > 1
        self.rows = {}

    def __dealloc__(self):
        free(self.text)

    cdef int row(self, bytes key) except -1:
        """The row of a key, made if new; a key too long for it stands there by its digest."""
        known = self.rows.get(key)
        if known is not None:
            return <int>known
        cdef Row *row
        cdef bytes stored = key
        cdef int number = self.used
        if len(stored) > KEY_MAX:
            stored = stored[:KEY_MAX - 33] + b"#" + hashlib.sha256(key).hexdigest()[:32].encode()
        if number >= ROWS - 1:
            number, stored = ROWS - 1, b"(others)|(others)"
        else:
            self.used += 1
        row = row_at(self.base, self.worker, number)
        memcpy(row.key, PyBytes_AS_STRING(stored), <size_t>len(stored))
        row.key_size = len(stored)
        self.rows[key] = number
        return number

    cdef int count(self, Plan plan, int64_t output, int64_t reasoning) except -1:
        if plan.row < 0:
            plan.row = self.row(plan.book_key)
        cdef Row *row = row_at(self.base, self.worker, plan.row)
        row.calls += 1
        row.input += plan.input_tokens
        row.cached += plan.cached_tokens
        row.output += output
        row.reasoning += reasoning
        return 0

    cdef int line(self, Plan plan, const char *id, bint aborted, int64_t input, int64_t output,
                  int64_t reasoning, bytes request_id, bytes attempt, bytes tag,
                  bytes record) except -1:
        if self.file < 0:
            return 0
        cdef int64_t now_us = fgw_clock_wall_ns() // 1000
        cdef bytes told = b"" if record is None else record
        if request_id is not None or attempt is not None or tag is not None:
            told = b'"request_id":%b,"attempt":%b,"tag":%b%b' % (
                quoted(request_id),
                attempt if attempt is not None and attempt.isdigit() else quoted(attempt),
                quoted(tag), told)
        else:
            told = b'"request_id":null,"attempt":null,"tag":null' + told
        cdef Py_ssize_t room = 512 + PyBytes_GET_SIZE(plan.line) + PyBytes_GET_SIZE(told)
        if self.size + room > TEXT_SIZE:
            self.flush()
        if room > TEXT_SIZE:
            self.lines_lost += 1
            return 0
        self.size += snprintf(
            self.text + self.size, <size_t>room,
            b'{"id":"%s%.24s","time":%lld.%06lld,%s,"input_tokens":%lld,'
            b'"cached_input_tokens":%lld,"cache_write_tokens":%lld,"output_tokens":%lld,'
            b'"reasoning_tokens":%lld,"aborted":%s,%s}\n',
            PyBytes_AS_STRING(plan.id_prefix), id,
            <long long>(now_us // 1000000), <long long>(now_us % 1000000),
            PyBytes_AS_STRING(plan.line), <long long>input,
            <long long>(plan.cached_tokens if input else 0),
            <long long>(plan.cache_write_tokens if input else 0), <long long>output,
            <long long>reasoning, b"true" if aborted else b"false", PyBytes_AS_STRING(told))
        if self.eager or self.size > TEXT_FULL:
            self.flush()
        elif not self.armed and self.loop is not None:
            self.armed = True
            self.loop.call_later(FLUSH_S, self._tick)
        return 0

    def _tick(self):
        self.armed = False
        self.flush()

    cpdef int flush(self) except -1:
        """Appends what is there; lines for which the disk has no room are counted as lost."""
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t done
        while at < self.size:
            done = write(self.file, self.text + at, <size_t>(self.size - at))
            if done <= 0:
                self.lines_lost += self.text[at:self.size].count(b"\n")
                break
            at += done
        self.size = 0
        return 0

    def attach(self, loop):
        self.loop = loop

    def sums(self):
        cdef Row *row
        cdef int worker, number
        calls, by = 0, {}
        for worker in range(self.workers):
            for number in range(ROWS):
                row = row_at(self.base, worker, number)
                if row.key_size == 0 and number < ROWS - 1:
                    break
                if row.calls == 0:
                    continue
                one = by.setdefault(row.key[:row.key_size].decode("utf-8", "replace"), {
                    "calls": 0, "input_tokens": 0, "cached_input_tokens": 0,
                    "output_tokens": 0, "reasoning_tokens": 0})
                one["calls"] += row.calls
                one["input_tokens"] += row.input
                one["cached_input_tokens"] += row.cached
                one["output_tokens"] += row.output
                one["reasoning_tokens"] += row.reasoning
                calls += row.calls
        return {"calls": calls, "by": by}

    def lines(self):
        if self.file < 0:
            return b""
        self.flush()
        with open(os.dup(self.file), "rb") as file:
            file.seek(0)
            return file.read()

    def reset(self):
        cdef Row *row
        cdef int worker, number
        for worker in range(self.workers):
            for number in range(ROWS):
                row = row_at(self.base, worker, number)
                memset(&row.calls, 0, 5 * sizeof(int64_t))
        if self.file >= 0:
            self.size = 0
            os.ftruncate(self.file, 0)
