"""What the mock does for one request: every byte of the answer, and what is billed by when.

       wire   |head + preamble |event 1|event 2|  ...  |event N|finish, usage, end|
       ends                    e0      e1      e2              eN                 eN+1
       outputs                 r       r+t     r+2t            r+Nt               r+Nt

A step is written at once; its output tokens are billed with its first byte. Marks are places
of the call's id in `wire`, overwritten in the copy that leaves, so that no two calls share one.
"""

cimport cython
from libc.stdint cimport int64_t


cdef enum Finish:
    KEEP            # the next request may follow
    CLOSE           # FIN
    STALL           # nothing more until the client goes
    RESET           # RST


@cython.final
cdef class Plan:
    cdef readonly bytes wire
    cdef readonly int status
    cdef readonly bint billed
    cdef bint booked           # has a line in the books
    cdef readonly bint cacheable
    cdef int finish
    cdef int64_t delay_ns
    cdef int64_t pace_ns
    cdef int batch
    cdef bint drip
    cdef bint bill_all
    cdef readonly int64_t input_tokens
    cdef readonly int64_t cached_tokens
    cdef readonly int64_t cache_write_tokens
    cdef readonly int64_t reasoning_tokens
    cdef readonly int64_t output_tokens
    cdef bytes book_key        # "<model>|<credential>"
    cdef bytes id_prefix
    cdef bytes line            # the members of the line that all its calls share
    cdef int row                        # of book_key in this worker's books; -1 not asked yet
    cdef Py_ssize_t steps
    cdef Py_ssize_t tail                # first step that no pace precedes any more
    cdef int64_t *ends
    cdef int64_t *outputs
    cdef Py_ssize_t marks
    cdef int64_t *mark
    cdef Py_ssize_t date                # where the 29 bytes of the date stand; -1 nowhere
    cdef int find_marks(self) except -1
    # wire[start:end] with the id and the date put in.
    cdef bytes cut(self, Py_ssize_t start, Py_ssize_t end, const char *id, const char *date)
