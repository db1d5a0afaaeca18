"""One client of the mock: requests in, plans out, every call booked once."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from fastgw.mock.books cimport Books
from fastgw.mock.head cimport Head
from fastgw.mock.pacer cimport Pacer, Turn
from fastgw.mock.plan cimport Plan


@cython.final
cdef class House:
    # What all connections of one worker share.
    cdef readonly object loop
    cdef Books books
    cdef Pacer pacer
    cdef object planner         # see connection.pyi
    cdef dict plans
    cdef Py_ssize_t plans_size
    cdef uint64_t calls
    cdef bytes id_prefix        # 12 hex digits: worker and start
    cdef bytes date
    cdef int64_t date_s
    cdef readonly set open      # connections
    cdef Plan plan_for(self, const char *text, Head *head, bytes body)
    cdef const char *date_now(self) except NULL


@cython.final
cdef class Connection(Turn):
    cdef House house
    cdef object transport
    # What came and is not yet used.
    cdef bytearray pending
    cdef Head head
    cdef Py_ssize_t head_size           # 0: no head read yet
    cdef Py_ssize_t need                # not worth looking before there are so many bytes
    cdef bytearray chunks               # body so far, if it comes in chunks
    cdef Py_ssize_t chunk_at
    # The call under way.
    cdef bint busy
    cdef bint paused
    cdef bint counted
    cdef bint unread                    # the answer came before the body
    cdef bint closes
    cdef bint ending                    # deaf: what comes now is dropped
    cdef bint starving                  # turn came while paused
    cdef Plan plan
    cdef char id[25]
    cdef Py_ssize_t at
    cdef Py_ssize_t step
    cdef bytes request_id
    cdef bytes attempt
    cdef bytes tag
    cdef bytes record

    cdef int consume(self, const char *text, Py_ssize_t size) except -1
    cdef Py_ssize_t take_request(self, const char *text, Py_ssize_t size) except -1
    cdef Py_ssize_t take_chunks(self, const char *text, Py_ssize_t size) except -2
    cdef Py_ssize_t take_trailers(self, const char *text, Py_ssize_t size, Py_ssize_t at) except -2
    cdef int begin(self, const char *text, bytes body) except -1
    cdef int pump(self) except -1
    cdef Py_ssize_t block_end(self) noexcept
    cdef int put(self, Py_ssize_t end) except -1
    cdef int64_t generated(self) noexcept
    cdef int count(self, int64_t output) except -1
    cdef int end(self, bint aborted) except -1
    cdef int hang_up(self) except -1
    cdef int refuse(self, bytes answer) except -1
