"""The books: sums in memory that all workers share, and a line for each call in one file.

    mapping   | region of worker 0 | region of worker 1 | ...       one writer each
    region    | row 0 | row 1 | ... | row ROWS-1 = what found no room |
    row       | key size | calls | input | cached | output | reasoning | key ... |  256 bytes

Sums are read without a lock: a row's numbers are added before the call's last byte leaves, so
whoever has had an answer finds it in the sums.
"""

cimport cython
from libc.stdint cimport int64_t

from fastgw.mock.plan cimport Plan


@cython.final
cdef class Books:
    cdef object mapping             # mmap; keeps the memory alive
    cdef char *base
    cdef int worker
    cdef int workers
    cdef dict rows
    cdef int used
    cdef int file                   # descriptor opened with O_APPEND; -1: no lines are kept
    cdef bint eager                 # a line is written at once: other workers read the file
    cdef char *text
    cdef Py_ssize_t size
    cdef object loop
    cdef bint armed
    cdef readonly int64_t lines_lost
    cdef int row(self, bytes key) except -1
    # Adds one call to the sums.
    cdef int count(self, Plan plan, int64_t output, int64_t reasoning) except -1
    # Writes the call's line; id: 24 bytes.
    cdef int line(self, Plan plan, const char *id, bint aborted, int64_t input, int64_t output,
                  int64_t reasoning, bytes request_id, bytes attempt, bytes tag,
                  bytes record) except -1
    cpdef int flush(self) except -1
