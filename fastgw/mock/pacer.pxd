"""Who waits for how long: one timer a duration, not one an event."""

from libc.stdint cimport int64_t


cdef class Turn:
    # One who waits for its turn; at most one wait at a time.
    cdef int64_t due_ns
    cdef bint gone              # will not take a turn any more
    cdef int turn(self) except -1


cdef class Pacer:
    cdef object loop
    cdef dict queues
    # Gives `waiter` its turn `span_ns` after `from_ns` (its last due instant, or now).
    cdef int wait(self, Turn waiter, int64_t from_ns, int64_t span_ns) except -1
