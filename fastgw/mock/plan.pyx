"""Plans: built once for each shape of request in Python, walked for each call in C."""

import secrets

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

# Stands in a plan's wire where a call's id goes. Drawn anew in each process, so that no model
# name or prompt that is echoed can contain it.
MARK = secrets.token_hex(12).encode()
DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"

cdef Py_ssize_t MARK_SIZE = 24
cdef Py_ssize_t DATE_SIZE = 29

# By the number of the enum Finish.
FINISHES = ("keep", "close", "stall", "reset")


cdef void overlay(char *part, Py_ssize_t start, Py_ssize_t end, Py_ssize_t at,
                  const char *text, Py_ssize_t size) noexcept nogil:
    """Copies what of text, which belongs at `at`, falls into [start, end)."""
    cdef Py_ssize_t first = at if at > start else start
    cdef Py_ssize_t last = at + size if at + size < end else end
    if first < last:
        memcpy(part + (first - start), text + (first - at), <size_t>(last - first))


@cython.final
cdef class Plan:
    def __cinit__(self, bytes wire, steps, options):
        self.wire = wire
        self.steps = len(steps)
        self.row = -1
        self.ends = <int64_t *>calloc(<size_t>self.steps + 1, sizeof(int64_t))
        self.outputs = <int64_t *>calloc(<size_t>self.steps + 1, sizeof(int64_t))
        if self.ends == NULL or self.outputs == NULL:
            raise MemoryError
        cdef Py_ssize_t at
        for at in range(self.steps):
            self.ends[at], self.outputs[at] = steps[at]
        if self.steps:
            self.output_tokens = self.outputs[self.steps - 1]
        self.date = wire.find(DATE)
        self.find_marks()

    def __init__(self, wire, steps, options):
        get = options.get
        self.status = get("status", 200)
        self.finish = FINISHES.index(get("finish", "keep"))
        self.delay_ns = get("delay", 0)
        self.pace_ns = get("pace", 0)
        self.batch = get("batch", 0)
        self.drip = get("drip", False)
        self.bill_all = get("bill_all", False)
        self.billed = get("billed", False)
        self.booked = get("booked", False)
        self.cacheable = get("cacheable", True)
        self.tail = get("tail", self.steps)
        self.input_tokens = get("input_tokens", 0)
        self.cached_tokens = get("cached_tokens", 0)
        self.cache_write_tokens = get("cache_write_tokens", 0)
        self.reasoning_tokens = get("reasoning_tokens", 0)
        self.book_key = get("book_key", b"")
        self.id_prefix = get("id_prefix", b"")
        self.line = get("line", b"")

    def __dealloc__(self):
        free(self.ends)
        free(self.outputs)
        free(self.mark)

    def steps_made(self):
        cdef Py_ssize_t at
        return [(self.ends[at], self.outputs[at]) for at in range(self.steps)]

    def part(self, start, end, bytes id, bytes date):
        whole = len(id) == MARK_SIZE and len(date) == DATE_SIZE
        if not whole or not 0 <= start <= end <= len(self.wire):
            raise ValueError("part of a plan out of range")
        return self.cut(start, end, PyBytes_AS_STRING(id), PyBytes_AS_STRING(date))

    cdef int find_marks(self) except -1:
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t number
        self.marks = self.wire.count(MARK)
        self.mark = <int64_t *>calloc(<size_t>self.marks + 1, sizeof(int64_t))
        if self.mark == NULL:
            raise MemoryError
        for number in range(self.marks):
            at = self.wire.index(MARK, at)
            self.mark[number] = at
            at += MARK_SIZE
        return 0

    cdef bytes cut(self, Py_ssize_t start, Py_ssize_t end, const char *id, const char *date):
        # Made empty and then filled: from one byte of text it would be the interpreter's shared
        # object for that byte, which must not be written to.
        cdef bytes part = PyBytes_FromStringAndSize(NULL, end - start)
        cdef char *text = PyBytes_AS_STRING(part)
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t high = self.marks
        cdef Py_ssize_t middle
        memcpy(text, PyBytes_AS_STRING(self.wire) + start, <size_t>(end - start))
        while low < high:                   # the first mark that reaches into the part
            middle = (low + high) // 2
            if self.mark[middle] + MARK_SIZE <= start:
                low = middle + 1
            else:
                high = middle
        while low < self.marks and self.mark[low] < end:
            overlay(text, start, end, self.mark[low], id, MARK_SIZE)
            low += 1
        if self.date >= 0:
            overlay(text, start, end, self.date, date, DATE_SIZE)
        return part
