# LIMIT, where requests may wait for their turn. Nothing of it runs where no limit has a queue.

from libc.stdint cimport uint64_t

from fastgw.attempts cimport Attempts
from fastgw.exchange cimport Exchange


cdef enum:
    WAITS = -2               # neither admitted nor refused: it stands in the queue
    PARKED = -3              # the same, for want of a slice of a limit of the fleet


cdef class Waiting(Attempts):
    # The journey's: all limits at once, or a code; and what follows where they were taken.
    cdef int _limit(self, Exchange x) except -1
    cdef int _admit(self, Exchange x) except -1

    # As `_limit`, in turn: 0, a code, or WAITS.
    cdef int _limit_in_turn(self, Exchange x) except -1
    cdef int _limit_again(self, Exchange x) except -1
    cdef int _leave_queue(self, Exchange x) except -1
    cdef int _queue_full(self, Exchange x, int at) except -1
    cdef int _name_place(self, Exchange x, int at) except -1
    cdef int _try(self, Exchange x) except -1
    cdef int _go_on(self, Exchange x, int code) except -1
    cdef int _serve(self) except -1
    cdef int _time_out(self, Exchange x) except -1
    cdef int _queue_tick(self, uint64_t now_ns) except -1
